import { describe, expect, it } from "vitest";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, createTimer, scheduleTask } from "../../support/worker-actions.ts";

/** Starts `a`, and brings its activities 1 and 2 to a worker. */
async function withActivities(world: CompatWorld) {
  await world.start("a");
  const worker = await world.worker();
  await worker.complete(await worker.turn(), [scheduleTask(1), scheduleTask(2)]);
  return { worker, first: await worker.activity(), second: await worker.activity() };
}

describe.each(transports)("CompleteActivityTask over $name", ({ serve }) => {
  it("brings a result to the orchestration, and is durable when it is answered", async () => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    await worker.finish(first, { result: '"paid"' });
    expect(world.hub.store.durablePosition).toBe(3);
    const { newEvents } = (await worker.turn()).request;
    expect(newEvents[1]).toMatchObject({
      eventId: -1,
      eventType: { case: "taskCompleted", value: { taskScheduledId: 1, result: '"paid"' } },
    });
  });

  it.each([
    ["absent", {}, undefined],
    ["empty", { result: "" }, ""],
    ["no JSON", { result: "no json" }, "no json"],
  ])("carries a result that is %s as it is", async (_what, more, expected) => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    await worker.finish(first, more);
    const event = (await worker.turn()).request.newEvents[1]?.eventType;
    expect(event?.case === "taskCompleted" && event.value.result).toBe(expected);
  });

  it("with failure details is a failure, whatever the result", async () => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    const innerFailure = { errorType: "Inner", errorMessage: "deep" };
    const failureDetails = { errorType: "", errorMessage: "", isNonRetriable: true, innerFailure };
    await worker.finish(first, { result: '"ignored"', failureDetails });
    expect((await worker.turn()).request.newEvents[1]).toMatchObject({
      eventId: -1,
      eventType: { case: "taskFailed", value: { taskScheduledId: 1, failureDetails } },
    });
  });

  it("without a token finds the activity by its ids", async () => {
    await using world = await openCompat(serve);
    const { worker, second } = await withActivities(world);
    await worker.finish(second, { completionToken: "", result: "2" });
    const event = (await worker.turn()).request.newEvents[1];
    expect(event?.eventType.value).toMatchObject({ taskScheduledId: 2, result: "2" });
  });

  it("counts once: the second one is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    await worker.finish(first, { result: "1" });
    const before = await world.facts("a");
    await worker.finish(first, { result: "2" });
    expect(await world.facts("a")).toEqual(before);
  });

  it.each([
    ["an unknown token", { completionToken: "no-such-token" }],
    ["a token of 1 MiB", { completionToken: "x".repeat(1024 * 1024) }],
    ["a token that is no text for people", { completionToken: "\u0000\r\n__proto__" }],
    ["no token and an unknown instance", { completionToken: "", instanceId: "nobody" }],
    ["no token and an unknown task", { completionToken: "", taskId: -7 }],
    ["no token and no instance", { completionToken: "", instanceId: "" }],
  ])("with %s is OK without effect", async (_what, more) => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    const before = await world.facts("a");
    await worker.finish(first, more);
    expect(await world.facts("a")).toEqual(before);
    await worker.finish(first, { result: "1" });
    expect((await worker.turn()).request.newEvents).toHaveLength(2);
  });

  it("with the token of a turn is OK without effect", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const { token: completionToken } = await worker.turn();
    const before = await world.facts("a");
    await world.client.completeActivityTask({ instanceId: "a", taskId: 1, completionToken });
    expect(await world.facts("a")).toEqual(before);
  });
});

describe.each(transports)("CompleteOrchestratorTask over $name", ({ serve }) => {
  it("is durable when it is answered", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed('"done"')], { customStatus: '"s"' });
    await world.hub.crash();
    expect(await world.hub.status("a")).toBe("COMPLETED");
  });

  it("without a token finds the turn by its instance", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed()], { completionToken: "" });
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("counts once: the second one is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await worker.complete(turn, [scheduleTask(1)]);
    const before = await world.facts("a");
    await worker.complete(turn, [completed()]);
    await worker.complete(turn, [completed()], { completionToken: "" });
    expect(await world.facts("a")).toEqual(before);
  });

  it.each([
    ["an unknown token", { completionToken: "no-such-token" }],
    ["a token of 1 MiB", { completionToken: "x".repeat(1024 * 1024) }],
    ["no token and an unknown instance", { completionToken: "", instanceId: "nobody" }],
    ["no token and no instance", { completionToken: "", instanceId: "" }],
  ])("with %s is OK without effect", async (_what, more) => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    const before = await world.facts("a");
    await worker.complete(turn, [completed()], more);
    expect(await world.facts("a")).toEqual(before);
    await worker.complete(turn, [completed()]);
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("in chunks is committed with the last one, in order, whatever was repeated", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    const part = { isPartial: true };
    await worker.complete(turn, [scheduleTask(1)], { ...part, chunkIndex: 0 });
    await worker.complete(turn, [scheduleTask(2)], { ...part, chunkIndex: 1 });
    await worker.complete(turn, [scheduleTask(2)], { ...part, chunkIndex: 1 });
    expect(await world.status("a")).toBe("PENDING");
    await worker.complete(turn, [scheduleTask(3)], { chunkIndex: 2 });
    const scheduled = (await world.history("a")).slice(2).map(({ eventId }) => eventId);
    expect(scheduled).toEqual([1, 2, 3]);
  });

  it("fires a timer of the past at once, and never one of the year 9999", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const past = { ...world.hub.clock.in(-60_000), nanos: 123_456_789 };
    const far = { ...world.hub.clock.now(), seconds: 253_402_300_799n, nanos: 999_999_999 };
    await worker.complete(await worker.turn(), [createTimer(1, past), createTimer(2, far)]);
    const turn = await worker.turn();
    expect(turn.request.newEvents[1]?.eventType).toMatchObject({
      case: "timerFired",
      value: { timerId: 1, fireAt: past },
    });
    await worker.complete(turn);
    await world.hub.pass(1_000 * 365 * 24 * 3_600_000);
    await world.start("b");
    expect((await worker.turn()).request.instanceId).toBe("b");
    const created = (await world.history("a")).find(({ eventId }) => eventId === 2);
    expect(created?.eventType.value).toMatchObject({ fireAt: far });
  });

  it("is taken while the hub drains, as an abandon is", async () => {
    await using world = await openCompat(serve);
    for (const id of ["a", "b"]) await world.start(id);
    const worker = await world.worker();
    const first = await worker.turn();
    const second = await worker.turn();
    const { hub } = world.hub;
    await world.hub.hubs.drain(AbortSignal.abort());
    await worker.complete(first, [completed()]);
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken: second.token });
    expect(await hub.read(first.request.instanceId, ({ completed }) => completed)).toBeDefined();
  });
});

describe.each(transports)("abandoning over $name", ({ serve }) => {
  const AFTER_BACK_OFF_MS = 30_000;

  it("brings a turn back, later, with a new token; the old one is stale", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const { token: completionToken, request } = await worker.turn();
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken });
    await worker.complete({ token: completionToken, request }, [completed()]);
    await world.hub.pass(AFTER_BACK_OFF_MS);
    const again = await worker.turn();
    expect(again.token).not.toBe(completionToken);
    expect(again.request.newEvents[1]).toEqual(request.newEvents[1]);
    await worker.complete(again, [completed()]);
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("brings an activity back, later, with a new token; the old one is stale", async () => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    await world.client.abandonTaskActivityWorkItem({ completionToken: first.token });
    await worker.finish(first, { result: "late" });
    await world.hub.pass(AFTER_BACK_OFF_MS);
    const again = await worker.activity();
    expect(again.token).not.toBe(first.token);
    expect(again.request).toEqual(first.request);
    await worker.finish(again, { result: "1" });
    const event = (await worker.turn()).request.newEvents[1];
    expect(event?.eventType.value).toMatchObject({ taskScheduledId: 1, result: "1" });
  });

  it.each(["", "no-such-token", "\u0000", "__proto__"])(
    "with the token %j is OK without effect",
    async (completionToken) => {
      await using world = await openCompat(serve);
      await withActivities(world);
      const before = await world.facts("a");
      await world.client.abandonTaskActivityWorkItem({ completionToken });
      await world.client.abandonTaskOrchestratorWorkItem({ completionToken });
      expect(await world.facts("a")).toEqual(before);
    },
  );

  it("with a token of the other kind is OK without effect", async () => {
    await using world = await openCompat(serve);
    const { worker, first } = await withActivities(world);
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken: first.token });
    await worker.finish(first, { result: "1" });
    expect((await worker.turn()).request.newEvents).toHaveLength(2);
  });
});
