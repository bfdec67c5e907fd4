/** The published Go SDK finds no instances, except by their ids. */
import { goSuite } from "../support/go-sdk-suite.ts";

const { cannot } = await goSuite("queries");
const reason = "its client has no queries";

cannot("orchestrations are found by their status", reason);
cannot("orchestrations are found by the time of their creation", reason);
cannot("orchestrations are found by the beginning of their ids", reason);
cannot("each filter of a query narrows the others", reason);
cannot("twenty-one orchestrations are found five by five", reason);
cannot("a query has inputs and outputs only when it asks for them", reason);
cannot("entities are not among the orchestrations", reason);
cannot(
  "the ids of ended orchestrations are listed in the order of their ends, page by page",
  reason,
);
cannot(
  "the ids of ended orchestrations are listed by status and by the time of their ends",
  reason,
);
