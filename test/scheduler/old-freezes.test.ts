/** Spans of frozen time are kept as long as they could move a timer. */
import { expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { wholeHub } from "../../sidecar/scheduler/boot-hold.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";

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
