/** Holds that last: reported once when they cross an age, and ended at the longest one allowed. */
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import type { Log, LogFields } from "../../sidecar/foundation/log.ts";
import { wholeHub } from "../../sidecar/scheduler/boot-hold.ts";
import type { HoldAgeLimits } from "../../sidecar/scheduler/hold-ages.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { addMilliseconds } from "../../sidecar/wire/timestamp.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";

const HOUR = 60 * MINUTE;

/** What was logged, as `level age hold instance`. */
class Reports {
  readonly lines: string[] = [];
  readonly log: Log = {
    debug() {},
    info() {},
    warn: (event, fields) => this.#add("warn", event, fields),
    error: (event, fields) => this.#add("error", event, fields),
  };

  #add(level: string, event: string, fields: LogFields = {}): void {
    if (event !== "suspension.lasting") return;
    this.lines.push(`${level} ${fields.age} ${fields.hold} ${fields.instanceId}`);
  }
}

const off: HoldAgeLimits = {
  warnMs: undefined,
  criticalMs: undefined,
  maxMs: undefined,
  maxAction: "keep",
};

function hubWith(limits: Partial<HoldAgeLimits>, reports: Reports): Promise<TestHub> {
  const holdAgeLimits = { ...off, ...limits };
  return openHub({ started: { holdAgeLimits, log: reports.log } });
}

function wish(name: string) {
  return {
    name,
    reason: undefined,
    requestedBy: "",
    resumeCondition: undefined,
    expiresAt: undefined,
    expiryAction: ExpiryAction.UNSPECIFIED,
    timerPolicy: TimerPolicy.KEEP,
  };
}

async function suspend(hub: TestHub, instanceId: string, name: string): Promise<void> {
  const options = { replace: false, ignoreFinished: false };
  await hub.hub.suspensions.place(instanceId, wish(name), options, noReply);
}

describe("a hold that lasts", () => {
  it("is reported once at each age, whatever its scope", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ warnMs: HOUR, criticalMs: 24 * HOUR }, reports);
    await hub.start("a");
    await suspend(hub, "a", "one");
    await hub.pass(30 * MINUTE);
    await hub.hub.suspensions.placeTree("a", wish("family"), false, noReply);
    await hub.hub.suspensions.placeWindow(wish("window"), wholeHub, false, noReply);
    await hub.pass(29 * MINUTE);
    expect(reports.lines).toEqual([]);
    await hub.pass(1 * MINUTE);
    expect(reports.lines).toEqual(["warn warn one a"]);
    await hub.pass(30 * MINUTE);
    expect(reports.lines.slice(1).sort()).toEqual(["warn warn family a", "warn warn window "]);
    await hub.pass(23 * HOUR);
    expect(reports.lines.slice(3).sort()).toEqual([
      "error critical family a",
      "error critical one a",
      "error critical window ",
    ]);
    await hub.pass(100 * HOUR);
    expect(reports.lines).toHaveLength(6);
  });

  it("is reported after a restart, and not again when it was before", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ warnMs: HOUR }, reports);
    await hub.start("a");
    await hub.start("b");
    await suspend(hub, "a", "early");
    await hub.pass(30 * MINUTE);
    await suspend(hub, "b", "late");
    await hub.pass(30 * MINUTE);
    expect(reports.lines).toEqual(["warn warn early a"]);
    await hub.crash();
    expect(reports.lines).toEqual(["warn warn early a"]);
    await hub.kill();
    hub.clock.advance(2 * HOUR);
    await hub.crash();
    expect(reports.lines).toEqual(["warn warn early a", "warn warn late b"]);
  });

  it("is not reported when it was released before", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ warnMs: HOUR }, reports);
    await hub.start("a");
    await hub.suspend("a");
    await hub.pass(59 * MINUTE);
    await hub.resume("a");
    await hub.pass(10 * HOUR);
    expect(reports.lines).toEqual([]);
    await hub.suspend("a");
    await hub.pass(HOUR);
    expect(reports.lines).toEqual(["warn warn  a"]);
  });

  it("is reported for each of more holds than are read at once, placed at one time", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ warnMs: HOUR }, reports);
    const ids = Array.from({ length: 450 }, (_, index) => `i${index}`);
    await Promise.all(ids.map((id) => hub.start(id)));
    await Promise.all(ids.map((id) => hub.suspend(id)));
    await hub.pass(HOUR);
    expect(reports.lines.toSorted()).toEqual(ids.map((id) => `warn warn  ${id}`).toSorted());
  });
});

describe("a window that is placed before it begins", () => {
  it("lasts from its beginning on", async () => {
    const reports = new Reports();
    const limits = { warnMs: HOUR, maxMs: 2 * HOUR, maxAction: "resume" as const };
    await using hub = await hubWith(limits, reports);
    await hub.start("a");
    const startsAt = addMilliseconds(hub.clock.now(), 10 * HOUR);
    const target = { ...wholeHub, startsAt };
    await hub.hub.suspensions.placeWindow(wish("night"), target, false, noReply);
    await hub.pass(10 * HOUR + 59 * MINUTE);
    expect(reports.lines).toEqual([]);
    await hub.pass(1 * MINUTE);
    expect(reports.lines).toEqual(["warn warn night "]);
    expect(hub.hub.hubHolds).toHaveLength(1);
    await hub.pass(HOUR);
    expect(reports.lines).toEqual(["warn warn night ", "error max night "]);
    expect(hub.hub.hubHolds).toEqual([]);
  });
});

describe("the longest hold that a server allows", () => {
  it("ends by a resume of that hold alone", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ maxMs: HOUR, maxAction: "resume" }, reports);
    await hub.start("a");
    await suspend(hub, "a", "one");
    await hub.pass(30 * MINUTE);
    await suspend(hub, "a", "two");
    await hub.hub.suspensions.placeWindow(wish("window"), wholeHub, false, noReply);
    await hub.pass(30 * MINUTE);
    const names = await hub.hub.read("a", ({ holds }) => holds.map(({ name }) => name));
    expect(names).toEqual(["two"]);
    await hub.pass(30 * MINUTE);
    expect(await hub.status("a")).toBe("PENDING");
    expect(hub.hub.hubHolds).toEqual([]);
  });

  it("ends by a termination, of a tree with its descendants; a window is only released", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ maxMs: HOUR, maxAction: "terminate" }, reports);
    await hub.start("a");
    await hub.start("b");
    await suspend(hub, "a", "one");
    await hub.hub.suspensions.placeTree("b", wish("family"), false, noReply);
    await hub.hub.suspensions.placeWindow(wish("window"), wholeHub, false, noReply);
    await hub.pass(HOUR);
    expect(await hub.status("a")).toBe("TERMINATED");
    expect(await hub.status("b")).toBe("TERMINATED");
    expect(hub.hub.hubHolds).toEqual([]);
  });

  it("is only reported when that is what was asked for", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ maxMs: HOUR, maxAction: "keep" }, reports);
    await hub.start("a");
    await suspend(hub, "a", "one");
    await hub.pass(3 * HOUR);
    expect(reports.lines).toEqual(["error max one a"]);
    expect(await hub.status("a")).toBe("SUSPENDED");
  });

  it("also ends holds that were placed before it was set", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    await hub.pass(3 * HOUR);
    const limits = { ...off, maxMs: HOUR, maxAction: "resume" as const };
    await hub.crash({ started: { holdAgeLimits: limits } });
    expect(await hub.status("a")).toBe("PENDING");
  });
});

describe("a clock that is set back", () => {
  it("does not spare a hold that is placed then", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ maxMs: HOUR, maxAction: "resume" }, reports);
    for (const id of ["a", "b"]) await hub.start(id);
    await suspend(hub, "a", "one");
    await hub.pass(HOUR);
    hub.clock.advance(-2 * HOUR);
    await suspend(hub, "b", "two");
    await hub.crash();
    await hub.pass(HOUR - 1);
    expect(await hub.status("b")).toBe("SUSPENDED");
    await hub.pass(1);
    expect(await hub.status("b")).toBe("PENDING");
    expect(reports.lines).toEqual(["error max one a", "error max two b"]);
  });

  it("makes no hold wait for one that was placed while it was ahead", async () => {
    const reports = new Reports();
    await using hub = await hubWith({ warnMs: HOUR }, reports);
    for (const id of ["a", "b"]) await hub.start(id);
    hub.clock.advance(365 * 24 * HOUR);
    await suspend(hub, "a", "one");
    hub.clock.advance(-365 * 24 * HOUR);
    await suspend(hub, "b", "two");
    await hub.pass(HOUR);
    expect(reports.lines).toEqual(["warn warn two b"]);
  });
});
