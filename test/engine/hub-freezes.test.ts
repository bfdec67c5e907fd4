import { describe, expect, it } from "vitest";
import type { Coverable } from "../../sidecar/engine/hub/covers.ts";
import { freezesNow, hubFreezesOf } from "../../sidecar/engine/hub/hub-freezes.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { ExpiryAction, Kind } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { HubWorld, hubJson, subjectOf } from "../support/hub-world.ts";
import { formatTime, parseTime } from "../support/scenario-arguments.ts";

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
