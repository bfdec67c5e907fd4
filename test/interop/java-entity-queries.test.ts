/** The published Java SDK has no entities: neither its worker nor its client. */
import { javaSuite } from "../support/java-sdk-suite.ts";

const { cannot } = await javaSuite("entities");
const reason = "it has no entities";

cannot("an unknown entity is not there", reason);
cannot("the state of an entity is left out when it is not asked for", reason);
cannot("entities are found by the beginning of their ids, page by page", reason);
cannot("entities are found by the time of their last change", reason);
cannot("cleaning up removes an entity without a state", reason);
cannot("a locked entity without a state is found among the transient ones only", reason);
