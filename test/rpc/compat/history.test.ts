import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { failureOf, inHub, openCompat, readAll } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  scheduleTask,
  startChild,
} from "../../support/worker-actions.ts";

describe.each(transports)("StreamInstanceHistory over $name", ({ serve }) => {
  it("of an activity, a timer and a child is the twelve events of the protocol", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    await worker.finish(await worker.activity(), { result: "1" });
    await worker.complete(await worker.turn(), [createTimer(2, world.hub.clock.in(1_000))]);
    await world.hub.pass(1_000);
    await worker.complete(await worker.turn(), [startChild(3, "c")]);
    await worker.completeNext('"child"');
    await worker.completeNext('"done"');
    const events = await world.history("a");
    expect(events.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "timerCreated",
      "orchestratorStarted",
      "timerFired",
      "subOrchestrationInstanceCreated",
      "orchestratorStarted",
      "subOrchestrationInstanceCompleted",
      "executionCompleted",
    ]);
    const ids = events.map(({ eventId }) => eventId);
    expect(ids.slice(0, 11)).toEqual([-1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1]);
    for (const { timestamp } of events) expect(timestamp).toBeDefined();
  });

  it("of an instance that has not run is empty", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    expect(await readAll(world.client.streamInstanceHistory({ instanceId: "a" }))).toEqual([]);
  });

  it("of an unknown instance is NOT_FOUND before any chunk", async () => {
    await using world = await openCompat(serve);
    const stream = world.client.streamInstanceHistory({ instanceId: "nobody" });
    const failure = await failureOf(stream[Symbol.asyncIterator]().next());
    expect(failure).toMatchObject({ code: "NotFound", message: expect.stringMatching(/"nobody"/) });
    expect(world.hub.store.durablePosition).toBe(0);
  });

  it("of an instance in another hub is NOT_FOUND", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const failure = await failureOf(world.history("a", {}, inHub("other")));
    expect(failure).toMatchObject({ code: "NotFound" });
  });

  it("takes the current execution id, and no other", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const first = await worker.turn();
    await worker.complete(first, [continueAsNew("2")]);
    const second = await worker.turn();
    await worker.complete(second);
    const { executionId } = second.request;
    expect(await world.kinds("a", { executionId })).toEqual([
      "orchestratorStarted",
      "executionStarted",
    ]);
    for (const other of [first.request.executionId, "nonsense"]) {
      const failure = await failureOf(world.history("a", { executionId: other }));
      expect(failure).toMatchObject({ code: "NotFound" });
    }
  });

  it("for a work item is exactly what the turn in flight had behind it", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [scheduleTask(1), scheduleTask(2)]);
    await world.client.suspendInstance({ instanceId: "a" });
    await world.client.resumeInstance({ instanceId: "a" });
    await worker.finish(await worker.activity(), { result: "1" });
    const turn = await worker.turn();
    // What comes during the turn is not of it.
    await worker.finish(await worker.activity(), { result: "2" });
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    await world.client.suspendInstance({ instanceId: "a" });
    expect(await world.history("a", { forWorkItemProcessing: true })).toEqual(
      turn.request.pastEvents,
    );
    expect(turn.request.pastEvents.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "taskScheduled",
    ]);
  });

  it("of a first turn in flight is empty for a work item", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).turn();
    expect(await world.history("a", { forWorkItemProcessing: true })).toEqual([]);
  });

  it("above the size of a chunk comes in several, in order and whole", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const inputs = Array.from({ length: 40 }, (_, at) => `${at}:${"x".repeat(32 * 1024)}`);
    await worker.complete(
      await worker.turn(),
      inputs.map((input, at) => scheduleTask(at, "Work", { input })),
    );
    const chunks = await readAll(world.client.streamInstanceHistory({ instanceId: "a" }));
    expect(chunks.length).toBeGreaterThanOrEqual(Math.ceil((40 * 32 * 1024) / 262_144));
    const scheduled = chunks.flatMap(({ events }) =>
      events.flatMap(({ eventType }) =>
        eventType.case === "taskScheduled" ? [eventType.value.input] : [],
      ),
    );
    expect(scheduled).toEqual(inputs);
  });

  it("carries an event that is larger than a chunk", async () => {
    await using world = await openCompat(serve);
    const input = "x".repeat(LIMITS.payloadBytesMax);
    await world.start("a", "Main", input);
    const worker = await world.worker();
    await worker.completeNext();
    const started = (await world.history("a"))[1]?.eventType;
    expect(started?.case === "executionStarted" && started.value.input === input).toBe(true);
  });

  it("ends with what was there when the instance is replaced meanwhile", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const input = "x".repeat(LIMITS.historyChunkBytes);
    const tasks = Array.from({ length: 8 }, (_, at) => scheduleTask(at, "Work", { input }));
    await worker.complete(await worker.turn(), [...tasks, completed()]);
    const stream = world.client.streamInstanceHistory({ instanceId: "a" });
    const iterator = stream[Symbol.asyncIterator]();
    const events = (await iterator.next()).value?.events ?? [];
    await world.start("a");
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      events.push(...next.value.events);
    }
    expect(events.map(({ eventType }: { eventType: { case?: string } }) => eventType.case)).toEqual(
      [
        "orchestratorStarted",
        "executionStarted",
        ...tasks.map(() => "taskScheduled"),
        "executionCompleted",
      ],
    );
  });
});
