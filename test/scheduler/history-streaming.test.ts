/** Turns whose history is long: fetched by workers that can, and never sent to those that cannot. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { Log } from "../../sidecar/foundation/log.ts";
import { growBy, limited, MIB, startLong, streaming, unlimited } from "../support/long-history.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents, type Turn } from "../support/worker.ts";
import { completed, scheduleTask, startChild } from "../support/worker-actions.ts";

const LONG = LIMITS.streamedHistoryBytes + 100_000;
const TOO_LONG = LIMITS.workItemBytesMax + 100_000;

/** A turn says whether its worker has to fetch the history. */
function isStreamed({ request }: Turn): boolean {
  expect(request.requiresHistoryStreaming).toBe(request.pastEvents.length === 0);
  return request.requiresHistoryStreaming;
}

async function failureOf(hub: TestHub, instanceId: string) {
  const ended = (await hub.history(instanceId)).at(-1)?.eventType;
  return ended?.case === "executionCompleted" ? ended.value.failureDetails : undefined;
}

describe("a worker that announced history streaming", () => {
  it("fetches a long history, exactly what another worker is sent", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const js = hub.worker(unlimited);
    const whole = await js.turn("a");
    await js.close();
    await hub.pass(60_000);
    const turn = await hub.worker(streaming).turn("a");
    expect(isStreamed(turn)).toBe(true);
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "eventRaised E"]);
    expect(turn.request.instanceId).toBe("a");
    expect(turn.request.entityParameters?.entityMessageReorderWindow).toBeDefined();
    await hub.raise("a", "Later");
    expect(await hub.history("a", true)).toEqual(whole.request.pastEvents);
  });

  it("fetches the past of its turn, whatever is committed while it has it", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.suspend("a");
    await hub.resume("a");
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const first = await worker.turn("a");
    const past = await hub.history("a", true);
    await hub.raise("a", "F");
    await hub.suspend("a");
    await hub.resume("a");
    expect(await hub.history("a", true)).toEqual(past);
    await worker.complete(first, [scheduleTask(50)]);
    const second = await worker.turn("a");
    expect(newEvents(second)).toEqual(["orchestratorStarted", "eventRaised F"]);
    const more = (await hub.history("a", true)).slice(past.length);
    expect(more.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "eventRaised",
      "taskScheduled",
    ]);
    const kinds = (await hub.history("a")).map(({ eventType }) => eventType.case);
    expect(kinds.filter((kind) => kind === "executionSuspended")).toHaveLength(2);
  });

  it("is sent a short history with its turn", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LIMITS.streamedHistoryBytes - 10_000);
    await hub.raise("a", "E");
    expect(isStreamed(await hub.worker(streaming).turn("a"))).toBe(false);
  });

  it("fetches it after a restart too, and the instance runs on to its end", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await hub.crash();
    const worker = hub.worker(streaming);
    for (let count = 0; count < 3; count += 1) {
      await hub.raise("a", "E");
      const turn = await worker.turn("a");
      expect(isStreamed(turn)).toBe(true);
      await worker.complete(turn);
    }
    await hub.raise("a", "E");
    await worker.complete(await worker.turn("a"), [completed("done")]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("is known by that capability and no other", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker({ ...limited, capabilities: [0, 2, 3, 4, 99, -1, 2 ** 31 - 1] });
    expect(isStreamed(await worker.turn("a"))).toBe(false);
  });

  it("is known by it among others, and when it says it twice", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker({ ...streaming, capabilities: [99, 1, 3, 1] });
    expect(isStreamed(await worker.turn("a"))).toBe(true);
  });
});

describe("a worker that asks for the history instead of fetching it", () => {
  it("is sent it with the turn when it fits", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    const first = await worker.turn("a");
    expect(isStreamed(first)).toBe(true);
    await worker.complete(first, [], { requiresHistory: true });
    const second = await worker.turn("a");
    expect(isStreamed(second)).toBe(false);
    await worker.complete(second);
    await hub.raise("a", "F");
    expect(isStreamed(await worker.turn("a"))).toBe(true);
  });

  it("does not get it again for ever when it does not fit: its instance fails", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(streaming);
    let answers = 0;
    for (; (await hub.status("a")) === "RUNNING"; answers += 1) {
      const turn = await worker.turn("a");
      expect(isStreamed(turn)).toBe(true);
      await worker.complete(turn, [], { requiresHistory: true });
      await hub.pass(30_000);
    }
    expect(answers).toBe(LIMITS.turnsResentMax);
    expect(await failureOf(hub, "a")).toMatchObject({ errorType: "HistoryTooLarge" });
  });
});

describe("a turn that does not fit into one message", () => {
  it("goes to a worker without a limit", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await hub.crash();
    await hub.raise("a", "E");
    const turn = await hub.worker(unlimited).turn("a");
    expect(isStreamed(turn)).toBe(false);
    expect(turn.request.pastEvents).toEqual(await hub.history("a", true));
  });

  it("waits while nobody is connected", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await hub.raise("a", "E");
    hub.worker({ ...limited, filters: { activities: [{ name: "Work" }] } });
    await hub.pass(60_000);
    expect(await hub.status("a")).toBe("RUNNING");
    expect(isStreamed(await hub.worker(streaming).turn("a"))).toBe(true);
  });

  it("ends its instance when a worker asks for it that cannot be sent it", async () => {
    const lines: unknown[] = [];
    const ignore = () => {};
    const warn: Log["warn"] = (event, fields) => lines.push({ event, ...fields });
    const log = { debug: ignore, info: ignore, warn, error: ignore };
    await using hub = await openHub({ started: { log } });
    await startLong(hub, "a", TOO_LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(limited);
    expect(await worker.waiting()).toEqual([]);
    expect(await hub.status("a")).toBe("FAILED");
    const failure = await failureOf(hub, "a");
    expect(failure).toMatchObject({ errorType: "HistoryTooLarge", isNonRetriable: true });
    expect(failure?.errorMessage).toMatch(
      /the next turn has 42\d{5} bytes, 42\d{5} of them .*at most 4128768 .*continue as new/,
    );
    expect(lines).toEqual([
      expect.objectContaining({ event: "turn.too_large", instanceId: "a", bytesMax: 4_128_768 }),
    ]);
    await hub.pass(600_000);
    expect(worker.items).toEqual([]);
  });

  it("tells the parent", async () => {
    await using hub = await openHub();
    await hub.start("parent");
    const js = hub.worker(unlimited);
    await js.complete(await js.turn("parent"), [startChild(1, "a")]);
    await js.close();
    await growBy(hub, "a", TOO_LONG);
    await hub.raise("a", "E");
    const worker = hub.worker(limited);
    const turn = await worker.turn("parent");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "subOrchestrationInstanceFailed 1"]);
    expect(turn.request.newEvents[1]?.eventType.value).toMatchObject({
      failureDetails: { errorType: "HistoryTooLarge" },
    });
  });

  it("ends an instance that has never run, whose history begins with its start", async () => {
    await using hub = await openHub();
    await hub.start("parent");
    const js = hub.worker({ ...unlimited, filters: { orchestrations: [{ name: "Main" }] } });
    const child = startChild(1, "a", "Child");
    const { orchestratorActionType: type } = child;
    if (type.case !== "createSubOrchestration") throw new Error("no child");
    type.value.tags = { large: "x".repeat(5 * MIB) };
    await js.complete(await js.turn("parent"), [child]);
    const worker = hub.worker({ ...limited, filters: { orchestrations: [{ name: "Child" }] } });
    expect(await worker.waiting()).toEqual([]);
    expect((await hub.history("a")).map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionCompleted",
    ]);
    expect(await failureOf(hub, "a")).toMatchObject({ errorType: "HistoryTooLarge" });
    expect(newEvents(await js.turn("parent"))[1]).toBe("subOrchestrationInstanceFailed 1");
    expect(hub.hub.scanned.violations().size).toBe(0);
  });

  it("waits for a worker that fetches it, and others do not wait behind it", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await startLong(hub, "b", TOO_LONG);
    const dotnet = hub.worker({ ...streaming, turns: 1 });
    await hub.raise("a", "E");
    const first = await dotnet.turn("a");
    const python = hub.worker(limited);
    await hub.raise("b", "E");
    await hub.start("c");
    expect(await python.waiting()).toEqual(["turn c"]);
    expect(await hub.status("b")).toBe("RUNNING");
    await dotnet.complete(first);
    expect(isStreamed(await dotnet.turn("b"))).toBe(true);
    expect(await python.waiting()).toEqual(["turn c"]);
  });

  it("ends its instance once the worker is gone that would have fetched it", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", TOO_LONG);
    await startLong(hub, "b", TOO_LONG);
    const dotnet = hub.worker({ ...streaming, turns: 1 });
    await hub.raise("a", "E");
    await dotnet.turn("a");
    const python = hub.worker(limited);
    await hub.raise("b", "E");
    await dotnet.close();
    await hub.pass(60_000);
    expect(await hub.status("b")).toBe("FAILED");
    expect(python.items).toEqual([]);
  });

  it("takes fewer of the events that wait when it fits then", async () => {
    await using hub = await openHub();
    await startLong(hub, "a", LIMITS.workItemBytesMax - 600_000);
    await hub.raise("a", "E0", "x".repeat(400_000));
    await hub.raise("a", "E1", "x".repeat(400_000));
    const worker = hub.worker(limited);
    const turn = await worker.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "eventRaised E0"]);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });
});

describe("an activity that does not fit into one message", () => {
  it("fails, with the reason, and the next turn says so", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const js = hub.worker({ ...unlimited, filters: { orchestrations: [{ name: "Main" }] } });
    const worker = hub.worker({ ...limited, filters: { activities: [{ name: "Work" }] } });
    const huge = scheduleTask(1, "Work");
    if (huge.orchestratorActionType.case !== "scheduleTask") throw new Error("no task");
    huge.orchestratorActionType.value.tags = { large: "x".repeat(5 * MIB) };
    await js.complete(await js.turn("a"), [huge, scheduleTask(2, "Work")]);
    await worker.activity("a", 2);
    expect(worker.items).toEqual([]);
    const turn = await js.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "taskFailed 1"]);
    expect(turn.request.newEvents[1]?.eventType.value).toMatchObject({
      failureDetails: { errorType: "WorkItemTooLarge", isNonRetriable: true },
    });
  });

  it("with the largest input there may be goes to every worker", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const worker = hub.worker(limited);
    const input = "x".repeat(LIMITS.payloadBytesMax);
    await worker.complete(await worker.turn("a"), [scheduleTask(1, "Work", { input })]);
    expect((await worker.activity("a", 1)).request.input).toBe(input);
  });
});
