/** There is no Go package for the managed scheduler: its users send the header by themselves. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("managed");
const reason = "it has no managed package";

cannot("an orchestration with an activity completes through the managed package", reason);
cannot("the managed package's client sees only the task hub that it names", reason);
cannot("a worker of the managed package gets nothing of another task hub", reason);
cannot("the managed package and the plain one work in the same task hub", reason);
cannot("the managed package takes an address with its scheme, and needs no TLS then", reason);
cannot("the managed package takes a connection string without authentication", reason);
