/** What trees and windows cover, and from when on. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Coverable, covers, coversHub, isActive } from "../../sidecar/engine/hub/covers.ts";
import {
  HubHoldSchema,
  Kind,
  SelectorSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { subjectOf } from "../support/hub-world.ts";
import { parseTime } from "../support/scenario-arguments.ts";

type SelectorInit = NonNullable<Parameters<typeof create<typeof SelectorSchema>>[1]>;

function matches(selector: SelectorInit, given: Partial<Coverable>): boolean {
  return covers(create(HubHoldSchema, { selector }), subjectOf(given));
}

describe("a selector", () => {
  it.each<[string, SelectorInit, Partial<Coverable>, boolean]>([
    ["nothing", {}, {}, true],
    ["its name", { names: ["Order"] }, {}, true],
    ["one of several names", { names: ["Mail", "Order"] }, {}, true],
    ["another name", { names: ["Mail"] }, {}, false],
    ["a name in another case", { names: ["order"] }, {}, false],
    ["the beginning of its name", { names: ["Ord"] }, {}, false],
    ["the beginning of its id", { instanceIdPrefix: "order-" }, {}, true],
    ["its whole id", { instanceIdPrefix: "order-1" }, {}, true],
    ["more than its id", { instanceIdPrefix: "order-10" }, {}, false],
    ["the beginning in another case", { instanceIdPrefix: "Order" }, {}, false],
    ["the end of its id", { instanceIdPrefix: "1" }, {}, false],
    ["a tag that it has", { tags: { a: "1" } }, { tags: { a: "1", b: "2" } }, true],
    ["two tags that it has", { tags: { a: "1", b: "2" } }, { tags: { a: "1", b: "2" } }, true],
    ["two tags, one of which it has", { tags: { a: "1", b: "2" } }, { tags: { a: "1" } }, false],
    ["a tag with another value", { tags: { a: "1" } }, { tags: { a: "2" } }, false],
    ["a tag with an empty value", { tags: { a: "" } }, { tags: { a: "" } }, true],
    ["an empty tag that it has not", { tags: { a: "" } }, {}, false],
    ["its version", { versions: ["2"] }, { version: "2" }, true],
    ["one of several versions", { versions: ["1", "2"] }, { version: "2" }, true],
    ["another version", { versions: ["2"] }, { version: "2.0" }, false],
    ["no version", { versions: [""] }, {}, true],
    ["no version, and it has the empty one", { versions: [""] }, { version: "" }, true],
    ["no version, and it has one", { versions: [""] }, { version: "1" }, false],
    ["a version, and it has none", { versions: ["1"] }, {}, false],
    ["name and version", { names: ["Order"], versions: ["1"] }, { version: "1" }, true],
    ["name but not version", { names: ["Order"], versions: ["1"] }, { version: "2" }, false],
    ["version but not name", { names: ["Mail"], versions: ["1"] }, { version: "1" }, false],
    ["name but not prefix", { names: ["Order"], instanceIdPrefix: "x" }, {}, false],
    ["name but not tag", { names: ["Order"], tags: { a: "1" } }, {}, false],
  ])("of %s", (_what, selector, given, expected) => {
    expect(matches(selector, given)).toBe(expected);
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
    "of a tag %s does not match what every object has",
    (key) => {
      const selector = create(SelectorSchema);
      Object.defineProperty(selector.tags, key, { value: "", enumerable: true });
      const hold = create(HubHoldSchema, { selector });
      expect(covers(hold, subjectOf())).toBe(false);
      const tags = Object.defineProperty({}, key, { value: "", enumerable: true });
      expect(covers(hold, subjectOf({ tags }))).toBe(true);
    },
  );

  it("holds entities only if it is told to; one without a condition always does", () => {
    const entity = subjectOf({ kind: Kind.ENTITY });
    const selector = { names: ["Order"] };
    expect(covers(create(HubHoldSchema, { selector }), entity)).toBe(false);
    expect(covers(create(HubHoldSchema, { selector, includeEntities: true }), entity)).toBe(true);
    const others = { selector: { names: ["Mail"] }, includeEntities: true };
    expect(covers(create(HubHoldSchema, others), entity)).toBe(false);
    expect(covers(create(HubHoldSchema, { selector: {} }), entity)).toBe(true);
    expect(covers(create(HubHoldSchema), entity)).toBe(true);
  });

  it("covers the hub when it is empty or absent, and is no tree", () => {
    expect(coversHub(create(HubHoldSchema))).toBe(true);
    expect(coversHub(create(HubHoldSchema, { selector: {} }))).toBe(true);
    expect(coversHub(create(HubHoldSchema, { selector: { versions: [""] } }))).toBe(false);
    expect(coversHub(create(HubHoldSchema, { selector: { instanceIdPrefix: "a" } }))).toBe(false);
    expect(coversHub(create(HubHoldSchema, { selector: { tags: { a: "" } } }))).toBe(false);
    expect(coversHub(create(HubHoldSchema, { origin: { number: 3n } }))).toBe(false);
  });
});

describe("a tree", () => {
  const tree = create(HubHoldSchema, { origin: { instanceId: "root", number: 3n } });

  it.each<[string, Partial<Coverable>, boolean]>([
    ["its origin", { number: 3n }, true],
    ["a child", { number: 8n, ancestors: [3n] }, true],
    ["a descendant", { number: 9n, ancestors: [8n, 5n, 3n] }, true],
    ["a parent of the origin", { number: 2n }, false],
    ["a sibling", { number: 4n, ancestors: [2n] }, false],
    ["another life with the id of the origin", { number: 30n, instanceId: "root" }, false],
  ])("covers by storage number: %s", (_what, given, expected) => {
    expect(covers(tree, subjectOf(given))).toBe(expected);
  });
});

describe("a window with a start", () => {
  it("holds from that instant on and not before", () => {
    const hold = create(HubHoldSchema, { startsAt: parseTime("10:00:10") });
    expect(isActive(hold, parseTime("10:00:09.999999999"))).toBe(false);
    expect(isActive(hold, parseTime("10:00:10"))).toBe(true);
    expect(isActive(hold, parseTime("10:00:11"))).toBe(true);
    expect(isActive(create(HubHoldSchema), parseTime("10:00:00"))).toBe(true);
  });
});
