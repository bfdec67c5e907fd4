import { expect } from "vitest";
import { facts, programArea } from "../support/program-area.ts";

const { scenario } = await programArea("entity-queries", {
  java: "it has no entities",
  go: "it has no entities",
});

scenario(
  "an unknown entity is not there",
  facts((seen) => expect(seen).toEqual([null, []])),
);

scenario(
  "the state of an entity is left out when it is not asked for",
  facts<{ to: string }>(({ to, ...seen }) => {
    const bare = { id: to, includesState: false, state: null };
    expect(seen).toMatchObject({
      seen: bare,
      found: [bare],
      full: [{ id: to, includesState: true, state: "told" }],
    });
  }),
);

scenario(
  "entities are found by the beginning of their ids, page by page",
  facts((places) => expect(places).toEqual([0, 1, 2, 3, 4, 5, 6])),
);

scenario(
  "entities are found by the time of their last change",
  facts((places) =>
    expect(places).toEqual([
      [1, 2],
      [0, 1],
    ]),
  ),
);

scenario(
  "cleaning up removes an entity without a state",
  facts((seen) => expect(seen).toEqual({ removed: 1, released: 0, left: ["@account@kept"] })),
);

scenario(
  "a locked entity without a state is found among the transient ones only",
  facts<{ holder: string }>(({ holder, ...seen }) =>
    expect(seen).toMatchObject({ entity: null, found: [[], [{ lockedBy: holder }]] }),
  ),
);
