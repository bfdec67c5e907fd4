import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type OrchestratorAction,
  OrchestratorActionSchema,
  type SendEntityMessageActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openCompat } from "../../support/compat-world.ts";
import { operationsOf, succeeded } from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed } from "../../support/worker-actions.ts";

type Message = MessageInitShape<typeof SendEntityMessageActionSchema>["EntityMessageType"];

const section = "0f8fad5b-d9cb-469f-a165-70867728950e";
const requestId = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

function sendMessage(id: number, EntityMessageType: NonNullable<Message>): OrchestratorAction {
  const value = { EntityMessageType };
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "sendEntityMessage", value },
  });
}

function lock(id: number, ...lockSet: string[]): OrchestratorAction {
  const value = { criticalSectionId: section, lockSet };
  return sendMessage(id, { case: "entityLockRequested", value });
}

function unlock(id: number, targetInstanceId: string): OrchestratorAction {
  const value = { criticalSectionId: section, targetInstanceId };
  return sendMessage(id, { case: "entityUnlockSent", value });
}

function call(id: number, targetInstanceId: string, operation: string): OrchestratorAction {
  const value = { requestId, operation, targetInstanceId };
  return sendMessage(id, { case: "entityOperationCalled", value });
}

describe.each(transports)("an orchestration that locks entities, over $name,", ({ serve }) => {
  it("is who has locked them, and its calls run before what else waits", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("holder");
    await worker.complete(await worker.turn(), [lock(1, "@a@1", "@a@2")]);
    const granted = await worker.turn();
    expect(granted.request.newEvents.map(({ eventType: { case: kind } }) => kind)).toEqual([
      "orchestratorStarted",
      "entityLockGranted",
    ]);
    for (const key of ["1", "2"]) {
      const query = { instanceIdStartsWith: `@a@${key}`, includeTransient: true };
      const { entities } = await world.client.queryEntities({ query });
      expect(entities.map(({ lockedBy }) => lockedBy)).toEqual(["holder"]);
    }
    await world.client.signalEntity({ instanceId: "@a@1", name: "waits" });
    await world.hub.settled();
    expect(worker.waiting("entityRequestV2")).toBe(0);
    await worker.complete(granted, [call(2, "@a@1", "get")]);
    const batch = await worker.batch();
    expect(operationsOf(batch.request)).toEqual(["get"]);
    expect(batch.request.operationRequests[0]?.eventType).toMatchObject({
      case: "entityOperationCalled",
      value: {
        requestId,
        parentInstanceId: "holder",
        parentExecutionId: granted.request.executionId,
      },
    });
    await worker.answer(batch, { results: [succeeded('"7"')], entityState: "7" });
    const answered = await worker.turn();
    expect(answered.request.newEvents[1]?.eventType).toMatchObject({
      case: "entityOperationCompleted",
      value: { requestId, output: '"7"' },
    });
    await worker.complete(answered, [unlock(3, "@a@1")]);
    expect(operationsOf((await worker.batch()).request)).toEqual(["waits"]);
    const { entity } = await world.client.getEntity({ instanceId: "@a@1" });
    expect(entity?.lockedBy).toBeUndefined();
  });

  it.each([
    ["completes", [completed()]],
    ["is terminated", undefined],
  ])("and %s lets them go", async (_what, actions) => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("holder");
    await worker.complete(await worker.turn(), [lock(1, "@a@1")]);
    const granted = await worker.turn();
    await world.client.signalEntity({ instanceId: "@a@1", name: "waits" });
    if (actions === undefined) await world.client.terminateInstance({ instanceId: "holder" });
    await worker.complete(granted, actions);
    expect(operationsOf((await worker.batch()).request)).toEqual(["waits"]);
  });

  it("is told when the entity that it has called is purged", async () => {
    await using world = await openCompat(serve);
    await world.start("caller");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [call(1, "@a@1", "get")]);
    const batch = await worker.batch();
    const request = { case: "instanceId", value: "@a@1" } as const;
    const { deletedInstanceCount } = await world.client.purgeInstances({ request });
    expect(deletedInstanceCount).toBe(1);
    const told = await worker.turn();
    expect(told.request.newEvents[1]?.eventType).toMatchObject({
      case: "entityOperationFailed",
      value: { requestId },
    });
    await worker.answer(batch, { results: [succeeded()], entityState: "late" });
    expect((await world.client.getEntity({ instanceId: "@a@1" })).exists).toBe(false);
  });
});
