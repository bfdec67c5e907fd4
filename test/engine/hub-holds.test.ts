/** Tree and selector holds: what they cover, when they hold, and what they freeze. */
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Coverable, covers, coversHub, isActive } from "../../sidecar/engine/hub/covers.ts";
import { evolveHub, keyOf } from "../../sidecar/engine/hub/evolve-hub.ts";
import { freezesNow, hubFreezesOf } from "../../sidecar/engine/hub/hub-freezes.ts";
import { expired, nextHubDue } from "../../sidecar/engine/hub/hub-holds.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { HubEntrySchema } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  HubHoldSchema,
  Kind,
  SelectorSchema,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { entryOf, HubWorld, hubJson, subjectOf } from "../support/hub-world.ts";
import { formatTime, parseTime } from "../support/scenario-arguments.ts";

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

describe("placing", () => {
  it("a name that exists changes nothing, unless it is to be replaced", () => {
    const hub = new HubWorld();
    hub.place({ reason: "one" });
    expect(hub.at("10:00:05").place({ reason: "two" })).toEqual({ kind: "nothing" });
    expect(hub.find("w").hold?.reason).toBe("one");
    hub.place({ reason: "two", replace: true });
    const { reason, placedAt, replacedAt } = hub.find("w").hold ?? {};
    expect(reason).toBe("two");
    expect([placedAt, replacedAt]).toEqual([parseTime("10:00:00"), parseTime("10:00:05")]);
  });

  it("gives windows and trees of every origin names of their own", () => {
    const hub = new HubWorld();
    hub.place({ name: "x" });
    hub.place({ name: "x", tree: 3n });
    hub.place({ name: "x", tree: 4n });
    expect(hub.names).toEqual(["x", "x", "x"]);
    expect(hub.place({ name: "x", tree: 4n })).toEqual({ kind: "nothing" });
    const keys = hub.state.holds.map((hold) => JSON.stringify(keyOf(hold), bigintText));
    expect(new Set(keys).size).toBe(3);
    hub.release(["x"]);
    expect(hub.names).toEqual([]);
  });

  it("again while it is being released makes it full, as old as it was", () => {
    const hub = new HubWorld();
    hub.place();
    hub.at("10:00:05").release(["w"], { instancesPerSecond: 1 });
    expect(hub.find("w").pacedRelease).toBeDefined();
    hub.at("10:00:06").place();
    expect(hub.find("w").pacedRelease).toBeUndefined();
    expect(hub.find("w").hold?.placedAt).toEqual(parseTime("10:00:00"));
  });

  it("keeps the order in which they were placed, also when one is replaced", () => {
    const hub = new HubWorld();
    for (const name of ["a", "b", "c"]) hub.place({ name });
    hub.place({ name: "a", replace: true });
    expect(hub.names).toEqual(["a", "b", "c"]);
  });

  it("is refused above the limit, and replacing is not", () => {
    const hub = new HubWorld();
    for (let i = 0; i < LIMITS.hubHoldsMax; i += 1) hub.place({ name: `${i}` });
    expect(hub.place({ name: "more" })).toMatchObject({ kind: "refuse", code: "limit-exceeded" });
    expect(hub.place({ name: "more", tree: 3n })).toMatchObject({ kind: "refuse" });
    expect(hub.place({ name: "5", replace: true }).kind).toBe("append");
    expect(hub.place({ name: "5" }).kind).toBe("nothing");
  });

  it("is an entry of constant size", () => {
    const sizes = [0, 900].map((others) => {
      const hub = new HubWorld();
      for (let i = 0; i < others; i += 1) hub.place({ name: `${i}` });
      return toBinary(HubEntrySchema, entryOf(hub.place({ name: "last" }))).length;
    });
    expect(sizes[1]).toBe(sizes[0]);
  });
});

describe("expiry", () => {
  const { RESUME, TERMINATE, KEEP } = ExpiryAction;

  it("RESUME releases that hold alone, at its instant", () => {
    const hub = new HubWorld();
    hub.place({ name: "a", expires: "10:00:10", expiry: RESUME });
    hub.place({ name: "b", expires: "10:00:20", expiry: RESUME });
    hub.place({ name: "c" });
    expect(hub.at("10:00:09.999999999").due()).toEqual({ kind: "nothing" });
    hub.at("10:00:10").due();
    expect(hub.names).toEqual(["b", "c"]);
  });

  it("of several at once releases all of them in one entry", () => {
    const hub = new HubWorld();
    for (const name of ["a", "b"]) hub.place({ name, expires: "10:00:10", expiry: RESUME });
    expect(entryOf(hub.at("23:00:00").due()).hubHoldsReleased).toHaveLength(2);
    expect(hub.names).toEqual([]);
  });

  it("KEEP never acts, and nothing is due because of it", () => {
    const hub = new HubWorld();
    hub.place({ expires: "10:00:10", expiry: KEEP });
    expect(nextHubDue(hub.state, hub.now)).toBeUndefined();
    expect(hub.at("11:00:00").due()).toEqual({ kind: "nothing" });
    expect(hub.names).toEqual(["w"]);
  });

  it("TERMINATE of a tree is marked once, and the tree goes on holding until its origin ends", () => {
    const hub = new HubWorld();
    hub.place({ tree: 3n, expires: "10:00:10", expiry: TERMINATE });
    expect(expired(hub.at("10:00:10").state, hub.now)).toHaveLength(1);
    hub.due();
    expect(hub.names).toEqual(["w"]);
    expect(expired(hub.state, hub.now)).toEqual([]);
    expect(nextHubDue(hub.state, hub.now)).toBeUndefined();
    expect(hub.due()).toEqual({ kind: "nothing" });
  });

  it("TERMINATE of a tree that nobody was asked to end is not marked", () => {
    const hub = new HubWorld();
    hub.place({ tree: 3n, expires: "10:00:10", expiry: TERMINATE });
    expect(hub.at("10:00:10").due([])).toEqual({ kind: "nothing" });
    expect(nextHubDue(hub.state, hub.now)).toEqual(parseTime("10:00:10"));
  });

  it("is set anew by replacing, also when it was carried out", () => {
    const hub = new HubWorld();
    hub.place({ tree: 3n, expires: "10:00:10", expiry: TERMINATE });
    hub.at("10:00:10").due();
    hub.place({ tree: 3n, expires: "10:00:30", expiry: TERMINATE, replace: true });
    expect(nextHubDue(hub.state, hub.now)).toEqual(parseTime("10:00:30"));
    expect(expired(hub.state, parseTime("10:00:30"))).toHaveLength(1);
  });

  it("before the start releases a window that never held", () => {
    const hub = new HubWorld();
    hub.place({ startsAt: "11:00:00", expires: "10:30:00", expiry: RESUME, freeze: true });
    hub.at("10:30:00").due();
    expect(hub.names).toEqual([]);
    expect(hub.state.freezes).toEqual([]);
  });

  it("and starts are what is due next, the earliest of them", () => {
    const hub = new HubWorld();
    hub.place({ name: "a", startsAt: "10:00:20" });
    hub.place({ name: "b", startsAt: "10:00:10", expires: "10:00:30", expiry: RESUME });
    expect(nextHubDue(hub.state, hub.now)).toEqual(parseTime("10:00:10"));
    expect(nextHubDue(hub.state, parseTime("10:00:10"))).toEqual(parseTime("10:00:20"));
    expect(nextHubDue(hub.state, parseTime("10:00:20"))).toEqual(parseTime("10:00:30"));
  });
});

describe("frozen time", () => {
  /** Spans in which timers of the subject stood still, in words. */
  function spans(hub: HubWorld, subject: Partial<Coverable> = {}): string[] {
    return hubFreezesOf(hub.state, subjectOf(subject), hub.now).map(
      ({ from, to }) => `${formatTime(from)}..${formatTime(to)}`,
    );
  }

  it("is from placing to release, and is open until then", () => {
    const hub = new HubWorld();
    hub.at("10:00:05").place({ freeze: true });
    expect(spans(hub.at("10:00:07"))).toEqual(["10:00:05..10:00:07"]);
    hub.at("10:00:10").release(["w"]);
    expect(spans(hub.at("10:00:20"))).toEqual(["10:00:05..10:00:10"]);
  });

  it("is not of holds with KEEP", () => {
    const hub = new HubWorld();
    hub.place();
    hub.at("10:00:10").release(["w"]);
    expect(spans(hub)).toEqual([]);
    expect(hub.state.freezes).toEqual([]);
  });

  it("begins with the start of a window, and not at all when that never comes", () => {
    const hub = new HubWorld();
    hub.place({ name: "a", freeze: true, startsAt: "10:00:10" });
    expect(spans(hub.at("10:00:09"))).toEqual([]);
    expect(spans(hub.at("10:00:15"))).toEqual(["10:00:10..10:00:15"]);
    hub.release(["a"]);
    hub.place({ name: "b", freeze: true, startsAt: "11:00:00" });
    hub.at("10:30:00").release(["b"]);
    expect(spans(hub.at("12:00:00"))).toEqual(["10:00:10..10:00:15"]);
  });

  it("begins with the placing of a window whose start was before that", () => {
    const hub = new HubWorld();
    hub.at("10:00:20").place({ freeze: true, startsAt: "10:00:10" });
    expect(spans(hub.at("10:00:25"))).toEqual(["10:00:20..10:00:25"]);
  });

  it("ends with the beginning of a paced release", () => {
    const hub = new HubWorld();
    hub.place({ freeze: true });
    hub.at("10:00:10").release(["w"], { instancesPerSecond: 1 });
    expect(freezesNow(hub.find("w"), hub.now)).toBe(false);
    expect(spans(hub.at("10:00:20"))).toEqual(["10:00:00..10:00:10"]);
    hub.at("10:00:30").release(["w"]);
    expect(spans(hub.at("10:00:40"))).toEqual(["10:00:00..10:00:10"]);
  });

  it("begins again when a hold in paced release is placed anew", () => {
    const hub = new HubWorld();
    hub.place({ freeze: true });
    hub.at("10:00:10").release(["w"], { instancesPerSecond: 1 });
    hub.at("10:00:20").place({ freeze: true });
    expect(spans(hub.at("10:00:30"))).toEqual(["10:00:00..10:00:10", "10:00:20..10:00:30"]);
  });

  it("ends with the expiry, late when that is late", () => {
    const hub = new HubWorld();
    hub.place({ freeze: true, expires: "10:00:10", expiry: ExpiryAction.RESUME });
    hub.at("10:00:12").due();
    expect(spans(hub.at("10:00:20"))).toEqual(["10:00:00..10:00:12"]);
  });

  it("is of what the hold covered then, also when it was replaced", () => {
    const hub = new HubWorld();
    hub.place({ freeze: true, selector: { names: ["Order"] } });
    hub.at("10:00:10").place({ freeze: true, selector: { names: ["Mail"] }, replace: true });
    hub.at("10:00:20").place({ selector: { names: ["Mail"] }, replace: true });
    hub.at("10:00:30");
    expect(spans(hub, { name: "Order" })).toEqual(["10:00:00..10:00:10"]);
    expect(spans(hub, { name: "Mail" })).toEqual(["10:00:10..10:00:20"]);
    expect(spans(hub, { name: "Other" })).toEqual([]);
  });

  it("of a tree is of the life of its origin and of descendants", () => {
    const hub = new HubWorld();
    hub.place({ tree: 3n, freeze: true });
    hub.at("10:00:10").release(["w"]);
    expect(spans(hub, { number: 3n })).toHaveLength(1);
    expect(spans(hub, { number: 9n, ancestors: [8n, 3n] })).toHaveLength(1);
    expect(spans(hub, { number: 4n })).toEqual([]);
  });

  it("of entities is only of holds that include them", () => {
    const hub = new HubWorld();
    hub.place({ name: "a", freeze: true, selector: { names: ["Order"] } });
    hub.place({ name: "b", freeze: true, selector: { names: ["Order"] }, includeEntities: true });
    hub.at("10:00:10").release(["a", "b"]);
    expect(spans(hub)).toHaveLength(2);
    expect(spans(hub, { kind: Kind.ENTITY })).toHaveLength(1);
  });

  it("is kept for the last 1,000 spans, and the oldest goes", () => {
    const hub = new HubWorld();
    for (let i = 0; i <= LIMITS.freezeSpansMax; i += 1) {
      hub.now = { ...parseTime("10:00:00"), seconds: parseTime("10:00:00").seconds + BigInt(i) };
      hub.place({ freeze: true });
      hub.release(["w"]);
    }
    expect(hub.state.freezes).toHaveLength(LIMITS.freezeSpansMax);
    expect(hub.state.freezes[0]?.from).toEqual(parseTime("10:00:01"));
    expect(hubJson(hub.replayed())).toEqual(hubJson(hub.state));
  });

  it("is bounded too when one entry ends many", () => {
    const hub = new HubWorld();
    const names = Array.from({ length: LIMITS.hubHoldsMax }, (_, i) => `${i}`);
    for (const name of names) hub.place({ name, freeze: true });
    hub.at("10:00:10").release(names);
    hub.place({ freeze: true });
    hub.at("10:00:20").release(["w"]);
    expect(hub.state.freezes).toHaveLength(LIMITS.freezeSpansMax);
    expect(hub.state.freezes.at(-1)?.to).toEqual(parseTime("10:00:20"));
  });
});

describe("the log of a hub", () => {
  /** Everything that entries of holds can say. */
  function busy(): HubWorld {
    const hub = new HubWorld();
    hub.place({ name: "a", freeze: true, selector: { names: ["Order"], tags: { a: "1" } } });
    hub.place({ name: "t", tree: 3n, expires: "10:00:05", expiry: ExpiryAction.TERMINATE });
    hub.at("10:00:05").due();
    hub.place({ name: "b", startsAt: "11:00:00", includeEntities: true, reason: "" });
    hub.place({ name: "a", freeze: true, replace: true });
    hub.at("10:00:10").release(["b"], { instancesPerSecond: 2.5, canaries: 3 });
    hub.place({ name: "c", freeze: true });
    hub.at("10:00:20").release(["c"]);
    return hub;
  }

  it("tells the live state when it is read again", () => {
    const hub = busy();
    expect(hubJson(hub.replayed())).toEqual(hubJson(hub.state));
    expect(hub.names).toEqual(["a", "t", "b"]);
  });

  it("tells it from a base of a new generation as well, and goes on behind it", () => {
    const hub = busy();
    hub.placeWithBase({ name: "d", freeze: true });
    expect(hub.log).toHaveLength(1);
    expect(hub.state.generation).toBe(2);
    expect(hubJson(hub.replayed())).toEqual(hubJson(hub.state));
    hub.at("10:00:30").release(["a", "d"]);
    hub.place({ name: "t", tree: 3n, replace: true });
    expect(hubJson(hub.replayed())).toEqual(hubJson(hub.state));
    expect(hub.names).toEqual(["t", "b"]);
    expect(hub.state.freezes.map(({ to }) => to && formatTime(to))).toEqual([
      "10:00:05",
      "10:00:20",
      "10:00:30",
      "10:00:30",
    ]);
  });

  it("remembers the last 256 requests", () => {
    const hub = new HubWorld();
    for (let i = 0; i <= LIMITS.rememberedRequestsMax; i += 1) {
      const rememberedRequest = { requestId: `${i}`, result: new Uint8Array() };
      const entry = create(HubEntrySchema, { header: { time: hub.now }, rememberedRequest });
      evolveHub(hub.state, 1n, hub.state.sequence + 1, entry);
    }
    const ids = hub.state.rememberedRequests.map(({ requestId }) => requestId);
    expect(ids).toHaveLength(LIMITS.rememberedRequestsMax);
    expect([ids[0], ids.at(-1)]).toEqual(["1", "256"]);
  });

  it("stores the policy and the scope of what was placed", () => {
    const hub = new HubWorld();
    hub.place({ freeze: true });
    hub.place({ name: "t", tree: 3n });
    const shown = hub.replayed().holds.map(({ hold }) => [hold?.scope, hold?.timerPolicy]);
    expect(shown).toEqual([
      [3, TimerPolicy.FREEZE],
      [2, TimerPolicy.KEEP],
    ]);
  });
});

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
