/** The published Go SDK has no entities: neither its worker nor its client. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("entities");
const reason = "it has no entities";

cannot("a client's signal reaches its entity", reason);
cannot("an orchestration calls an entity and gets its result", reason);
cannot("an orchestration that signals an entity and ends has signalled it", reason);
cannot("a failed operation reaches its caller, and its state and messages are rolled back", reason);
cannot("a failed operation does not take back those before it, nor stop those behind it", reason);
cannot("calling an entity that no worker has registered fails the call", reason);
cannot("a value of $text is kept as the state of an entity and comes back", reason);
cannot("a mebibyte passes through the input, the state and the result of an operation", reason);
cannot("$key is the key of an entity", reason);
cannot("the names of entities are compared without case, their keys with it", reason);
cannot("a deleted entity is gone, and begins anew", reason);
cannot("an entity signals another one", reason);
cannot("an entity starts an orchestration", reason);
cannot("a scheduled signal of $sender does not arrive early", reason);
cannot("a hundred signals of $sender arrive in their order", reason);
cannot("a call that the orchestration does not wait for is carried out", reason);
cannot("the history of an orchestration shows what it has sent to entities and got back", reason);
cannot("an entity that no worker's filter takes waits for one that does", reason);
cannot("an entity keeps its state and what waits when its sidecar is killed", reason);
