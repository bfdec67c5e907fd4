import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { type CompatWorld, failureOf, openCompat } from "../../support/compat-world.ts";
import { operationsOf, succeeded } from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";

async function set(world: CompatWorld, worker: CompatWorker, instanceId: string, text?: string) {
  await world.client.signalEntity({ instanceId, name: "set" });
  const state = text === undefined ? {} : { entityState: text };
  await worker.answer(await worker.batch(), { results: [succeeded()], ...state });
}

async function records(world: CompatWorld): Promise<string[]> {
  const query = { includeTransient: true };
  const { entities } = await world.client.queryEntities({ query });
  return entities.map(({ instanceId }) => instanceId);
}

async function exists(world: CompatWorld, instanceId: string): Promise<boolean> {
  return (await world.client.getEntity({ instanceId })).exists;
}

describe.each(transports)("CleanEntityStorage over $name", ({ serve }) => {
  it("removes records that have nothing, all of them in one call, and no token", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    const empty = Array.from({ length: 40 }, (_, at) => `@a@${String(at).padStart(2, "0")}`);
    for (const instanceId of empty) await set(world, worker, instanceId);
    await set(world, worker, "@a@kept", "1");
    await world.client.signalEntity({ instanceId: "@a@waits", name: "op" });
    const later = timestampFromDate(new Date("2026-01-02T00:00:00Z"));
    await world.client.signalEntity({ instanceId: "@a@later", name: "op", scheduledTime: later });
    const request = { removeEmptyEntities: true };
    expect(await world.client.cleanEntityStorage({})).toMatchObject({ emptyEntitiesRemoved: 0 });
    const cleaned = await world.client.cleanEntityStorage(request);
    expect(cleaned).toMatchObject({ emptyEntitiesRemoved: 40, orphanedLocksReleased: 0 });
    expect(cleaned.continuationToken).toBeUndefined();
    expect(await records(world)).toEqual(["@a@kept", "@a@later", "@a@waits"]);
    const again = await world.client.cleanEntityStorage(request);
    expect(again).toMatchObject({ emptyEntitiesRemoved: 0 });
    expect(again.continuationToken).toBeUndefined();
  });
});

describe.each(transports)("PurgeInstances of an entity over $name", ({ serve }) => {
  it("deletes its state, what waits and the batch that a worker has", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await set(world, worker, "@a@B", "1");
    await world.client.signalEntity({ instanceId: "@a@B", name: "1" });
    const batch = await worker.batch();
    await world.client.signalEntity({ instanceId: "@a@B", name: "2" });
    const request = { case: "instanceId", value: "@A@B" } as const;
    const purged = await world.client.purgeInstances({ request });
    expect(purged).toMatchObject({ deletedInstanceCount: 1, isComplete: true });
    expect(await records(world)).toEqual([]);
    await worker.answer(batch, { results: [succeeded()], entityState: "late" });
    expect(await records(world)).toEqual([]);
    await world.client.signalEntity({ instanceId: "@a@B", name: "3" });
    const next = await worker.batch();
    expect(operationsOf(next.request)).toEqual(["3"]);
    expect(next.request.entityState).toBeUndefined();
    expect(next.request.executionId).not.toBe(batch.request.executionId);
  });

  it("counts what there was: 0 for an unknown one, each once in a batch, and none with isOrchestration", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await set(world, worker, "@a@b", "1");
    await set(world, worker, "@a@c", "1");
    await world.start("done");
    await worker.completeNext();
    const count = async (request: Parameters<typeof world.client.purgeInstances>[0]) =>
      (await world.client.purgeInstances(request)).deletedInstanceCount;
    const value = "@a@b";
    expect(await count({ request: { case: "instanceId", value: "@a@x" } })).toBe(0);
    const asOrchestration = {
      request: { case: "instanceId", value },
      isOrchestration: true,
    } as const;
    expect(await count(asOrchestration)).toBe(0);
    expect(await exists(world, value)).toBe(true);
    const instanceIds = ["@a@b", "@A@b", "@a@x", "done", "@a@c"];
    expect(await count({ request: { case: "instanceBatch", value: { instanceIds } } })).toBe(3);
    expect(await records(world)).toEqual([]);
  });

  it("is not part of a purge by filter", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await set(world, worker, "@a@b", "1");
    const request = { case: "purgeInstanceFilter", value: {} } as const;
    const purged = await world.client.purgeInstances({ request });
    expect(purged.deletedInstanceCount).toBe(0);
    expect(await exists(world, "@a@b")).toBe(true);
  });
});

describe.each(transports)("an entity over $name", ({ serve }) => {
  const instanceId = "@a@b";

  it("is no orchestration to those who ask for one", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await set(world, worker, instanceId, "1");
    const { client } = world;
    expect(await world.state(instanceId)).toBeUndefined();
    expect((await client.queryInstances({ query: {} })).orchestrationState).toEqual([]);
    const prefixed = await client.queryInstances({ query: { instanceIdPrefix: "@" } });
    expect(prefixed.orchestrationState).toEqual([]);
    const calls: (() => Promise<unknown>)[] = [
      () => client.raiseEvent({ instanceId, name: "e" }),
      () => client.terminateInstance({ instanceId }),
      () => client.suspendInstance({ instanceId }),
      () => client.resumeInstance({ instanceId }),
      () => world.history(instanceId),
      () => client.rewindInstance({ instanceId }),
      () => client.restartInstance({ instanceId }),
      () => client.restartInstance({ instanceId, restartWithNewInstanceId: true }),
    ];
    const before = world.hub.store.durablePosition;
    const codes: string[] = [];
    for (const call of calls) codes.push((await failureOf(call())).code);
    expect(codes).toEqual(calls.map(() => "NotFound"));
    const skipped = await client.skipGracefulOrchestrationTerminations({
      instanceBatch: { instanceIds: [instanceId] },
    });
    expect(skipped.unterminatedInstanceIds).toEqual([instanceId]);
    expect(world.hub.store.durablePosition).toBe(before);
    expect(await exists(world, instanceId)).toBe(true);
  });

  it("lets those wait who wait for an orchestration of its id", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await set(world, worker, instanceId, "1");
    const call = new AbortController();
    const arrived = world.calls.next("waitForInstanceStart");
    const wait = world.client.waitForInstanceStart({ instanceId }, { signal: call.signal });
    wait.catch(() => {});
    await arrived;
    await set(world, worker, instanceId, "2");
    await world.client.purgeInstances({ request: { case: "instanceId", value: instanceId } });
    await world.hub.settled();
    call.abort();
    expect((await failureOf(wait)).code).toBe("Canceled");
  });
});
