import { describe, expect, it } from "vitest";
import { type CompatWorld, failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, startChild } from "../../support/worker-actions.ts";

function purge({ client }: CompatWorld, instanceId: string, recursive = false) {
  return client.purgeInstances({ request: { case: "instanceId", value: instanceId }, recursive });
}

/** A finished parent `p` with a finished child `c`. */
async function family(world: CompatWorld): Promise<void> {
  await world.start("p");
  await using worker = await world.worker();
  await worker.complete(await worker.turn(), [startChild(1, "c")]);
  await worker.completeNext();
  await worker.completeNext();
  expect([await world.status("p"), await world.status("c")]).toEqual(["COMPLETED", "COMPLETED"]);
}

describe.each(transports)("PurgeInstances over $name", ({ serve }) => {
  it("deletes a finished instance: state, history, and nobody finds it", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).completeNext();
    expect(await purge(world, "a")).toMatchObject({ deletedInstanceCount: 1, isComplete: true });
    expect(await world.status("a")).toBeUndefined();
    expect(await failureOf(world.history("a"))).toMatchObject({ code: "NotFound" });
    await world.hub.crash();
    expect(await world.hub.status("a")).toBeUndefined();
  });

  it("of a purged or unknown instance counts 0, is complete, and writes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a" });
    await purge(world, "a");
    const before = await world.facts();
    for (const id of ["a", "nobody"]) {
      const answer = await purge(world, id);
      expect(answer).toMatchObject({ deletedInstanceCount: 0, isComplete: true });
    }
    expect(await world.facts()).toEqual(before);
  });

  it.each(["PENDING", "RUNNING", "SUSPENDED"])("leaves a %s instance alone", async (status) => {
    await using world = await openCompat(serve);
    await world.start("a");
    if (status === "SUSPENDED") await world.client.suspendInstance({ instanceId: "a" });
    if (status === "RUNNING") {
      const worker = await world.worker();
      await worker.complete(await worker.turn());
    }
    expect(await world.status("a")).toBe(status);
    const before = await world.facts("a");
    expect(await purge(world, "a", true)).toMatchObject({
      deletedInstanceCount: 0,
      isComplete: true,
    });
    expect(await world.facts("a")).toEqual(before);
  });

  it("frees the id for a new life that knows nothing of the old one", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Old", '"old"');
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed()], { customStatus: '"old"' });
    await purge(world, "a");
    await world.start("a", "New");
    const state = await world.state("a");
    expect(state).toMatchObject({ name: "New" });
    expect([state?.input, state?.output, state?.customStatus]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const { newEvents, pastEvents } = (await worker.turn()).request;
    expect(pastEvents).toEqual([]);
    expect(newEvents).toHaveLength(2);
  });

  it("takes one instance of a family, or all of it when it is recursive", async () => {
    await using world = await openCompat(serve);
    await family(world);
    expect(await purge(world, "p")).toMatchObject({ deletedInstanceCount: 1, isComplete: true });
    expect(await world.status("c")).toBe("COMPLETED");
    await purge(world, "c");
    await family(world);
    expect(await purge(world, "p", true)).toMatchObject({ deletedInstanceCount: 2 });
    expect([await world.status("p"), await world.status("c")]).toEqual([undefined, undefined]);
  });

  it("that is recursive leaves a child alone that still runs", async () => {
    await using world = await openCompat(serve);
    await world.start("p");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [startChild(1, "c")]);
    await worker.complete(await worker.turn());
    await world.client.terminateInstance({ instanceId: "p" });
    expect(await purge(world, "p", true)).toMatchObject({ deletedInstanceCount: 1 });
    expect(await world.status("c")).toBe("RUNNING");
  });

  it("takes isOrchestration, which only .NET sends", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a" });
    const request = { case: "instanceId", value: "a" } as const;
    const answer = await world.client.purgeInstances({ request, isOrchestration: true });
    expect(answer).toMatchObject({ deletedInstanceCount: 1 });
  });

  it("with neither id, filter nor batch is INVALID_ARGUMENT", async () => {
    await using world = await openCompat(serve);
    const call = () => world.client.purgeInstances({});
    await world.expectRefused(call, "InvalidArgument", /names no instance/);
  });
});
