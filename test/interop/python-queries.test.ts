import { expect } from "vitest";
import { pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario } = await pythonSuite("queries");

scenario("orchestrations are found by their status", (facts) =>
  expect(facts).toEqual({
    each: [["completed"], ["failed"], ["running"], ["suspended"], ["terminated"], ["00"]],
    two: ["failed", "00"],
    all: ["completed", "failed", "running", "suspended", "terminated", "00"],
  }),
);

scenario("orchestrations are found by the time of their creation", (found) =>
  expect(found).toEqual([
    ["01", "02", "03"],
    ["00", "01", "02"],
    ["01", "02"],
  ]),
);

scenario("orchestrations are found by the beginning of their ids", (found) =>
  expect(found).toEqual([["00", "01"], ["00"], []]),
);

scenario("each filter of a query narrows the others", (found) =>
  expect(found).toEqual([["01"], ["02"], []]),
);

// The SDK puts the pages together itself.
scenario("twenty-one orchestrations are found five by five", (found) =>
  expect(found).toEqual(Array.from({ length: 21 }, (_, i) => String(i).padStart(2, "0"))),
);

scenario("a query has inputs and outputs only when it asks for them", (facts) =>
  expect(facts).toMatchObject([
    [{ status: "COMPLETED", input: '"given"', output: '"given"' }],
    [{ status: "COMPLETED", input: null, output: null }],
  ]),
);

scenario("entities are not among the orchestrations", (facts) =>
  expect(facts).toMatchObject({ found: [], entity: { state: 1 } }),
);

scenario(
  "the ids of ended orchestrations are listed in the order of their ends, page by page",
  (pages) => expect(pages).toEqual([["04", "03"], ["02", "01"], ["00"]]),
);

scenario(
  "the ids of ended orchestrations are listed by status and by the time of their ends",
  (lists) =>
    expect(lists).toEqual([["00", "01", "02", "03"], [], ["01", "02", "03"], ["00", "01", "02"]]),
);
