import { describe, expect, it } from "vitest";
import { openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, scheduleTask, startChild } from "../../support/worker-actions.ts";

describe.each(transports)("TerminateInstance over $name", ({ serve }) => {
  it("ends an instance that never ran, without a worker, with the output as it is", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a", output: '"stop"' });
    expect(await world.status("a")).toBe("TERMINATED");
    expect(await world.state("a")).toMatchObject({
      output: '"stop"',
      completedTimestamp: world.hub.clock.now(),
    });
    expect(await world.kinds("a")).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionTerminated",
      "executionCompleted",
    ]);
  });

  it.each([
    ["absent", {}, undefined],
    ["empty", { output: "" }, ""],
    ["no JSON", { output: "stop it" }, "stop it"],
  ])("records an output that is %s as such", async (_what, output, expected) => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a", ...output });
    expect((await world.state("a"))?.output).toBe(expected);
  });

  it("ends a suspended instance", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.suspendInstance({ instanceId: "a" });
    await world.client.terminateInstance({ instanceId: "a" });
    expect(await world.status("a")).toBe("TERMINATED");
  });

  it("waits for a turn in flight; the first output wins", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.terminateInstance({ instanceId: "a", output: "1" });
    await world.client.terminateInstance({ instanceId: "a", output: "2" });
    expect(await world.status("a")).toBe("PENDING");
    await worker.complete(turn, [scheduleTask(1)]);
    expect(await world.state("a")).toMatchObject({ output: "1" });
    expect(await world.status("a")).toBe("TERMINATED");
  });

  it("is dropped when the turn in flight completes the instance", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.terminateInstance({ instanceId: "a", output: "1" });
    await worker.complete(turn, [completed('"done"')]);
    expect(await world.state("a")).toMatchObject({ output: '"done"' });
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("drops the result of an activity that is still running", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    const activity = await worker.activity();
    await world.client.terminateInstance({ instanceId: "a" });
    const before = await world.facts("a");
    await worker.finish(activity, { result: "1" });
    expect(await world.facts("a")).toEqual(before);
  });

  it.each([
    [true, "TERMINATED"],
    [false, "PENDING"],
  ])("with recursive %j leaves children %s", async (recursive, expected) => {
    await using world = await openCompat(serve);
    await world.start("p");
    const worker = await world.worker({
      workItemFilters: { orchestrations: [{ name: "Main" }] },
    });
    await worker.complete(await worker.turn(), [startChild(1, "c")]);
    await world.hub.settled();
    await world.client.terminateInstance({ instanceId: "p", recursive });
    await world.hub.settled();
    expect(await world.status("p")).toBe("TERMINATED");
    expect(await world.status("c")).toBe(expected);
  });

  it("of a finished instance is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).completeNext('"done"');
    const before = await world.facts("a");
    await world.client.terminateInstance({ instanceId: "a", output: '"late"' });
    expect(await world.facts("a")).toEqual(before);
  });

  it("of an unknown instance is NOT_FOUND and writes nothing", async () => {
    await using world = await openCompat(serve);
    const call = () => world.client.terminateInstance({ instanceId: "nobody" });
    await world.expectRefused(call, "NotFound", /"nobody"/);
  });
});
