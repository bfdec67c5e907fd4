/** Spans of frozen time are kept as long as they could move a timer. */
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { wholeHub } from "../../sidecar/scheduler/boot-hold.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { createTimer } from "../support/worker-actions.ts";

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
    const worker = hub.worker({ turns: 2 });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(5_000))]);
    await hub.pass(4_999);
    expect(await hub.hub.read("a", ({ timers }) => timers.size)).toBe(1);
    const before = await sequenceOf(hub, "a");
    await hub.pass(1);
    expect(await hub.hub.read("a", ({ timers }) => timers.size)).toBe(0);
    expect(await sequenceOf(hub, "a")).toBe(before + 1);
  });

  it("leaves a timer that stood still the time that it had", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(70 * MINUTE))]);
    await hub.pass(2 * MINUTE);
    await freezeFor(hub, 60 * MINUTE);
    // It had 68 minutes to go when the window began, and has them again when it ends.
    hub.clock.advance(-30 * MINUTE);
    await hub.start("something is decided");
    await hub.pass(68 * MINUTE - 1);
    expect(await hub.hub.read("a", ({ timers }) => timers.size)).toBe(1);
    await hub.pass(1);
    expect(await hub.hub.read("a", ({ timers }) => timers.size)).toBe(0);
  });

  it("forgets a span that now lies wholly ahead, and keeps those behind", async () => {
    await using hub = await openHub();
    await hub.start("keeps the spans");
    await hub.pass(MINUTE);
    await freezeFor(hub, MINUTE);
    await hub.pass(60 * MINUTE);
    await freezeFor(hub, MINUTE);
    expect(hub.hub.state?.freezes).toHaveLength(2);
    hub.clock.advance(-30 * MINUTE);
    await hub.start("something is decided");
    expect(hub.hub.state?.freezes).toHaveLength(1);
    await hub.crash();
    expect(hub.hub.state?.freezes).toHaveLength(1);
  });
});

async function sequenceOf(hub: TestHub, id: string): Promise<number> {
  return (await hub.hub.read(id, ({ sequence }) => sequence)) ?? 0;
}
