import { describe, expect, it } from "vitest";
import { openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, continueAsNew, scheduleTask } from "../../support/worker-actions.ts";

const INSTANCE = { instanceId: "a" };

describe.each(transports)("SuspendInstance over $name", ({ serve }) => {
  it("shows at once, and ResumeInstance ends it", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.client.suspendInstance(INSTANCE);
    expect(await world.status("a")).toBe("SUSPENDED");
    await world.client.resumeInstance(INSTANCE);
    expect(await world.status("a")).toBe("RUNNING");
  });

  it("of an instance that never ran holds it back; resumed, it is PENDING again", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.suspendInstance(INSTANCE);
    const worker = await world.worker();
    await world.start("b");
    expect((await worker.turn()).request.instanceId).toBe("b");
    await world.client.resumeInstance(INSTANCE);
    expect(await world.status("a")).toBe("PENDING");
    expect((await worker.turn()).request.instanceId).toBe("a");
  });

  it("keeps events back until ResumeInstance, without telling the worker of either", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.client.suspendInstance(INSTANCE);
    await world.client.raiseEvent({ ...INSTANCE, name: "E" });
    await world.start("b");
    expect((await worker.turn()).request.instanceId).toBe("b");
    await world.client.resumeInstance(INSTANCE);
    const { pastEvents, newEvents } = (await worker.turn()).request;
    expect([...pastEvents, ...newEvents].map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "orchestratorStarted",
      "eventRaised",
    ]);
  });

  it("holds activities back too", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.suspendInstance(INSTANCE);
    await worker.complete(turn, [scheduleTask(1)]);
    await world.start("b");
    await worker.complete(await worker.turn(), [scheduleTask(2)]);
    expect((await worker.activity()).request.taskId).toBe(2);
    await world.client.resumeInstance(INSTANCE);
    expect((await worker.activity()).request.taskId).toBe(1);
  });

  it("records one pair of events however often it is repeated, with the reasons", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.client.resumeInstance(INSTANCE);
    await world.client.suspendInstance({ ...INSTANCE, reason: "lunch" });
    await world.client.suspendInstance({ ...INSTANCE, reason: "again" });
    await world.client.resumeInstance({ ...INSTANCE, reason: "back" });
    await world.client.resumeInstance(INSTANCE);
    const events = (await world.history("a")).slice(2).map(({ eventId, eventType }) => ({
      eventId,
      kind: eventType.case,
      input: (eventType.value as { input?: string }).input,
    }));
    expect(events).toEqual([
      { eventId: -1, kind: "executionSuspended", input: "lunch" },
      { eventId: -1, kind: "executionResumed", input: "back" },
    ]);
  });

  it("twice, or ResumeInstance of a running one, changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const running = await world.facts("a");
    await world.client.resumeInstance(INSTANCE);
    expect(await world.facts("a")).toEqual(running);
    await world.client.suspendInstance(INSTANCE);
    const suspended = await world.facts("a");
    await world.client.suspendInstance(INSTANCE);
    expect(await world.facts("a")).toEqual(suspended);
  });

  it("lets the turn in flight complete the instance", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.suspendInstance(INSTANCE);
    expect(await world.status("a")).toBe("SUSPENDED");
    await worker.complete(turn, [completed()]);
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("holds over continue-as-new", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.suspendInstance(INSTANCE);
    await worker.complete(turn, [continueAsNew("2")]);
    expect(await world.status("a")).toBe("SUSPENDED");
    await world.client.resumeInstance(INSTANCE);
    await worker.completeNext();
    expect(await world.status("a")).toBe("COMPLETED");
  });
});

describe.each(transports)("suspending and resuming over $name:", ({ serve }) => {
  const methods = ["suspendInstance", "resumeInstance"] as const;

  it.each(methods)("%s of a finished instance is OK and changes nothing", async (method) => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).completeNext();
    const before = await world.facts("a");
    await world.client[method](INSTANCE);
    expect(await world.facts("a")).toEqual(before);
  });

  it.each(methods)("%s of an unknown instance is NOT_FOUND and writes nothing", async (method) => {
    await using world = await openCompat(serve);
    const call = () => world.client[method]({ instanceId: "nobody" });
    await world.expectRefused(call, "NotFound", /"nobody"/);
  });
});
