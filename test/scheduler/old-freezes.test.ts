/** Spans of frozen time are kept as long as they could move a timer. */
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { wholeHub } from "../../sidecar/scheduler/boot-hold.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { createTimer } from "../support/worker-actions.ts";
import { hasFired, sleeping } from "./kit/sleeping.ts";

const freeze = {
  name: "night",
  reason: undefined,
  requestedBy: "",
  resumeCondition: undefined,
  expiresAt: undefined,
  expiryAction: ExpiryAction.UNSPECIFIED,
  timerPolicy: TimerPolicy.FREEZE,
};

async function freezeFor(hub: TestHub, ms: number): Promise<void> {
  await hub.hub.suspensions.placeWindow(freeze, wholeHub, false, noReply);
  await hub.pass(ms);
  await hub.hub.suspensions.releaseWindows("all", undefined, "", noReply);
  await hub.settled();
}

it("a span stays while an instance lives that is older than its end", async () => {
  await using hub = await openHub();
  await hub.start("old");
  await hub.pass(10 * MINUTE);
  await freezeFor(hub, MINUTE);
  await hub.pass(10 * MINUTE);
  await freezeFor(hub, MINUTE);
  expect(hub.hub.state?.freezes).toHaveLength(2);
  await hub.crash();
  expect(hub.hub.state?.freezes).toHaveLength(2);
});

it("spans go with the next change of the hub when no such instance lives any more", async () => {
  await using hub = await openHub();
  await hub.start("old");
  await freezeFor(hub, MINUTE);
  await hub.terminate("old");
  await hub.pass(10 * MINUTE);
  await hub.start("young");
  await hub.pass(10 * MINUTE);
  await freezeFor(hub, MINUTE);
  // What ended a moment ago stays: instances that are not durable yet may be older.
  expect(hub.hub.state?.freezes).toHaveLength(1);
  await hub.crash();
  expect(hub.hub.state?.freezes).toHaveLength(1);
});

describe("a clock that is set back to before the end of a span", () => {
  it("moves no timer that is created afterwards, and writes once", async () => {
    await using hub = await openHub();
    await hub.start("keeps the span");
    await hub.pass(MINUTE);
    await freezeFor(hub, 60 * MINUTE);
    hub.clock.advance(-30 * MINUTE);
    await sleeping(hub, 5_000);
    const before = await sequenceOf(hub, "a");
    await hub.pass(4_999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
    expect(await sequenceOf(hub, "a")).toBe(before + 1);
  });

  it("moves a timer that stood still once, by all of the span", async () => {
    await using hub = await openHub();
    await sleeping(hub, 70 * MINUTE);
    const before = await sequenceOf(hub, "a");
    await freezeFor(hub, 60 * MINUTE);
    hub.clock.advance(-30 * MINUTE);
    await hub.pass(100 * MINUTE - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
    expect(await sequenceOf(hub, "a")).toBe(before + 2);
  });

  it("keeps the time that a timer stood still when it is set right again", async () => {
    await using hub = await openHub();
    await sleeping(hub, 130 * MINUTE);
    await freezeFor(hub, 60 * MINUTE);
    await hub.pass(MINUTE);
    hub.clock.advance(-120 * MINUTE);
    await hub.start("something is decided");
    hub.clock.advance(120 * MINUTE);
    await hub.pass(129 * MINUTE - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("moves no timer again and again, whatever order the spans end in", async () => {
    await using hub = await openHub();
    await hub.start("keeps the spans");
    await hub.pass(MINUTE);
    await freezeFor(hub, 60 * MINUTE);
    hub.clock.advance(-30 * MINUTE);
    await freezeFor(hub, MINUTE);
    await sleeping(hub, 5_000);
    const before = await sequenceOf(hub, "a");
    await hub.pass(5_000);
    expect(await hasFired(hub)).toBe(true);
    expect(await sequenceOf(hub, "a")).toBe(before + 1);
  });

  it("forgets no span while an instance lives that seems to be younger than now", async () => {
    await using hub = await openHub();
    hub.clock.advance(24 * 60 * MINUTE);
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    hub.clock.advance(-24 * 60 * MINUTE);
    await worker.complete(turn, [createTimer(1, hub.clock.in(60 * MINUTE))]);
    await hub.pass(MINUTE);
    await freezeFor(hub, 10 * MINUTE);
    await hub.pass(10 * MINUTE);
    await freezeFor(hub, 1);
    await hub.pass(49 * MINUTE - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });
});

async function sequenceOf(hub: TestHub, id: string): Promise<number> {
  return (await hub.hub.read(id, ({ sequence }) => sequence)) ?? 0;
}
