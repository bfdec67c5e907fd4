import { describe, expect, it } from "vitest";
import { failureOf, inHub, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed } from "../../support/worker-actions.ts";

describe.each(transports)("Hello over $name", ({ serve }) => {
  it("answers with nothing and creates nothing", async () => {
    await using world = await openCompat(serve);
    expect(await world.client.hello({})).toMatchObject({ $typeName: "google.protobuf.Empty" });
    expect(await world.hub.store.listHubs()).toEqual([]);
  });

  it("does not wait for the store", async () => {
    await using world = await openCompat(serve);
    world.hub.bytes.hold();
    const start = world.client.startInstance({ instanceId: "a", name: "Main" });
    await world.client.hello({});
    world.hub.bytes.release();
    await start;
  });

  it("is answered while the hub drains", async () => {
    await using world = await openCompat(serve);
    await world.hub.hubs.drain(AbortSignal.abort());
    await world.client.hello({});
  });
});

describe.each(transports)("CreateTaskHub over $name", ({ serve }) => {
  it("makes a hub exist, once", async () => {
    await using world = await openCompat(serve);
    await world.client.createTaskHub({});
    await world.client.createTaskHub({ recreateIfExists: false });
    expect(await world.hub.store.listHubs()).toMatchObject([{ name: "default" }]);
  });

  it("leaves what is in the hub alone unless it is told to recreate it", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.createTaskHub({});
    expect(await world.status("a")).toBe("PENDING");
    await world.client.createTaskHub({ recreateIfExists: true });
    expect(await world.status("a")).toBeUndefined();
    expect(await world.hub.store.listHubs()).toMatchObject([{ name: "default" }]);
  });

  it("that recreates makes tokens stale, of turns and of activities", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("a");
    const turn = await worker.turn();
    await world.client.createTaskHub({ recreateIfExists: true });
    await world.start("a");
    await worker.complete(turn, [completed('"late"')]);
    expect(await world.status("a")).toBe("PENDING");
    expect((await worker.turn()).token).not.toBe(turn.token);
  });

  it("that recreates ends waits with NOT_FOUND", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const arrived = world.calls.next("waitForInstanceCompletion");
    const failure = failureOf(world.client.waitForInstanceCompletion({ instanceId: "a" }));
    await arrived;
    await world.client.createTaskHub({ recreateIfExists: true });
    expect(await failure).toMatchObject({ code: "NotFound" });
  });

  it("acts on the hub that the metadata names", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.createTaskHub({ recreateIfExists: true }, inHub("other"));
    expect(await world.status("a")).toBe("PENDING");
    const hubs = await world.hub.store.listHubs();
    expect(hubs.map(({ name }) => name)).toEqual(["default", "other"]);
  });
});

describe.each(transports)("DeleteTaskHub over $name", ({ serve }) => {
  it("wipes the hub; deleting it again, or one that never was, is OK", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.deleteTaskHub({});
    await world.client.deleteTaskHub({});
    await world.client.deleteTaskHub({}, inHub("never"));
    expect(await world.status("a")).toBeUndefined();
    expect(await world.hub.store.listHubs()).toEqual([]);
  });

  it("leaves a hub that the next start creates again", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", '"old"');
    await world.client.deleteTaskHub({});
    await world.start("a", "Main", '"new"');
    expect(await world.state("a")).toMatchObject({ input: '"new"' });
  });

  it("ends waits with NOT_FOUND, also those for an instance that never was", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const calls = [
      ["waitForInstanceStart", "a"],
      ["waitForInstanceCompletion", "a"],
      ["waitForInstanceStart", "nobody"],
    ] as const;
    const failures: Promise<unknown>[] = [];
    for (const [method, instanceId] of calls) {
      const arrived = world.calls.next(method);
      failures.push(failureOf(world.client[method]({ instanceId })));
      await arrived;
    }
    await world.client.deleteTaskHub({});
    expect(await Promise.all(failures)).toMatchObject(calls.map(() => ({ code: "NotFound" })));
  });

  it("leaves streams open, which get the work of the hub that follows", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("a");
    const lost = await worker.turn();
    await world.client.deleteTaskHub({});
    await worker.complete(lost, [completed()]);
    expect(await world.status("a")).toBeUndefined();
    await world.start("b");
    expect((await worker.completeNext()).request.instanceId).toBe("b");
    expect(await world.status("b")).toBe("COMPLETED");
  });

  it("acts on the hub that the metadata names", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.startInstance({ instanceId: "a", name: "Main" }, inHub("other"));
    await world.client.deleteTaskHub({}, inHub("other"));
    expect(await world.status("a")).toBe("PENDING");
    expect(await world.status("a", inHub("other"))).toBeUndefined();
  });
});

describe.each(transports)("two hubs over $name", ({ serve }) => {
  it("hold the same id as two instances", async () => {
    await using world = await openCompat(serve);
    const other = inHub("other");
    await world.start("a", "Main", "1");
    await world.client.startInstance({ instanceId: "a", name: "Main", input: "2" }, other);
    const elsewhere = await world.worker({ hub: "other" });
    await elsewhere.completeNext('"done"');
    expect(await world.state("a", other)).toMatchObject({ input: "2", output: '"done"' });
    expect(await world.state("a")).toMatchObject({ input: "1" });
    expect(await world.status("a")).toBe("PENDING");
    await world.client.purgeInstances({ request: { case: "instanceId", value: "a" } }, other);
    expect(await world.status("a", other)).toBeUndefined();
    expect(await world.status("a")).toBe("PENDING");
  });

  it("do not take each other's tokens, nor completions without one", async () => {
    await using world = await openCompat(serve);
    const other = inHub("other");
    await world.start("a");
    await world.client.startInstance({ instanceId: "b", name: "Main" }, other);
    const worker = await world.worker();
    const turn = await worker.turn();
    for (const completionToken of [turn.token, ""]) {
      await world.client.completeOrchestratorTask(
        { instanceId: "a", completionToken, actions: [completed()] },
        other,
      );
    }
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken: turn.token }, other);
    expect(await world.status("a")).toBe("PENDING");
    await worker.complete(turn, [completed()]);
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("give a worker only the work of its own", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const elsewhere = await world.worker({ hub: "other" });
    await world.client.startInstance({ instanceId: "b", name: "Main" }, inHub("other"));
    expect((await elsewhere.turn()).request.instanceId).toBe("b");
  });

  it("are told apart by case", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance({ instanceId: "a", name: "Main" }, inHub("Default"));
    expect(await world.status("a")).toBeUndefined();
  });
});

describe.each(transports)("a hub that does not exist, over $name,", ({ serve }) => {
  it("is not created by reads, refusals, waits, streams or answers", async () => {
    await using world = await openCompat(serve);
    const { client } = world;
    const instanceId = "a";
    expect(await client.getInstance({ instanceId })).toMatchObject({ exists: false });
    await client.purgeInstances({ request: { case: "instanceId", value: instanceId } });
    await client.completeActivityTask({ instanceId, completionToken: "x" });
    await client.completeOrchestratorTask({ instanceId, completionToken: "x" });
    await client.abandonTaskActivityWorkItem({ completionToken: "x" });
    for (const call of [
      () => client.raiseEvent({ instanceId, name: "E" }),
      () => client.terminateInstance({ instanceId }),
      () => client.suspendInstance({ instanceId }),
      () => client.resumeInstance({ instanceId }),
      () => world.history(instanceId),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: "NotFound" });
    }
    const arrived = world.calls.next("waitForInstanceStart");
    const waiting = client.waitForInstanceStart({ instanceId });
    await arrived;
    const worker = await world.worker();
    await world.hub.settled();
    expect(await world.hub.store.listHubs()).toEqual([]);
    expect(world.hub.store.durablePosition).toBe(0);
    // The wait and the stream had attached to the hub that the first write creates.
    await world.start(instanceId);
    await worker.completeNext();
    expect(await waiting).toMatchObject({ exists: true });
  });

  it.each([
    ["", /empty/],
    ["a,b", /commas/],
    ["a".repeat(129), /longer than 128 bytes/],
  ])("is refused if its name is %j", async (taskhub, words) => {
    await using world = await openCompat(serve);
    const request = { instanceId: "a", name: "Main" };
    const refused = () => world.client.startInstance(request, inHub(taskhub));
    await world.expectRefused(refused, "InvalidArgument", words);
  });
});
