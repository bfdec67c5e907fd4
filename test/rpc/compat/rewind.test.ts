import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, failed, scheduleTask, startChild } from "../../support/worker-actions.ts";

const INSTANCE = { instanceId: "a" };
const broken = { failureDetails: { errorType: "Error", errorMessage: "broken" } };

async function fail(world: CompatWorld, worker: CompatWorker): Promise<void> {
  await world.start("a", "Main", "5");
  await worker.complete(await worker.turn(), [scheduleTask(1)], { customStatus: "almost" });
  await worker.finish(await worker.activity(), broken);
  await worker.complete(await worker.turn(), [failed("broken")], { customStatus: "almost" });
}

describe.each(transports)("RewindInstance over $name", ({ serve }) => {
  it("lets a failed instance go on: running, without an output, with its custom status", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await fail(world, worker);
    const before = await world.state("a");
    await world.client.rewindInstance({ ...INSTANCE, reason: "again" });
    const state = await world.state("a");
    expect(state).toMatchObject({
      input: "5",
      customStatus: "almost",
      createdTimestamp: before?.createdTimestamp,
    });
    expect(await world.status("a")).toBe("RUNNING");
    expect(state?.failureDetails).toBeUndefined();
    expect(state?.completedTimestamp).toBeUndefined();
    expect(state?.executionId).not.toBe(before?.executionId);
    expect(await world.kinds("a")).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "orchestratorStarted",
      "orchestratorStarted",
      "executionRewound",
    ]);
  });

  it("gives the worker what it knows of, and the same activity once more", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await fail(world, worker);
    await world.client.rewindInstance(INSTANCE);
    const turn = await worker.turn();
    const { pastEvents, newEvents } = turn.request;
    expect(newEvents.map(({ eventType }) => eventType.case)).toEqual(["orchestratorStarted"]);
    expect(pastEvents.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "orchestratorStarted",
      "orchestratorStarted",
    ]);
    await worker.complete(turn, [scheduleTask(1)]);
    await worker.finish(await worker.activity(), { result: "1" });
    await worker.complete(await worker.turn(), [completed("well")]);
    expect(await world.state("a")).toMatchObject({ output: "well" });
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("rewinds a failed child", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("a");
    await worker.complete(await worker.turn(), [startChild(1, "child")]);
    await worker.complete(await worker.turn(), [failed("broken")]);
    await worker.complete(await worker.turn(), [failed("broken")]);
    await world.client.rewindInstance({ ...INSTANCE, reason: "again" });
    const turns = [await worker.turn(), await worker.turn()];
    for (const turn of turns) {
      const { instanceId } = turn.request;
      await worker.complete(turn, instanceId === "child" ? [completed("well")] : []);
    }
    const { newEvents, instanceId } = (await worker.turn()).request;
    expect(instanceId).toBe("a");
    expect(newEvents.at(-1)?.eventType).toMatchObject({
      case: "subOrchestrationInstanceCompleted",
      value: { result: "well" },
    });
  });

  it("ends no wait of somebody who waits for the end", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await fail(world, worker);
    await world.client.rewindInstance(INSTANCE);
    const wait = world.client.waitForInstanceCompletion({ instanceId: "a" });
    await worker.complete(await worker.turn(), [completed()]);
    expect((await wait).orchestrationState?.failureDetails).toBeUndefined();
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("of an unknown instance is NOT_FOUND, of one that has not failed FAILED_PRECONDITION", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const { client } = world;
    const unknown = () => client.rewindInstance({ instanceId: "nobody" });
    await world.expectRefused(unknown, "NotFound", /nobody/);
    const words = /PENDING.*precondition/;
    const rewind = () => client.rewindInstance({ instanceId: "witness" });
    await world.expectRefused(rewind, "FailedPrecondition", words);
    await client.terminateInstance({ instanceId: "witness" });
    await world.expectRefused(rewind, "FailedPrecondition", /TERMINATED.*precondition/);
  });

  it("keeps an attempt that failed and was followed by another one in the same turn", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("a");
    const work = (id: number) => scheduleTask(id, "Work", { input: "1" });
    await worker.complete(await worker.turn(), [work(0)]);
    await worker.finish(await worker.activity(), broken);
    await worker.complete(await worker.turn(), [work(1)]);
    await worker.finish(await worker.activity(), { result: "1" });
    await worker.complete(await worker.turn(), [scheduleTask(2, "Other", { input: "1" })]);
    await worker.finish(await worker.activity(), broken);
    await worker.complete(await worker.turn(), [failed("broken")]);
    await world.client.rewindInstance(INSTANCE);
    const { request } = await worker.turn();
    const past = request.pastEvents.map(({ eventId, eventType }) => [eventType.case, eventId]);
    expect(past).toContainEqual(["taskScheduled", 0]);
    expect(past).toContainEqual(["taskScheduled", 1]);
    expect(past).not.toContainEqual(["taskScheduled", 2]);
    expect(past.filter(([type]) => type === "taskFailed")).toHaveLength(1);
  });

  it("refuses what cannot be", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const { client } = world;
    await world.expectRefused(() => client.rewindInstance({}), "InvalidArgument", /instanceId/);
    const reason = "x".repeat(16 * 1024 + 1);
    const long = () => client.rewindInstance({ instanceId: "witness", reason });
    await world.expectRefused(long, "InvalidArgument", /reason/);
  });
});
