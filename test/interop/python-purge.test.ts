import { expect } from "vitest";
import { pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, testFor, ask } = await pythonSuite("purge");

scenario("a purge by status deletes what has that status", (facts) =>
  expect(facts).toEqual([
    [0, ["done", "ended"]],
    [1, ["ended"]],
    [1, []],
  ]),
);

scenario("a purge by the time of creation deletes what was created in it", (facts) =>
  expect(facts).toEqual([2, ["0", "3"]]),
);

scenario("a purge by a filter that names no status spares what has not ended", (facts) =>
  expect(facts).toEqual([2, ["2"]]),
);

testFor(
  "a purge by filter with recursive=$recursive of a parent of two deletes $count",
  [
    { recursive: false, count: 1, left: ["child-1", "child-2"] },
    { recursive: true, count: 3, left: [] },
  ],
  async ({ recursive, count, left }) =>
    expect(await ask("purge_parent_of_two", recursive)).toEqual({ purged: count, left }),
);

scenario("a purge by a filter that nothing fits deletes nothing", (facts) =>
  expect(facts).toEqual([0, ["0", "1"]]),
);

scenario("a purge with a time limit deletes what it can in that time", (facts) =>
  expect(facts).toEqual({ purged: 2, isComplete: true, left: [] }),
);
