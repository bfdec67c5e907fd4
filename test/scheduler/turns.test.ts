/** Turns: one at a time, with a bounded prefix of what has arrived. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents, pastEvents, type Turn } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

function clockOf({ request }: Turn): number {
  const time = request.newEvents[0]?.timestamp;
  if (time === undefined) throw new Error("a turn begins with OrchestratorStarted");
  return timestampMs(time);
}

describe("turns of one instance", () => {
  it("come one at a time, however many workers there are", async () => {
    await using hub = await openHub();
    const workers = [hub.worker(), hub.worker()];
    await hub.start("a");
    await hub.raise("a", "E");
    await hub.settled();
    await hub.raise("a", "F");
    await hub.settled();
    expect(workers.flatMap(({ items }) => items)).toHaveLength(1);
  });

  it("leave what arrives meanwhile to the next one", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn();
    await hub.raise("a", "E");
    await hub.raise("a", "F");
    await worker.complete(first);
    const second = await worker.turn();
    expect(newEvents(second)).toEqual(["orchestratorStarted", "eventRaised E", "eventRaised F"]);
    expect(pastEvents(second)).toEqual(["orchestratorStarted", "executionStarted"]);
  });

  it("are handed out only when there is something new", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn());
    expect(await worker.waiting()).toEqual([]);
  });

  it("have a clock that grows though the hub's clock stands still or goes back", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn();
    await hub.raise("a", "E");
    await worker.complete(first);
    const second = await worker.turn();
    hub.clock.advance(-3_600_000);
    await hub.raise("a", "F");
    await worker.complete(second);
    const third = await worker.turn();
    expect(clockOf(second)).toBe(clockOf(first) + 1);
    expect(clockOf(third)).toBe(clockOf(second) + 1);
  });

  it("carry the trace context that the one before returned", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const first = await worker.turn();
    await hub.raise("a", "E");
    const orchestrationTraceContext = { spanID: "span" };
    await worker.complete(first, [], { orchestrationTraceContext });
    expect((await worker.turn()).request.orchestrationTraceContext?.spanID).toBe("span");
  });
});

async function startWithEvents(hub: TestHub, count: number, input?: string): Promise<void> {
  await hub.start("a");
  await Promise.all(Array.from({ length: count }, (_, at) => hub.raise("a", `E${at}`, input)));
}

describe("a turn takes a bounded part of the inbox:", () => {
  it(`${LIMITS.turnEventsMax} events, and the rest comes in the turn behind it`, async () => {
    await using hub = await openHub();
    await startWithEvents(hub, LIMITS.turnEventsMax + 10);
    const worker = hub.worker();
    const first = await worker.turn();
    expect(first.request.newEvents).toHaveLength(1 + LIMITS.turnEventsMax);
    await worker.complete(first);
    const second = await worker.turn();
    expect(second.request.newEvents).toHaveLength(1 + 11);
    expect(newEvents(second).at(-1)).toBe(`eventRaised E${LIMITS.turnEventsMax + 9}`);
    await worker.complete(second);
    expect(await worker.waiting()).toEqual([]);
  });

  it("about 1 MiB, and the rest comes in the turn behind it", async () => {
    await using hub = await openHub();
    await startWithEvents(hub, 5, "x".repeat(400_000));
    const worker = hub.worker();
    const first = await worker.turn();
    expect(newEvents(first).slice(2)).toEqual(["eventRaised E0", "eventRaised E1"]);
    await worker.complete(first);
    const second = await worker.turn();
    expect(newEvents(second).slice(1)).toEqual(["eventRaised E2", "eventRaised E3"]);
    await worker.complete(second);
    expect(newEvents(await worker.turn()).slice(1)).toEqual(["eventRaised E4"]);
  });

  it("an event that is larger than that comes alone", async () => {
    await using hub = await openHub();
    await startWithEvents(hub, 2, "x".repeat(LIMITS.turnEventBytesMax + 1));
    const worker = hub.worker();
    await worker.complete(await worker.turn());
    const second = await worker.turn();
    expect(newEvents(second)).toEqual(["orchestratorStarted", "eventRaised E0"]);
    await worker.complete(second);
    expect(newEvents(await worker.turn())).toEqual(["orchestratorStarted", "eventRaised E1"]);
  });
});

describe("what a turn did", () => {
  it("is in the history in the order of the protocol", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    await worker.finish(await worker.activity(), "result");
    await worker.complete(await worker.turn(), [completed()]);
    const kinds = (await hub.history("a")).map(({ eventType }) => eventType.case);
    expect(kinds).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "taskScheduled",
      "orchestratorStarted",
      "taskCompleted",
      "executionCompleted",
    ]);
  });

  it("is shown to the worker of the next turn and not what came since", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    await worker.finish(await worker.activity(), "result");
    const turn = await worker.turn();
    await hub.raise("a", "E");
    expect((await hub.history("a", true)).map(({ eventType }) => eventType.case)).toEqual(
      pastEvents(turn),
    );
  });
});
