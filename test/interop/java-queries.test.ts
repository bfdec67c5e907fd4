import { expect } from "vitest";
import { javaSuite } from "../support/java-sdk-suite.ts";
import type { ProgramState } from "../support/program-suite.ts";

const { scenario, cannot } = await javaSuite("queries");

scenario("orchestrations are found by their status", (found) =>
  expect(found).toEqual({ failed: ["failed"], both: ["failed", "running"] }),
);

scenario("orchestrations are found by the time of their creation", (found) =>
  expect(found).toEqual({ from: ["second"], to: ["first"] }),
);

scenario("orchestrations are found by the beginning of their ids", (found) =>
  expect(found).toEqual(["a-1", "a-2"]),
);

scenario("each filter of a query narrows the others", (found) =>
  expect(found).toEqual(["a-failed"]),
);

scenario<string[][]>("twenty-one orchestrations are found five by five", (pages) => {
  expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 5, 1]);
  expect(new Set(pages.flat()).size).toBe(21);
});

scenario<{ without: ProgramState[]; with: ProgramState[] }>(
  "a query has inputs and outputs only when it asks for them",
  (found) => {
    expect(found.without).toMatchObject([{ instanceId: "asked", input: null, output: null }]);
    expect(found.with).toMatchObject([{ input: '"text"', output: '"text"' }]);
  },
);

cannot("entities are not among the orchestrations", "it has no entities");
cannot(
  "the ids of ended orchestrations are listed in the order of their ends, page by page",
  "its client has no list of ids",
);
cannot(
  "the ids of ended orchestrations are listed by status and by the time of their ends",
  "its client has no list of ids",
);
