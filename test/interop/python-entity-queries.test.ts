import { expect } from "vitest";
import { pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario } = await pythonSuite("entity_queries");

scenario("an unknown entity is not there", (facts) => expect(facts).toEqual([null, []]));

scenario<{ to: string }>(
  "the state of an entity is left out when it is not asked for",
  ({ to, ...facts }) => {
    const bare = { id: to, includesState: false, state: null };
    expect(facts).toMatchObject({
      seen: bare,
      found: [bare],
      full: [{ id: to, includesState: true, state: "told" }],
    });
  },
);

scenario("entities are found by the beginning of their ids, page by page", (places) =>
  expect(places).toEqual([0, 1, 2, 3, 4, 5, 6]),
);

scenario("entities are found by the time of their last change", (places) =>
  expect(places).toEqual([
    [1, 2],
    [0, 1],
  ]),
);

scenario("cleaning up removes an entity without a state", (facts) =>
  expect(facts).toEqual({ removed: 1, released: 0, left: ["@account@kept"] }),
);

scenario<{ holder: string }>(
  "a locked entity without a state is found among the transient ones only",
  ({ holder, ...facts }) =>
    expect(facts).toMatchObject({ entity: null, found: [[], [{ lockedBy: holder }]] }),
);
