/** Restarts: the same once more, in its own place or under a new id. */
import { describe, expect, it } from "vitest";
import { holdHub, releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents, type Turn } from "../support/worker.ts";
import { completed, failed, scheduleTask } from "../support/worker-actions.ts";

async function finish(hub: TestHub, instanceId = "a"): Promise<void> {
  const worker = hub.worker();
  await hub.start(instanceId, { name: "Order", version: "2", input: "5" });
  await worker.complete(await worker.turn(instanceId), [failed("broken")]);
  await hub.settled();
  await worker.close();
}

function startedOf({ request }: Turn) {
  return request.newEvents[1]?.eventType;
}

const order = { case: "executionStarted", value: { name: "Order", version: "2", input: "5" } };

describe("a restart", () => {
  it("begins a new life under the id of a finished instance", async () => {
    await using hub = await openHub();
    await finish(hub);
    const before = await hub.hub.read("a", ({ number }) => number);
    await hub.hub.reruns.restart("a");
    expect(await hub.status("a")).toBe("PENDING");
    expect(await hub.hub.read("a", ({ number }) => number)).not.toBe(before);
    const worker = hub.worker();
    const turn = await worker.turn("a");
    expect(newEvents(turn)).toEqual(["orchestratorStarted", "executionStarted"]);
    expect(startedOf(turn)).toMatchObject(order);
    await worker.complete(turn, [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("under a new id leaves the source as it is, whatever its status", async () => {
    await using hub = await openHub();
    await hub.start("a", { name: "Order", version: "2", input: "5" });
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const before = await hub.live("a");
    await hub.hub.reruns.restartAs("b", "a");
    expect(await hub.live("a")).toEqual(before);
    expect(startedOf(await worker.turn("b"))).toMatchObject(order);
  });

  it("of an unknown instance is refused, and nothing changes", async () => {
    await using hub = await openHub();
    const unknown = { code: "instance-not-found" };
    await expect(hub.hub.reruns.restart("a")).rejects.toMatchObject(unknown);
    await expect(hub.hub.reruns.restartAs("b", "a")).rejects.toMatchObject(unknown);
    expect(hub.hub.number).toBeUndefined();
  });

  it("in place is refused while the instance goes on", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const refused = { code: "failed-precondition" };
    await expect(hub.hub.reruns.restart("a")).rejects.toMatchObject(refused);
    await hub.suspend("a");
    await expect(hub.hub.reruns.restart("a")).rejects.toMatchObject(refused);
    expect(await hub.status("a")).toBe("SUSPENDED");
  });

  it("survives a crash once it is answered, and is nothing before", async () => {
    await using hub = await openHub();
    await finish(hub);
    hub.bytes.hold();
    const call = watch(hub.hub.reruns.restart("a"));
    await hub.settled();
    expect(call.state).toBe("pending");
    await hub.crash();
    expect(await hub.status("a")).toBe("FAILED");
    await hub.hub.reruns.restart("a");
    await hub.hub.reruns.restartAs("b", "a");
    await hub.crash();
    expect(await hub.worker().waiting()).toEqual(["turn a", "turn b"]);
  });

  it("is refused by a window that refuses such starts", async () => {
    await using hub = await openHub();
    await finish(hub);
    await holdHub(hub, { refusesStarts: true, selector: { names: ["Order"] } });
    const refused = { code: "unavailable" };
    await expect(hub.hub.reruns.restart("a")).rejects.toMatchObject(refused);
    await expect(hub.hub.reruns.restartAs("b", "a")).rejects.toMatchObject(refused);
    expect(await hub.status("a")).toBe("FAILED");
    expect(await hub.status("b")).toBeUndefined();
    await releaseHub(hub);
    await hub.hub.reruns.restart("a");
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("keeps those who wait for the instance waiting", async () => {
    await using hub = await openHub();
    await finish(hub);
    await hub.hub.reruns.restart("a");
    const wait = watch(hub.waitForEnd("a"));
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.settled();
    expect(wait.state).toBe("done");
  });
});
