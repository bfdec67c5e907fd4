/** SkipGracefulOrchestrationTerminations, over both transports. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  OrchestratorActionSchema,
  type SendEntityMessageActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { inHub, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import {
  completed,
  continueAsNew,
  scheduleTask,
  startChild,
} from "../../support/worker-actions.ts";

const onlyMain = { workItemFilters: { orchestrations: [{ name: "Main" }] } };

function entityMessage(
  id: number,
  entityMessageType: NonNullable<
    MessageInitShape<typeof SendEntityMessageActionSchema>["EntityMessageType"]
  >,
) {
  const value = { EntityMessageType: entityMessageType };
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "sendEntityMessage", value },
  });
}

describe.each(transports)("SkipGracefulOrchestrationTerminations over $name", ({ serve }) => {
  it("ends each instance that is not finished, and names the others once, in order", async () => {
    await using world = await openCompat(serve);
    for (const id of ["done", "pending", "held"]) await world.start(id);
    await (await world.worker(onlyMain)).completeNext('"result"');
    await world.client.suspendInstance({ instanceId: "held" });
    const before = await world.facts("done");
    const instanceIds = ["nobody", "held", "@e@key", "done", "pending", "held", "nobody"];
    const answer = await world.client.skipGracefulOrchestrationTerminations({
      instanceBatch: { instanceIds },
      reason: "enough",
    });
    expect(answer.unterminatedInstanceIds).toEqual(["nobody", "@e@key", "done"]);
    for (const id of ["pending", "held"]) {
      expect(await world.status(id)).toBe("TERMINATED");
      expect(await world.state(id)).toMatchObject({
        output: "enough",
        completedTimestamp: world.hub.clock.now(),
      });
    }
    expect((await world.facts("done")).state).toEqual(before.state);
  });

  it("records termination and end, with the reason, also of what never ran", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const instanceBatch = { instanceIds: ["a"] };
    await world.client.skipGracefulOrchestrationTerminations({ instanceBatch, reason: "enough" });
    const history = await world.history("a");
    expect(history.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "executionTerminated",
      "executionCompleted",
    ]);
    expect(history[2]?.eventType.value).toMatchObject({ input: "enough", recurse: false });
    expect(history[3]?.eventType.value).toMatchObject({ result: "enough", orchestrationStatus: 5 });
  });

  it.each([
    ["absent", {}, undefined],
    ["empty", { reason: "" }, ""],
  ])("records a reason that is %s as such", async (_what, reason, expected) => {
    await using world = await openCompat(serve);
    await world.start("a");
    const instanceBatch = { instanceIds: ["a"] };
    await world.client.skipGracefulOrchestrationTerminations({ instanceBatch, ...reason });
    expect((await world.state("a"))?.output).toBe(expected);
    expect(await world.status("a")).toBe("TERMINATED");
  });

  it.each([
    ["completes it", [completed('"late"')]],
    ["goes on", [scheduleTask(7)]],
    ["continues as new", [continueAsNew("next")]],
  ])("an answer to the turn in flight that %s is OK and changes nothing", async (_, actions) => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    const instanceBatch = { instanceIds: ["a"] };
    await world.client.skipGracefulOrchestrationTerminations({ instanceBatch, reason: "now" });
    expect(await world.status("a")).toBe("TERMINATED");
    const before = await world.facts("a");
    await worker.complete(turn, actions);
    await worker.complete({ ...turn, token: "" }, actions);
    expect(await world.facts("a")).toEqual(before);
    expect(before.state).toMatchObject({ output: "now" });
  });

  it("drops the result of an activity that is still running", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    const activity = await worker.activity();
    const instanceBatch = { instanceIds: ["a"] };
    await world.client.skipGracefulOrchestrationTerminations({ instanceBatch });
    const before = await world.facts("a");
    await worker.finish(activity, { result: "1" });
    expect(await world.facts("a")).toEqual(before);
  });

  it("tells the parent, and leaves children alone", async () => {
    await using world = await openCompat(serve);
    await world.start("p");
    const worker = await world.worker(onlyMain);
    await worker.complete(await worker.turn(), [startChild(1, "c"), startChild(2, "d")]);
    await world.hub.settled();
    const end = (id: string) =>
      world.client.skipGracefulOrchestrationTerminations({
        instanceBatch: { instanceIds: [id] },
        reason: "why",
      });
    await end("c");
    const { request } = await worker.turn();
    const told = request.newEvents.map(({ eventType }) => eventType);
    expect(told.at(-1)).toMatchObject({
      case: "subOrchestrationInstanceFailed",
      value: { taskScheduledId: 1 },
    });
    await end("p");
    await world.hub.settled();
    expect(await world.status("d")).toBe("PENDING");
  });

  it("leaves alone who holds the lock of an entity, until it has let go", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker(onlyMain);
    const instanceIds = ["@e@k", "a"];
    const end = () =>
      world.client.skipGracefulOrchestrationTerminations({ instanceBatch: { instanceIds } });
    const section = { criticalSectionId: "s", parentInstanceId: "a" };
    const lock = entityMessage(1, {
      case: "entityLockRequested",
      value: { ...section, lockSet: ["@e@k"] },
    });
    await worker.complete(await worker.turn(), [lock]);
    const granted = await worker.turn();
    const kinds = granted.request.newEvents.map(({ eventType }) => eventType.case);
    expect(kinds).toContain("entityLockGranted");
    expect((await end()).unterminatedInstanceIds).toEqual(["@e@k", "a"]);
    expect(await world.status("a")).toBe("RUNNING");
    const unlock = entityMessage(2, {
      case: "entityUnlockSent",
      value: { ...section, targetInstanceId: "@e@k" },
    });
    await worker.complete(granted, [unlock]);
    expect((await end()).unterminatedInstanceIds).toEqual(["@e@k"]);
    expect(await world.status("a")).toBe("TERMINATED");
    const { exists } = await world.client.getEntity({ instanceId: "@e@k" });
    expect(exists).toBe(false);
  });

  it("leaves alone who has a part of the locks that it has asked for", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker(onlyMain);
    const lock = (parentInstanceId: string, ...lockSet: string[]) => {
      const value = { criticalSectionId: `of ${parentInstanceId}`, parentInstanceId, lockSet };
      return entityMessage(1, { case: "entityLockRequested", value });
    };
    await world.start("holder");
    await worker.complete(await worker.turn(), [lock("holder", "@e@b")]);
    await worker.turn();
    await world.start("waiter");
    await worker.complete(await worker.turn(), [lock("waiter", "@e@a", "@e@b")]);
    await world.hub.settled();
    const query = { instanceIdStartsWith: "@e@a", includeTransient: true };
    const { entities } = await world.client.queryEntities({ query });
    expect(entities.map(({ lockedBy }) => lockedBy)).toEqual(["waiter"]);
    const answer = await world.client.skipGracefulOrchestrationTerminations({
      instanceBatch: { instanceIds: ["waiter"] },
    });
    expect(answer.unterminatedInstanceIds).toEqual(["waiter"]);
    expect(await world.status("waiter")).toBe("RUNNING");
  });

  it("takes 500 ids, and refuses more before it has done anything", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const ids = Array.from({ length: 499 }, (_, at) => `i${at}`);
    await Promise.all(ids.slice(0, 70).map((id) => world.start(id)));
    const call = (instanceIds: string[]) =>
      world.client.skipGracefulOrchestrationTerminations({ instanceBatch: { instanceIds } });
    const tooMany = () => call(["witness", ...ids, "one more"]);
    await world.expectRefused(tooMany, "InvalidArgument", /501 ids; the limit is 500/);
    expect(await world.status("witness")).toBe("PENDING");
    const { unterminatedInstanceIds } = await call(["witness", ...ids]);
    expect(unterminatedInstanceIds).toEqual(ids.slice(70));
    expect(await world.status("i69")).toBe("TERMINATED");
  });

  it.each([
    ["an empty id", { instanceIds: ["witness", ""] }, {}],
    ["an id with a line feed", { instanceIds: ["witness", "a\nb"] }, {}],
    ["an id that is too long", { instanceIds: ["witness", "i".repeat(513)] }, {}],
    ["a reason that is too long", { instanceIds: ["witness"] }, { reason: "r".repeat(16_385) }],
  ])("refuses %s and ends nothing", async (_, instanceBatch, more) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const call = () =>
      world.client.skipGracefulOrchestrationTerminations({ instanceBatch, ...more });
    await world.expectRefused(call, "InvalidArgument", /instanceBatch|reason/);
  });

  it("does nothing when it names nobody, and creates no hub", async () => {
    await using world = await openCompat(serve);
    const calls = [
      world.client.skipGracefulOrchestrationTerminations({}),
      world.client.skipGracefulOrchestrationTerminations({ instanceBatch: {} }),
    ];
    for (const answer of await Promise.all(calls)) {
      expect(answer.unterminatedInstanceIds).toEqual([]);
    }
    const instanceBatch = { instanceIds: ["a"] };
    const elsewhere = inHub("nowhere");
    const answer = await world.client.skipGracefulOrchestrationTerminations(
      { instanceBatch },
      elsewhere,
    );
    expect(answer.unterminatedInstanceIds).toEqual(["a"]);
    expect(await world.hub.store.listHubs()).toEqual([]);
  });
});
