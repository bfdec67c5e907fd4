import { describe, expect, it } from "vitest";
import { openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed } from "../../support/worker-actions.ts";

const request = {
  instanceId: "a",
  name: "Order",
  version: "2",
  input: "5",
  tags: { t: "x" },
};

describe.each(transports)("RestartInstance over $name", ({ serve }) => {
  it("starts a finished instance again under its id", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.client.startInstance(request);
    await worker.complete(await worker.turn(), [completed("well")], { customStatus: "done" });
    const before = await world.state("a");
    world.hub.clock.advance(1_000);
    expect(await world.client.restartInstance({ instanceId: "a" })).toMatchObject({
      instanceId: "a",
    });
    const state = await world.state("a");
    expect(state).toMatchObject({ name: "Order", version: "2", input: "5", tags: { t: "x" } });
    expect(state?.output).toBeUndefined();
    expect(state?.customStatus).toBeUndefined();
    expect(state?.createdTimestamp).not.toEqual(before?.createdTimestamp);
    expect((await worker.turn()).request.pastEvents).toEqual([]);
  });

  it("starts the same under a new id while the instance goes on", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance(request);
    const wish = { instanceId: "a", restartWithNewInstanceId: true };
    const first = (await world.client.restartInstance(wish)).instanceId;
    const second = (await world.client.restartInstance(wish)).instanceId;
    expect(new Set(["a", first, second]).size).toBe(3);
    const { name, version, input, tags } = request;
    expect(await world.state(second)).toMatchObject({ name, version, input, tags });
  });

  it("is refused for an unknown instance, and in place for one that goes on", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const { client } = world;
    for (const restartWithNewInstanceId of [false, true]) {
      const unknown = () => client.restartInstance({ instanceId: "no", restartWithNewInstanceId });
      await world.expectRefused(unknown, "NotFound", /"no"/);
    }
    const restart = () => client.restartInstance({ instanceId: "witness" });
    await world.expectRefused(restart, "FailedPrecondition", /PENDING/);
    await client.suspendInstance({ instanceId: "witness" });
    await world.expectRefused(restart, "FailedPrecondition", /SUSPENDED/);
    await world.expectRefused(() => client.restartInstance({}), "InvalidArgument", /instanceId/);
  });
});
