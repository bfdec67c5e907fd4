/** The published Go SDK purges by an id only: see go-instances.test.ts. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("purge");
const reason = "its client purges one instance at a time";

cannot("a purge by status deletes what has that status", reason);
cannot("a purge by the time of creation deletes what was created in it", reason);
cannot("a purge by a filter that names no status spares what has not ended", reason);
cannot("a purge by filter with recursive=$recursive of a parent of two deletes $count", reason);
cannot("a purge by a filter that nothing fits deletes nothing", reason);
cannot("a purge with a time limit deletes what it can in that time", reason);
