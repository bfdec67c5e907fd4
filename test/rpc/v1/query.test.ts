/** QueryInstances and CountInstances, over both transports. */
import { toJsonString } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  InstanceSchema,
  InstanceStatus,
} from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { CountDimension, InstanceOrder } from "../../../sidecar/wire/gen/taskhub/v1/query_pb.ts";
import { failureOf, inHub } from "../../support/compat-world.ts";
import { allPages, openQueryClient, type QueryClient } from "../../support/query-client.ts";
import { transports } from "../../support/rpc-harness.ts";
import { watch } from "../../support/scheduler-harness.ts";
import { completed, startChild } from "../../support/worker-actions.ts";

const { STATUS, NAME, HOLD, UNSPECIFIED } = CountDimension;

/** So many instances, a second apart. */
async function startMany({ hub }: QueryClient, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `i${String(at).padStart(3, "0")}`);
  for (const id of ids) {
    await hub.start(id, { name: Number(id.slice(1)) % 2 === 0 ? "Even" : "Odd" });
    await hub.pass(1_000);
  }
  return ids;
}

describe.each(transports)("QueryInstances over $name", ({ serve }) => {
  it("pages through everything without a gap, with page sizes that change", async () => {
    await using world = await openQueryClient(serve);
    const ids = await startMany(world, 21);
    for (const sizes of [[5], [5, 4], [0], [1_000], [1, 20]]) {
      const answers = await allPages((page) => world.client.queryInstances(page), sizes);
      const found = answers.flatMap(({ instances }) => instances);
      expect(found.map(({ instanceId }) => instanceId)).toEqual(ids);
    }
    const pages = await allPages((page) => world.client.queryInstances(page), [5]);
    expect(pages.map(({ instances }) => instances.length)).toEqual([5, 5, 5, 5, 1]);
  });

  it("shows instances with everything that holds them, and nothing of their payloads", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    await hub.start("a", { version: "1", input: "secret" });
    const createdAt = hub.clock.now();
    await hub.pass(1_000);
    await client.suspendInstance({ instanceId: "a", name: "own", reason: "why" });
    await client.suspendTaskHub({ name: "window" });
    const { instances } = await client.queryInstances({});
    expect(instances).toMatchObject([
      {
        instanceId: "a",
        name: "Main",
        version: "1",
        status: InstanceStatus.SUSPENDED,
        createdAt,
        holds: [{ name: "own", reason: "why" }, { name: "window" }],
        heldSince: hub.clock.now(),
      },
    ]);
    const texts = instances.map((each) => toJsonString(InstanceSchema, each));
    expect(texts.join()).not.toContain("secret");
  });

  it("filters by parent, hold of any scope, and custom status", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    const worker = hub.worker();
    for (const id of ["p", "other"]) await hub.start(id);
    const percent = '{"percent":50}';
    await worker.complete(await worker.turn("p"), [startChild(1, "c")], { customStatus: percent });
    await client.suspendInstance({ instanceId: "p", name: "tree", scope: 2 });
    const find = async (filter: Parameters<typeof client.queryInstances>[0]["filter"]) => {
      const { instances } = await client.queryInstances({ ...(filter && { filter }) });
      return instances.map(({ instanceId }) => instanceId).toSorted();
    };
    expect(await find({ parentInstanceId: "p" })).toEqual(["c"]);
    expect(await find({ holdName: "tree" })).toEqual(["c", "p"]);
    expect(await find({ held: false })).toEqual(["other"]);
    const value = { kind: { case: "numberValue", value: 50 } } as const;
    const pointer = "/percent";
    expect(await find({ customStatus: [{ pointer, comparison: 6, value }] })).toEqual(["p"]);
    expect(await find({ customStatus: [{ pointer, comparison: 5, value }] })).toEqual([]);
  });

  it("orders by the time since when instances are held", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    const ids = await startMany(world, 6);
    for (const name of ["first", "second"]) {
      for (const instanceId of ids.slice(1).toReversed()) {
        await client.suspendInstance({ instanceId, name });
        await hub.pass(1_000);
      }
    }
    const order = InstanceOrder.HELD_SINCE;
    const answers = await allPages((page) => client.queryInstances({ order, ...page }), [2, 1]);
    const found = answers.flatMap(({ instances }) => instances);
    expect(found.map(({ instanceId }) => instanceId)).toEqual(ids.slice(1).toReversed());
  });

  it("refuses a token of another filter, order, hub or life of the hub, and a made-up one", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    await startMany(world, 3);
    const { nextPageToken: pageToken } = await client.queryInstances({ pageSize: 1 });
    expect(pageToken).not.toBe("");
    const refusals = [
      client.queryInstances({ pageToken, filter: { names: ["Even"] } }),
      client.queryInstances({ pageToken, order: InstanceOrder.HELD_SINCE }),
      client.queryInstances({ pageToken }, inHub("other")),
      client.countInstances({ pageToken }),
      client.listSuspensions({ pageToken }),
      client.queryInstances({ pageToken: `${pageToken}x` }),
      client.queryInstances({ pageToken: "made up" }),
    ];
    for (const refusal of refusals) {
      expect(await failureOf(refusal)).toMatchObject({ code: "InvalidArgument" });
    }
    await client.queryInstances({ pageToken, order: InstanceOrder.CREATED, pageSize: 7 });
    await hub.hub.delete();
    await hub.start("again");
    expect(await failureOf(client.queryInstances({ pageToken }))).toMatchObject({
      code: "InvalidArgument",
    });
    expect(world.internalErrors).toEqual([]);
  });

  it("goes on with a token after a crash", async () => {
    await using world = await openQueryClient(serve);
    const ids = await startMany(world, 4);
    const { nextPageToken: pageToken } = await world.client.queryInstances({ pageSize: 2 });
    await world.hub.crash();
    await using restarted = await openQueryClient(serve, world.hub);
    const { instances } = await restarted.client.queryInstances({ pageToken });
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(ids.slice(2));
  });

  it.each([
    ["an unknown status", { statuses: [99 as InstanceStatus] }],
    ["no status", { statuses: [0 as InstanceStatus] }],
    ["too many names", { names: new Array<string>(101).fill("a") }],
    ["too many versions", { versions: new Array<string>(101).fill("a") }],
    ["a time that is none", { createdFrom: { seconds: 0n, nanos: -1 } }],
    ["a time after the last", { completedTo: { seconds: 2n ** 62n, nanos: 0 } }],
    ["a negative age", { heldLongerThan: { seconds: -1n, nanos: 0 } }],
    ["an age without end", { heldLongerThan: { seconds: 2n ** 62n, nanos: 0 } }],
    ["too many conditions", { customStatus: new Array(11).fill({}) }],
    ["a pointer that is none", { customStatus: [{ pointer: "a" }] }],
    ["nothing to compare with", { customStatus: [{ comparison: 3 }] }],
  ])("refuses a filter with %s", async (_, filter) => {
    await using world = await openQueryClient(serve);
    await world.hub.start("a");
    for (const call of [
      world.client.queryInstances({ filter }),
      world.client.countInstances({ filter }),
    ]) {
      expect(await failureOf(call)).toMatchObject({ code: "InvalidArgument" });
    }
    expect(world.internalErrors).toEqual([]);
  });

  it("refuses a page size below 0 and an unknown order, and bounds the page size", async () => {
    await using world = await openQueryClient(serve);
    await world.hub.start("a");
    for (const request of [{ pageSize: -1 }, { order: 9 as InstanceOrder }]) {
      expect(await failureOf(world.client.queryInstances(request))).toMatchObject({
        code: "InvalidArgument",
      });
    }
    const { instances } = await world.client.queryInstances({ pageSize: 2 ** 31 - 1 });
    expect(instances.length).toBe(1);
  });

  it("takes a value that a condition does not look at, whatever it is", async () => {
    await using world = await openQueryClient(serve);
    await world.hub.start("a");
    const filter = { customStatus: [{ comparison: 1 as const, value: {} }] };
    expect((await world.client.queryInstances({ filter })).instances).toEqual([]);
  });

  it("finds nothing in a hub that does not exist, and does not create it", async () => {
    await using world = await openQueryClient(serve);
    const { instances } = await world.client.queryInstances({}, inHub("nowhere"));
    expect(instances).toEqual([]);
    expect(await world.hub.store.listHubs()).toEqual([]);
  });
});

describe.each(transports)("CountInstances over $name", ({ serve }) => {
  it("counts by every dimension, the largest count first", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    const ids = await startMany(world, 7);
    const worker = hub.worker();
    await worker.complete(await worker.turn(ids[0]), [completed()]);
    await client.suspendInstance({ instanceId: "i001", name: "h" });
    await client.suspendInstance({ instanceId: "i001", name: "other" });
    await client.suspendTaskHub({ name: "window", selector: { names: ["Even"] } });
    const count = async (groupBy: CountDimension[], filter = {}) =>
      (await client.countInstances({ groupBy, filter })).counts;
    expect(await count([])).toMatchObject([{ count: 7n, status: 0 }]);
    expect(await count([NAME])).toMatchObject([
      { count: 4n, name: "Even" },
      { count: 3n, name: "Odd" },
    ]);
    expect(await count([STATUS])).toMatchObject([
      { count: 5n, status: InstanceStatus.PENDING },
      { count: 1n },
      { count: 1n },
    ]);
    const byHold = await count([HOLD]);
    expect(byHold.map(({ count, holdName }) => [holdName, count])).toEqual([
      [undefined, 3n],
      ["window", 3n],
      ["h", 1n],
      ["other", 1n],
    ]);
    expect(await count([], { held: true })).toMatchObject([{ count: 4n }]);
    expect(await count([], { names: ["Nobody"] })).toEqual([]);
  });

  it("refuses an unknown dimension", async () => {
    await using world = await openQueryClient(serve);
    for (const dimension of [UNSPECIFIED, 9 as CountDimension]) {
      const call = world.client.countInstances({ groupBy: [dimension] });
      expect(await failureOf(call)).toMatchObject({ code: "InvalidArgument" });
    }
  });
});

it("no event is counted beside a window before it is durable", async () => {
  const { serve } = transports[0] ?? expect.fail("there are transports");
  await using world = await openQueryClient(serve);
  const { hub, client } = world;
  await hub.start("a");
  await client.suspendTaskHub({ name: "window" });
  await hub.settled();
  hub.bytes.hold();
  const raising = watch(hub.raise("a", "E"));
  await hub.settled();
  const listing = watch(client.listSuspensions({}));
  await hub.settled();
  expect([raising.state, listing.state]).toEqual(["pending", "pending"]);
  hub.bytes.release();
  const { suspensions } = await listing.promise;
  expect(suspensions).toMatchObject([{ instancesHeld: 1n, bufferedEvents: 1n }]);
});

it("nothing is said of a window before it is durable", async () => {
  const { serve } = transports[0] ?? expect.fail("there are transports");
  await using world = await openQueryClient(serve);
  const { hub, client } = world;
  await hub.start("a");
  hub.bytes.hold();
  const placing = watch(client.suspendTaskHub({ name: "window" }));
  await hub.settled();
  const calls = [
    watch(client.queryInstances({ filter: { held: true } })),
    watch(client.queryInstances({ filter: { held: false } })),
    watch(client.countInstances({ filter: { held: true } })),
    watch(client.listSuspensions({})),
  ];
  await hub.settled();
  expect([placing, ...calls].map(({ state }) => state)).not.toContain("done");
  hub.bytes.release();
  await Promise.all([placing, ...calls].map(({ promise }) => promise));
});
