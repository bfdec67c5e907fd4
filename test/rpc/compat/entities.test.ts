import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import {
  failed,
  operationsOf,
  sendSignal,
  startOrchestration,
  succeeded,
} from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";

const guid = "0f8fad5b-d9cb-469f-a165-70867728950e";

/** Signals, one after the other. */
async function signal(world: CompatWorld, instanceId: string, ...names: readonly string[]) {
  for (const name of names) await world.client.signalEntity({ instanceId, name });
}

async function entityOf(world: CompatWorld, instanceId: string, includeState = true) {
  const { exists, entity } = await world.client.getEntity({ instanceId, includeState });
  expect(exists).toBe(entity !== undefined);
  return entity;
}

describe.each(transports)("SignalEntity over $name", ({ serve }) => {
  it("brings an operation to a worker, in the second encoding", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    const requestId = guid;
    await world.client.signalEntity({
      instanceId: "@Counter@Key1",
      name: "add",
      input: "5",
      requestId,
    });
    const { token, request } = await worker.batch();
    expect(token).not.toBe("");
    expect(request.instanceId).toBe("@counter@Key1");
    expect(request.executionId).not.toBe("");
    expect(request.entityState).toBeUndefined();
    const [event, ...others] = request.operationRequests;
    expect(others).toEqual([]);
    expect(event?.eventId).toBe(-1);
    expect(event?.timestamp).toEqual(world.hub.clock.now());
    expect(event?.eventType).toMatchObject({
      case: "entityOperationSignaled",
      value: { requestId, operation: "add", input: "5" },
    });
    const value = event?.eventType.value as { targetInstanceId?: string } | undefined;
    expect(value?.targetInstanceId).toBeUndefined();
  });

  it.each([
    ["absent", {}, undefined],
    ["empty", { input: "" }, ""],
  ])("carries an input that is %s as it is", async (_what, more, expected) => {
    await using world = await openCompat(serve);
    await world.client.signalEntity({ instanceId: "@a@b", name: "op", ...more });
    const worker = await world.worker();
    const type = (await worker.batch()).request.operationRequests[0]?.eventType;
    expect(type?.case === "entityOperationSignaled" && type.value.input).toBe(expected);
  });

  it("is durable when it is answered", async () => {
    await using world = await openCompat(serve);
    await signal(world, "@a@b", "op");
    await world.hub.crash();
    const worker = world.hub.worker();
    expect(await worker.waiting()).toEqual(["batch @a@b"]);
  });

  it("does nothing the second time with the same request id, also for a key that is no GUID", async () => {
    await using world = await openCompat(serve);
    for (const requestId of [guid, guid, "mine", "mine"]) {
      await world.client.signalEntity({ instanceId: "@a@b", name: "op", requestId });
    }
    await world.client.signalEntity({ instanceId: "@a@c", name: "op", requestId: guid });
    const worker = await world.worker({ maxConcurrentEntityWorkItems: 2 });
    const batches = [await worker.batch(), await worker.batch()];
    const ids = batches.flatMap(({ request }) =>
      request.operationRequests.map(({ eventType: { value } }) =>
        value !== undefined && "requestId" in value ? value.requestId : "",
      ),
    );
    expect(ids).toHaveLength(3);
    expect(ids.filter((id) => id === guid)).toHaveLength(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{32,36}$/);
  });

  it("keeps the order of rapid signals, and runs one batch at a time", async () => {
    await using world = await openCompat(serve);
    await signal(world, "@a@b", "1", "2", "3");
    const worker = await world.worker();
    const first = await worker.batch();
    expect(operationsOf(first.request)).toEqual(["1", "2", "3"]);
    await signal(world, "@a@b", "4", "5");
    await world.hub.settled();
    expect(worker.waiting("entityRequestV2")).toBe(0);
    const results = [succeeded(), succeeded(), succeeded()];
    await worker.answer(first, { results, entityState: "3" });
    const second = await worker.batch();
    expect(operationsOf(second.request)).toEqual(["4", "5"]);
    expect(second.request.entityState).toBe("3");
  });

  it("delivers a scheduled operation not before its time, also after a crash", async () => {
    await using world = await openCompat(serve);
    const at = timestampFromDate(new Date("2026-01-01T10:10:00Z"));
    await world.client.signalEntity({ instanceId: "@a@b", name: "later", scheduledTime: at });
    await signal(world, "@a@b", "now");
    await world.hub.crash();
    const worker = world.hub.worker();
    const first = await worker.batch();
    expect(operationsOf(first.request)).toEqual(["now"]);
    await worker.answer(first, { results: [succeeded()], entityState: "1" });
    await world.hub.pass(10 * 60_000 - 1);
    expect(await worker.waiting()).toEqual([]);
    await world.hub.pass(1);
    const second = await worker.batch();
    expect(operationsOf(second.request)).toEqual(["later"]);
    expect(second.request.operationRequests[0]?.eventType.value).toMatchObject({
      scheduledTime: at,
    });
  });

  it("takes the past for now", async () => {
    await using world = await openCompat(serve);
    const at = timestampFromDate(new Date("2020-01-01T00:00:00Z"));
    await world.client.signalEntity({ instanceId: "@a@b", name: "op", scheduledTime: at });
    const worker = await world.worker();
    expect(operationsOf((await worker.batch()).request)).toEqual(["op"]);
  });

  it.each([
    ["no entity id", { instanceId: "counter", name: "op" }],
    ["an id without a key", { instanceId: "@counter", name: "op" }],
    ["an id without a name", { instanceId: "@@key", name: "op" }],
    ["no operation", { instanceId: "@a@b", name: "" }],
    ["a time that is none", { instanceId: "@a@b", name: "op", scheduledTime: { nanos: -1 } }],
    ["a long request id", { instanceId: "@a@b", name: "op", requestId: "r".repeat(129) }],
    ["a long entity name", { instanceId: `@${"a".repeat(300)}@b`, name: "op" }],
  ])("is refused with %s", async (_what, request) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await world.expectRefused(
      () => world.client.signalEntity(request),
      "InvalidArgument",
      /instanceId|name|requestId|scheduledTime/,
    );
  });

  it("takes an empty key, a key with @, and the name in any case", async () => {
    await using world = await openCompat(serve);
    await signal(world, "@A@", "1");
    await signal(world, "@a@", "2");
    await signal(world, "@a@x@Y", "3");
    const worker = await world.worker();
    const seen = [await worker.batch(), await worker.batch()].map(({ request }) => [
      request.instanceId,
      ...operationsOf(request),
    ]);
    expect(seen.toSorted()).toEqual([
      ["@a@", "1", "2"],
      ["@a@x@Y", "3"],
    ]);
  });
});

describe.each(transports)("CompleteEntityTask over $name", ({ serve }) => {
  it("sets the state and the time of the change, durably", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "set");
    const batch = await worker.batch();
    expect((await entityOf(world, "@a@b"))?.serializedState).toBeUndefined();
    await world.hub.pass(1_000);
    await worker.answer(batch, { results: [succeeded()], entityState: '{"n":1}' });
    const modified = world.hub.clock.now();
    await world.hub.crash();
    const seen = await world.hub.hub.entities.read("@a@b", ({ entity, waiting }) => ({
      text: entity.text,
      modifiedAt: entity.modifiedAt,
      waiting,
    }));
    expect(seen).toEqual({ text: '{"n":1}', modifiedAt: modified, waiting: 0 });
  });

  it("counts once: the same answer again, or with an unknown token, changes nothing", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "set");
    const batch = await worker.batch();
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    const before = world.hub.store.durablePosition;
    await worker.answer(batch, { results: [succeeded()], entityState: "2" });
    await worker.answer({ token: "unknown" }, { results: [succeeded()], entityState: "3" });
    expect(world.hub.store.durablePosition).toBe(before);
    expect((await entityOf(world, "@a@b"))?.serializedState).toBe("1");
  });

  it("without a token is nobody's: it may be a late one for another entity", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "op");
    const batch = await worker.batch();
    await worker.answer({ token: "" }, { results: [succeeded()], entityState: "1" });
    expect(await entityOf(world, "@a@b")).toBeUndefined();
    await worker.answer(batch, { results: [succeeded()], entityState: "2" });
    expect((await entityOf(world, "@a@b"))?.serializedState).toBe("2");
  });

  it("with fewer results puts the rest back at the head of the queue", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "hold");
    const held = await worker.batch();
    await signal(world, "@a@b", "1", "2", "3");
    await worker.answer(held, { results: [succeeded()], entityState: "0" });
    const batch = await worker.batch();
    expect(operationsOf(batch.request)).toEqual(["1", "2", "3"]);
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    const rest = await worker.batch();
    expect(operationsOf(rest.request)).toEqual(["2", "3"]);
    expect(rest.request.entityState).toBe("1");
  });

  it.each([
    ["absent", {}],
    ["empty", { entityState: "" }],
  ])("with a state that is %s deletes the entity", async (_what, state) => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "set");
    await worker.answer(await worker.batch(), { results: [succeeded()], entityState: "1" });
    expect(await entityOf(world, "@a@b")).toBeDefined();
    await signal(world, "@a@b", "delete");
    await worker.answer(await worker.batch(), { results: [succeeded()], ...state });
    expect(await entityOf(world, "@a@b")).toBeUndefined();
    await signal(world, "@a@b", "again");
    expect((await worker.batch()).request.entityState).toBeUndefined();
  });

  it("that failed outside user code is tried again with a delay, then its operations are dropped, and the state stays", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "set");
    await worker.answer(await worker.batch(), { results: [succeeded()], entityState: "1" });
    await signal(world, "@a@b", "bad");
    const failureDetails = { errorType: "E", errorMessage: "broken" };
    let tries = 0;
    // Ends when the sidecar gives up.
    for (; tries < 10; tries += 1) {
      await world.hub.pass(60_000);
      if (worker.waiting("entityRequestV2") === 0) break;
      const batch = await worker.batch();
      expect(batch.request.entityState).toBe("1");
      await worker.answer(batch, { failureDetails });
      // The second time it does not come at once.
      if (tries > 0) expect(worker.waiting("entityRequestV2")).toBe(0);
    }
    expect(tries).toBe(3);
    const entity = await entityOf(world, "@a@b");
    expect(entity).toMatchObject({ serializedState: "1", backlogQueueSize: 0 });
  });

  it("that asks for its state gets the same batch again", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "op");
    const first = await worker.batch();
    await worker.answer(first, { requiresState: true });
    const second = await worker.batch();
    expect(second.token).not.toBe(first.token);
    expect(second.request).toEqual(first.request);
    await worker.answer(second, { requiresState: true });
    await world.hub.settled();
    expect(worker.waiting("entityRequestV2")).toBe(0);
    await world.hub.pass(200);
    expect((await worker.batch()).request).toEqual(first.request);
  });

  it("carries out actions: signals to other entities, and new orchestrations", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    const at = timestampFromDate(new Date("2026-01-01T11:00:00Z"));
    await signal(world, "@a@b", "go");
    await worker.answer(await worker.batch(), {
      results: [succeeded()],
      entityState: "1",
      actions: [
        sendSignal("@Other@1", "now"),
        sendSignal("@Other@1", "later", at),
        startOrchestration("Main", { instanceId: "started", input: "7" }),
      ],
    });
    const batch = await worker.batch();
    expect(batch.request.instanceId).toBe("@other@1");
    expect(operationsOf(batch.request)).toEqual(["now"]);
    expect((await worker.turn()).request.instanceId).toBe("started");
    expect((await world.state("started"))?.input).toBe("7");
    await worker.answer(batch, { results: [succeeded()], entityState: "x" });
    await world.hub.pass(60 * 60_000);
    expect(operationsOf((await worker.batch()).request)).toEqual(["later"]);
  });

  it("with a failed operation commits the others", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "1");
    const first = await worker.batch();
    await signal(world, "@a@b", "2", "3");
    await worker.answer(first, { results: [failed("no")], entityState: "kept" });
    const second = await worker.batch();
    expect(second.request.entityState).toBe("kept");
    await worker.answer(second, { results: [failed("no"), succeeded()], entityState: "3" });
    expect((await entityOf(world, "@a@b"))?.serializedState).toBe("3");
  });
});

describe.each(transports)("AbandonTaskEntityWorkItem over $name", ({ serve }) => {
  it("gives the batch back: it comes later each time, with what has come meanwhile behind it", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await signal(world, "@a@b", "1");
    const first = await worker.batch();
    await world.client.abandonTaskEntityWorkItem({ completionToken: first.token });
    await signal(world, "@a@b", "2");
    await world.hub.settled();
    expect(worker.waiting("entityRequestV2")).toBe(0);
    await world.hub.pass(200);
    const second = await worker.batch();
    expect(operationsOf(second.request)).toEqual(["1", "2"]);
    await worker.answer(first, { results: [succeeded()], entityState: "stale" });
    expect(await entityOf(world, "@a@b")).toBeUndefined();
    await world.client.abandonTaskEntityWorkItem({ completionToken: second.token });
    await world.hub.pass(399);
    expect(worker.waiting("entityRequestV2")).toBe(0);
    await world.hub.pass(1);
    expect(worker.waiting("entityRequestV2")).toBe(1);
  });

  it("is OK for a token that is unknown", async () => {
    await using world = await openCompat(serve);
    await world.client.abandonTaskEntityWorkItem({ completionToken: "unknown" });
    await world.client.abandonTaskEntityWorkItem({});
  });
});

describe.each(transports)("the first encoding over $name", ({ serve }) => {
  it("has flat operations, and the same answers", async () => {
    await using world = await openCompat(serve, { started: { entityBatches: "v1" } });
    const worker = await world.worker();
    await world.client.signalEntity({
      instanceId: "@a@b",
      name: "add",
      input: "5",
      requestId: guid,
    });
    const first = await worker.batchV1();
    expect(first.request).toMatchObject({ instanceId: "@a@b", properties: {} });
    expect(first.request.entityState).toBeUndefined();
    expect(first.request.operations).toMatchObject([
      { operation: "add", requestId: guid, input: "5" },
    ]);
    await worker.answer(first, { results: [succeeded()], entityState: "5" });
    await world.client.signalEntity({ instanceId: "@a@b", name: "get" });
    const second = await worker.batchV1();
    expect(second.request.entityState).toBe("5");
    expect(second.request.operations[0]?.input).toBeUndefined();
    await worker.answer(second, { results: [succeeded()], entityState: "6" });
    expect((await entityOf(world, "@a@b"))?.serializedState).toBe("6");
  });
});
