import { expect } from "vitest";
import { cannot, facts, programArea } from "../support/program-area.ts";

const { scenario } = await programArea("queries", { go: "its client has no queries" });

const noList = { java: cannot("its client has no list of ids") };

scenario(
  "orchestrations are found by their status",
  facts((seen) =>
    expect(seen).toEqual({
      each: [["completed"], ["failed"], ["running"], ["suspended"], ["terminated"], ["00"]],
      two: ["failed", "00"],
      all: ["completed", "failed", "running", "suspended", "terminated", "00"],
    }),
  ),
  {
    java: facts((found) =>
      expect(found).toEqual({ failed: ["failed"], both: ["failed", "running"] }),
    ),
  },
);

scenario(
  "orchestrations are found by the time of their creation",
  facts((found) =>
    expect(found).toEqual([
      ["01", "02", "03"],
      ["00", "01", "02"],
      ["01", "02"],
    ]),
  ),
  { java: facts((found) => expect(found).toEqual({ from: ["second"], to: ["first"] })) },
);

scenario(
  "orchestrations are found by the beginning of their ids",
  facts((found) => expect(found).toEqual([["00", "01"], ["00"], []])),
  { java: facts((found) => expect(found).toEqual(["a-1", "a-2"])) },
);

scenario(
  "each filter of a query narrows the others",
  facts((found) => expect(found).toEqual([["01"], ["02"], []])),
  { java: facts((found) => expect(found).toEqual(["a-failed"])) },
);

scenario(
  "twenty-one orchestrations are found five by five",
  // The SDK puts the pages together itself.
  facts((found) =>
    expect(found).toEqual(Array.from({ length: 21 }, (_, i) => String(i).padStart(2, "0"))),
  ),
  {
    java: facts<string[][]>((pages) => {
      expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 5, 1]);
      expect(new Set(pages.flat()).size).toBe(21);
    }),
  },
);

scenario(
  "a query has inputs and outputs only when it asks for them",
  facts((found) =>
    expect(found).toMatchObject({
      without: [{ status: "COMPLETED", input: null, output: null }],
      with: [{ status: "COMPLETED", input: '"text"', output: '"text"' }],
    }),
  ),
);

scenario(
  "entities are not among the orchestrations",
  facts((seen) => expect(seen).toMatchObject({ found: [], entity: { state: 1 } })),
  { java: cannot("it has no entities") },
);

scenario(
  "the ids of ended orchestrations are listed in the order of their ends, page by page",
  facts((pages) => expect(pages).toEqual([["04", "03"], ["02", "01"], ["00"]])),
  noList,
);

scenario(
  "the ids of ended orchestrations are listed by status and by the time of their ends",
  facts((lists) =>
    expect(lists).toEqual([["00", "01", "02", "03"], [], ["01", "02", "03"], ["00", "01", "02"]]),
  ),
  noList,
);
