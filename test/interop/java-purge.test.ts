import { expect } from "vitest";
import { javaSuite } from "../support/java-sdk-suite.ts";

const { scenario, cannot } = await javaSuite("purge");

scenario("a purge by status deletes what has that status", (facts) =>
  expect(facts).toEqual({ purged: 1, left: ["completed"] }),
);

scenario("a purge by the time of creation deletes what was created in it", (facts) =>
  expect(facts).toEqual({ purged: 1, left: ["before", "after"] }),
);

scenario("a purge by a filter that names no status spares what has not ended", (facts) =>
  expect(facts).toEqual({ purged: 1, left: ["running"] }),
);

cannot(
  "a purge by filter with recursive=$recursive of a parent of two deletes $count",
  "its criteria have no such option",
);

scenario("a purge by a filter that nothing fits deletes nothing", (facts) =>
  expect(facts).toEqual({ purged: 0, left: ["completed"] }),
);

// The limit of this SDK is the deadline of its call.
scenario("a purge with a time limit deletes what it can in that time", (facts) =>
  expect(facts).toEqual({ purged: 2, left: [] }),
);
