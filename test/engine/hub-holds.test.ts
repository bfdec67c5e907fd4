/** Trees and windows: how they are placed, how they expire, and what the log of their hub tells. */
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { evolveHub, keyOf } from "../../sidecar/engine/hub/evolve-hub.ts";
import { expired, nextHubDue } from "../../sidecar/engine/hub/hub-holds.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { HubEntrySchema } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { entryOf, HubWorld, hubJson } from "../support/hub-world.ts";
import { formatTime, parseTime } from "../support/scenario-arguments.ts";

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
