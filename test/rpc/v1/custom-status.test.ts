/** GetCustomStatus and ListCustomStatusRevisions, over both transports. */
import { type Client, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { mountService } from "../../../sidecar/rpc/service.ts";
import { customStatusMethods } from "../../../sidecar/rpc/v1/custom-status-methods.ts";
import { suspensionMethods } from "../../../sidecar/rpc/v1/suspension-methods.ts";
import { ClientService } from "../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { InstanceStatus } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { failureOf, inHub, type Serve } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openHub, type TestHub } from "../../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../../support/worker.ts";
import { completed, continueAsNew } from "../../support/worker-actions.ts";

interface World extends AsyncDisposable {
  readonly hub: TestHub;
  readonly client: Client<typeof ClientService>;
  readonly worker: ScriptedWorker;
}

async function open(serve: Serve): Promise<World> {
  const hub = await openHub();
  const methods = { ...suspensionMethods(hub.hubs), ...customStatusMethods(hub.hubs) };
  const served = await serve(mountService(ClientService, methods));
  return {
    hub,
    client: createClient(ClientService, served.transport),
    worker: hub.worker(),
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

/** One turn of `a` after the other, a second apart, each with its status. */
async function report({ hub, worker }: World, ...statuses: (string | undefined)[]) {
  for (const [index, customStatus] of statuses.entries()) {
    if (index > 0) {
      await hub.pass(1_000);
      await hub.raise("a", "Go");
    }
    const more = customStatus === undefined ? {} : { customStatus };
    await worker.complete(await worker.turn("a"), [], more);
  }
}

describe.each(transports)("GetCustomStatus over $name", ({ serve }) => {
  it("answers text, revision, size, and age at the server's clock", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, '"one"', '"zwölf"');
    const updatedAt = world.hub.clock.now();
    await world.hub.pass(2_500);
    const answer = await world.client.getCustomStatus({ instanceId: "a" });
    expect(answer).toMatchObject({
      notChanged: false,
      revision: 2n,
      status: InstanceStatus.RUNNING,
      holds: [],
      customStatus: {
        value: '"zwölf"',
        revision: 2n,
        updatedAt,
        sizeBytes: 8,
        age: { seconds: 2n, nanos: 500_000_000 },
        overflowed: false,
        updatesDropped: 0n,
        violation: "",
      },
    });
  });

  it("answers without the text when the caller knows the newest revision", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, "one", "two");
    const instanceId = "a";
    const same = await world.client.getCustomStatus({ instanceId, afterRevision: 2n });
    expect(same).toMatchObject({ notChanged: true, revision: 2n, status: InstanceStatus.RUNNING });
    expect(same.customStatus).toBeUndefined();
    // Revisions of a purged life may be ahead of those of the one that took its id.
    for (const afterRevision of [0n, 1n, 3n]) {
      const answer = await world.client.getCustomStatus({ instanceId, afterRevision });
      expect(answer).toMatchObject({ notChanged: false, customStatus: { value: "two" } });
    }
  });

  it("tells a status that was cleared from one that never was", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, undefined);
    const never = await world.client.getCustomStatus({ instanceId: "a", afterRevision: 0n });
    expect(never).toMatchObject({ notChanged: false, revision: 0n });
    expect(never.customStatus).toBeUndefined();
    await world.hub.raise("a", "Go");
    await report(world, "one", undefined);
    const { customStatus } = await world.client.getCustomStatus({ instanceId: "a" });
    expect(customStatus).toMatchObject({ revision: 2n, sizeBytes: 0 });
    expect(customStatus?.value).toBeUndefined();
  });

  it("answers what holds the instance beside it, also what holds many", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, "one");
    await world.client.suspendInstance({ instanceId: "a", name: "review", reason: "look first" });
    await world.hub.pass(1_000);
    await world.client.suspendTaskHub({ name: "window", reason: "maintenance" });
    const answer = await world.client.getCustomStatus({ instanceId: "a", afterRevision: 1n });
    expect(answer).toMatchObject({ notChanged: true, status: InstanceStatus.SUSPENDED });
    expect(answer.holds.map(({ name, reason }) => [name, reason])).toEqual([
      ["review", "look first"],
      ["window", "maintenance"],
    ]);
  });

  it("never answers a negative age when the clock was set back", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, "one");
    world.hub.clock.advance(-60_000);
    const { customStatus } = await world.client.getCustomStatus({ instanceId: "a" });
    expect(customStatus?.age).toMatchObject({ seconds: 0n, nanos: 0 });
  });

  it("is the same after a restart", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, "one", "two");
    const { hubs } = world.hub;
    const before = await hubs.get("default").read("a", ({ customStatus }) => customStatus);
    await world.hub.crash();
    const after = await world.hub.hub.read("a", ({ customStatus }) => customStatus);
    expect(after).toEqual(before);
  });

  it("refuses an instance that does not exist, and an id that cannot be one", async () => {
    await using world = await open(serve);
    const unknown = world.client.getCustomStatus({ instanceId: "a" });
    expect(await failureOf(unknown)).toEqual({
      code: "NotFound",
      message: 'instance "a" does not exist',
    });
    const empty = world.client.getCustomStatus({ instanceId: "" });
    expect(await failureOf(empty)).toEqual({
      code: "InvalidArgument",
      message: "instance_id is empty",
    });
    await world.hub.start("a");
    const elsewhere = world.client.getCustomStatus({ instanceId: "a" }, inHub("other"));
    expect((await failureOf(elsewhere)).code).toBe("NotFound");
  });
});

describe.each(transports)("ListCustomStatusRevisions over $name", ({ serve }) => {
  it("answers what was shown and when, also after completion", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    const begun = world.hub.clock.now();
    await report(world, "one", "one", undefined, "two");
    await world.hub.raise("a", "Go");
    const last = await world.worker.turn("a");
    await world.worker.complete(last, [completed()], { customStatus: "done" });
    const { revisions } = await world.client.listCustomStatusRevisions({ instanceId: "a" });
    const ageOf = (seconds: number) => begun.seconds + BigInt(seconds);
    expect(
      revisions.map(({ revision, value, updatedAt }) => [revision, value, updatedAt?.seconds]),
    ).toEqual([
      [1n, "one", ageOf(0)],
      [2n, undefined, ageOf(2)],
      [3n, "two", ageOf(3)],
      [4n, "done", ageOf(3)],
    ]);
    expect(revisions.map(({ age }) => age?.seconds)).toEqual([3n, 1n, 0n, 0n]);
  });

  it("keeps the last 32, over continue-as-new and a restart of the process", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    for (let n = 1; n <= 40; n += 1) {
      const turn = await world.worker.turn("a");
      await world.worker.complete(turn, [continueAsNew("1")], { customStatus: `${n}` });
    }
    const { revisions } = await world.client.listCustomStatusRevisions({ instanceId: "a" });
    const values = Array.from({ length: 32 }, (_, index) => `${index + 9}`);
    expect(revisions.map(({ value }) => value)).toEqual(values);
    await world.hub.crash();
    const kept = await world.hub.hub.read("a", ({ customStatus, customStatusHistory }) =>
      [...customStatusHistory, customStatus].map((status) => status?.text),
    );
    expect(kept).toEqual(values);
  });

  it("begins again after a purge", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    await report(world, "one", "two");
    await world.hub.terminate("a");
    await world.hub.purge("a");
    await world.hub.start("a");
    await report(world, "three");
    const { revisions } = await world.client.listCustomStatusRevisions({ instanceId: "a" });
    expect(revisions.map(({ revision, value }) => [revision, value])).toEqual([[1n, "three"]]);
  });

  it("answers none for an instance that never had one, and refuses one that does not exist", async () => {
    await using world = await open(serve);
    await world.hub.start("a");
    const { revisions } = await world.client.listCustomStatusRevisions({ instanceId: "a" });
    expect(revisions).toEqual([]);
    const unknown = world.client.listCustomStatusRevisions({ instanceId: "b" });
    expect((await failureOf(unknown)).code).toBe("NotFound");
    const empty = world.client.listCustomStatusRevisions({ instanceId: "" });
    expect((await failureOf(empty)).code).toBe("InvalidArgument");
  });
});
