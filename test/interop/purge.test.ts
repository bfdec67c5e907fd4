import { expect } from "vitest";
import { cannot, facts, programArea, rows } from "../support/program-area.ts";

const { scenario } = await programArea("purge", { go: "its client purges one instance at a time" });

scenario(
  "a purge by status deletes what has that status",
  facts((seen) =>
    expect(seen).toEqual([
      { purged: 0, left: ["done", "ended"] },
      { purged: 1, left: ["ended"] },
      { purged: 1, left: [] },
    ]),
  ),
  { java: facts((seen) => expect(seen).toEqual({ purged: 1, left: ["completed"] })) },
);

scenario(
  "a purge by the time of creation deletes what was created in it",
  facts((seen) => expect(seen).toEqual({ purged: 2, left: ["0", "3"] })),
  { java: facts((seen) => expect(seen).toEqual({ purged: 1, left: ["before", "after"] })) },
);

scenario(
  "a purge by a filter that names no status spares what has not ended",
  facts((seen) => expect(seen).toEqual({ purged: 2, left: ["2"] })),
  { java: facts((seen) => expect(seen).toEqual({ purged: 1, left: ["running"] })) },
);

scenario(
  "a purge by filter with recursive=$recursive of a parent of two deletes $count",
  rows(
    [
      { recursive: false, count: 1, left: ["child-1", "child-2"] },
      { recursive: true, count: 3, left: [] },
    ],
    async ({ recursive, count, left }, { ask }) =>
      expect(await ask("purgeParentOfTwo", recursive)).toEqual({ purged: count, left }),
  ),
  { java: cannot("its criteria have no such option") },
);

scenario(
  "a purge by a filter that nothing fits deletes nothing",
  facts((seen) => expect(seen).toEqual({ purged: 0, left: ["0", "1"] })),
  { java: facts((seen) => expect(seen).toEqual({ purged: 0, left: ["completed"] })) },
);

scenario(
  "a purge with a time limit deletes what it can in that time",
  facts((seen) => expect(seen).toEqual({ purged: 2, isComplete: true, left: [] })),
  // The limit of this SDK is the deadline of its call.
  { java: facts((seen) => expect(seen).toEqual({ purged: 2, left: [] })) },
);
