/** The published Go SDK has no entities. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("entity-locks");
const reason = "it has no entities";

cannot("what others send to a locked entity waits for the end of the critical section", reason);
cannot("a locked entity shows the instance id of its holder", reason);
cannot("an orchestration locks three entities at once, and one that it names twice once", reason);
cannot(
  "orchestrations that lock the same two entities in either order all get them, one after the other",
  reason,
);
cannot("an orchestration that fails in its critical section frees its entities", reason);
cannot("an orchestration that is terminated in its critical section frees its entities", reason);
cannot("an orchestration that continues as new in its critical section frees its entities", reason);
cannot("an orchestration that is terminated before its lock is granted is not given it", reason);
cannot("releasing a lock twice frees no entity of anybody else", reason);
cannot("a critical section whose call fails goes on and is left", reason);
cannot("a lock outlasts the end of its sidecar", reason);
