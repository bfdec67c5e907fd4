/** The published Go SDK has no entities. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("entity-queries");
const reason = "it has no entities";

cannot("an unknown entity is not there", reason);
cannot("the state of an entity is left out when it is not asked for", reason);
cannot("entities are found by the beginning of their ids, page by page", reason);
cannot("entities are found by the time of their last change", reason);
cannot("cleaning up removes an entity without a state", reason);
cannot("a locked entity without a state is found among the transient ones only", reason);
