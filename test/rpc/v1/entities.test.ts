import { describe, expect, it } from "vitest";
import { WorkKind } from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { failureOf } from "../../support/compat-world.ts";
import { succeeded } from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";
import { MINUTE } from "../../support/scheduler-harness.ts";
import { openV1, type V1World } from "../../support/v1-world.ts";

const instanceId = "@a@b";

async function setEntity(world: V1World): Promise<void> {
  const worker = await world.worker();
  await world.client.signalEntity({ instanceId, name: "set" });
  await worker.answer(await worker.batch(), { results: [succeeded()], entityState: "1" });
}

describe.each(transports)("taskhub.v1 over $name", ({ serve }) => {
  it("knows no instance that is an entity", async () => {
    await using world = await openV1(serve);
    await setEntity(world);
    const { v1 } = world;
    const calls: (() => Promise<unknown>)[] = [
      () => v1.suspendInstance({ instanceId, name: "h" }),
      () => v1.suspendInstance({ instanceId, name: "h", scope: 2 }),
      () => v1.getSuspension({ instanceId }),
      () => v1.waitForQuiescence({ target: { case: "instanceId", value: instanceId } }),
      () => v1.raiseEvent({ instanceId, name: "e" }),
      () => v1.terminateInstance({ instanceId }),
      () => v1.getCustomStatus({ instanceId }),
      () => v1.listCustomStatusRevisions({ instanceId }),
      () => v1.explainInstance({ instanceId }),
    ];
    const before = world.hub.store.durablePosition;
    const codes: string[] = [];
    for (const call of calls) codes.push((await failureOf(call())).code);
    expect(codes).toEqual(calls.map(() => "NotFound"));
    expect((await v1.queryInstances({})).instances).toEqual([]);
    const { counts } = await v1.countInstances({});
    expect(counts.reduce((sum, { count }) => sum + count, 0n)).toBe(0n);
    expect((await v1.listSuspensions({})).suspensions).toEqual([]);
    expect(world.hub.store.durablePosition).toBe(before);
  });

  it("says which worker has operations of an entity, and which it accepts", async () => {
    await using world = await openV1(serve);
    const worker = await world.worker({
      maxConcurrentEntityWorkItems: 7,
      workItemFilters: { entities: [{ name: "A" }] },
    });
    await world.client.signalEntity({ instanceId, name: "op" });
    await worker.batch();
    const { workers } = await world.v1.listWorkers({});
    expect(workers).toMatchObject([
      {
        entities: ["A"],
        entityBatchCredit: 7,
        inFlight: [{ instanceId, kind: WorkKind.ENTITY_BATCH, name: "a", taskId: 0 }],
      },
    ]);
    const { inFlight } = await world.v1.getTaskHub({});
    expect(inFlight).toMatchObject([{ instanceId, kind: WorkKind.ENTITY_BATCH }]);
  });

  it("lists an entity that was quarantined, and lets it go on", async () => {
    const deliveryLimits = { turnLossesMax: 1, activityLossesMax: undefined };
    await using world = await openV1(serve, { started: { deliveryLimits } });
    const worker = await world.worker();
    await world.client.signalEntity({ instanceId, name: "op" });
    await worker.batch();
    await world.hub.pass(5 * MINUTE);
    const { suspensions } = await world.v1.listSuspensions({});
    expect(suspensions).toMatchObject([{ instanceId, hold: { name: "quarantine" } }]);
    await world.v1.resumeInstance({ instanceId, name: "quarantine" });
    expect((await worker.batch()).request.instanceId).toBe(instanceId);
  });

  it("keeps a window waiting for a batch that a worker has", async () => {
    await using world = await openV1(serve);
    const worker = await world.worker();
    await world.client.signalEntity({ instanceId, name: "op" });
    const batch = await worker.batch();
    await world.v1.suspendTaskHub({ name: "night" });
    const target = { case: "window", value: "night" } as const;
    const arrived = world.calls.next("waitForQuiescence");
    const waiting = world.v1.waitForQuiescence({ target });
    await arrived;
    const { holds } = await world.v1.getTaskHub({});
    expect(holds).toMatchObject([{ inFlight: 1, quiescent: false }]);
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    await waiting;
    const after = await world.v1.getTaskHub({});
    expect(after.holds).toMatchObject([{ inFlight: 0, quiescent: true }]);
  });
});
