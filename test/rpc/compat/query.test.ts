/** QueryInstances, over both transports. */
import { create } from "@bufbuild/protobuf";
import { StringValueSchema, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import {
  OrchestrationStatus,
  TaskHubSidecarService,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  find,
  idsOf,
  oneOfEach,
  pagesOf,
  type Query,
  startMany,
} from "../../support/compat-queries.ts";
import { failureOf, inHub, openCompat } from "../../support/compat-world.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { transports } from "../../support/rpc-harness.ts";
import { watch } from "../../support/scheduler-harness.ts";

const { PENDING, RUNNING, SUSPENDED, COMPLETED, FAILED, TERMINATED, CONTINUED_AS_NEW } =
  OrchestrationStatus;

describe.each(transports)("QueryInstances over $name", ({ serve }) => {
  it("gives 21 instances in 5 pages of 5, the last of one and without a token", async () => {
    await using world = await openCompat(serve);
    const ids = await startMany(world, 21);
    const pages = await pagesOf(world, [5]);
    expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 5, 1]);
    expect(idsOf(pages.flat())).toEqual(ids);
    for (const sizes of [[5, 4], [1, 20], [21], [0], [-1], [7]]) {
      expect(idsOf((await pagesOf(world, sizes)).flat()), sizes.join()).toEqual(ids);
    }
    expect(await pagesOf(world, [7])).toHaveLength(3);
  });

  it("orders by time of creation, then by id, whatever becomes of an instance", async () => {
    await using world = await openCompat(serve);
    for (const id of ["b", "c", "a"]) await world.start(id);
    await world.hub.pass(1);
    await world.start("0");
    await world.client.terminateInstance({ instanceId: "b" });
    expect(await find(world)).toEqual(["a", "b", "c", "0"]);
    expect(idsOf((await pagesOf(world, [1])).flat())).toEqual(["a", "b", "c", "0"]);
  });

  it("takes every filter into account, with bounds that belong to the range", async () => {
    await using world = await openCompat(serve);
    const ids = await startMany(world, 12);
    const { orchestrationState: all } = await world.client.queryInstances({});
    const createdAt = (at: number) => all[at]?.createdTimestamp ?? expect.fail("no such instance");
    const nextTo = (at: number, ms: number) => timestampFromMs(timestampMs(createdAt(at)) + ms);
    const within = { createdTimeFrom: createdAt(3), createdTimeTo: createdAt(6) };
    expect(await find(world, within)).toEqual(ids.slice(3, 7));
    const inside = { createdTimeFrom: nextTo(3, 1), createdTimeTo: nextTo(6, -1) };
    expect(await find(world, inside)).toEqual(ids.slice(4, 6));
    const only = { createdTimeFrom: createdAt(5), createdTimeTo: createdAt(5) };
    expect(await find(world, only)).toEqual(["i005"]);
    const reversed = { createdTimeFrom: createdAt(6), createdTimeTo: createdAt(3) };
    expect(await find(world, reversed)).toEqual([]);
    const last = { seconds: 253_402_300_799n, nanos: 999_999_999 };
    const toTheEnd = { ...only, createdTimeTo: { ...createdAt(5), ...last } };
    expect(await find(world, toTheEnd)).toEqual(ids.slice(5));
    expect(await find(world, { instanceIdPrefix: "i01" })).toEqual(ids.slice(10));
    expect(await find(world, { instanceIdPrefix: "I01" })).toEqual([]);
    expect(await find(world, { instanceIdPrefix: "" })).toEqual(ids);
    await world.client.terminateInstance({ instanceId: "i004" });
    await world.client.terminateInstance({ instanceId: "i010" });
    const runtimeStatus = [TERMINATED];
    expect(await find(world, { runtimeStatus })).toEqual(["i004", "i010"]);
    expect(await find(world, { ...within, runtimeStatus })).toEqual(["i004"]);
    expect(await find(world, { runtimeStatus, instanceIdPrefix: "i01" })).toEqual(["i010"]);
    expect(await find(world, { ...within, runtimeStatus, instanceIdPrefix: "i01" })).toEqual([]);
    expect(
      await find(world, { taskHubNames: [create(StringValueSchema, { value: "x" })] }),
    ).toEqual(ids);
  });

  it("never shows an entity", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.signalEntity({ instanceId: "@e@k", name: "op" });
    await world.hub.settled();
    expect(await find(world)).toEqual(["a"]);
    expect(await find(world, { instanceIdPrefix: "@" })).toEqual([]);
  });

  it("finds instances by the status that readers see", async () => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    const by = async (...runtimeStatus: OrchestrationStatus[]) =>
      (await find(world, { runtimeStatus })).toSorted();
    expect(await by(PENDING)).toEqual(["pending"]);
    expect(await by(RUNNING)).toEqual(["running"]);
    expect(await by(SUSPENDED)).toEqual(["suspended"]);
    expect(await by(COMPLETED)).toEqual(["completed"]);
    expect(await by(FAILED, TERMINATED)).toEqual(["failed", "terminated"]);
    expect(await by(RUNNING, SUSPENDED, RUNNING)).toEqual(["running", "suspended"]);
    expect(await by(CONTINUED_AS_NEW)).toEqual([]);
    expect(await by(CONTINUED_AS_NEW, PENDING)).toEqual(["pending"]);
    expect(await by()).toHaveLength(6);
  });

  it("has no token when only instances are left that it does not want", async () => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    for (const [status, expected] of [
      [RUNNING, "running"],
      [PENDING, "pending"],
    ] as const) {
      const query = { runtimeStatus: [status], maxInstanceCount: 1 };
      const page = await world.client.queryInstances({ query });
      expect(idsOf(page.orchestrationState)).toEqual([expected]);
      expect(page.continuationToken).toBeUndefined();
    }
  });

  it("shows what GetInstance shows, with payloads only if they were asked for", async () => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    for (const fetchInputsAndOutputs of [false, true]) {
      const query = { fetchInputsAndOutputs };
      const { orchestrationState: found } = await world.client.queryInstances({ query });
      expect(found).toHaveLength(6);
      for (const state of found) {
        const { instanceId } = state;
        const request = { instanceId, getInputsAndOutputs: fetchInputsAndOutputs };
        const { orchestrationState } = await world.client.getInstance(request);
        expect(state).toEqual(orchestrationState);
        const { input, output, customStatus, failureDetails } = state;
        const isShown = fetchInputsAndOutputs;
        expect(input).toBe(isShown ? '"in"' : undefined);
        expect(failureDetails !== undefined).toBe(isShown && instanceId === "failed");
        if (!isShown) expect([output, customStatus]).toEqual([undefined, undefined]);
      }
    }
  });

  it("refuses a token of another filter, method, hub or life of the hub, and a made-up one", async () => {
    await using world = await openCompat(serve);
    const { client, hub } = world;
    await startMany(world, 3);
    const base = { maxInstanceCount: 1, runtimeStatus: [RUNNING, PENDING] };
    const { continuationToken = "" } = await client.queryInstances({ query: base });
    const asked = { ...base, continuationToken };
    const others: Query[] = [
      { runtimeStatus: [PENDING] },
      { instanceIdPrefix: "i" },
      { createdTimeFrom: timestampFromMs(0) },
      { createdTimeTo: timestampFromMs(4e12) },
      { continuationToken: `${continuationToken}A` },
      { continuationToken: continuationToken.slice(1) },
      { continuationToken: "made up" },
    ];
    const ask = (query: Query, options = {}) => client.queryInstances({ query }, options);
    const refusals = [
      ...others.map((other) => ask({ ...asked, ...other })),
      ask(asked, inHub("other")),
      client.listInstanceIds({ lastInstanceKey: continuationToken }),
    ];
    for (const refusal of refusals) {
      expect(await failureOf(refusal)).toMatchObject({ code: "InvalidArgument" });
    }
    const same = { ...asked, runtimeStatus: [PENDING, RUNNING, PENDING], maxInstanceCount: 9 };
    const more = await ask({ ...same, fetchInputsAndOutputs: true });
    expect(idsOf(more.orchestrationState)).toEqual(["i001", "i002"]);
    await hub.hub.delete();
    await hub.start("again");
    expect(await failureOf(ask(asked))).toMatchObject({ code: "InvalidArgument" });
    expect(world.internalErrors).toEqual([]);
  });

  it.each([
    ["an unknown status", { runtimeStatus: [99 as OrchestrationStatus] }, /runtimeStatus/],
    ["too many statuses", { runtimeStatus: new Array(101).fill(PENDING) }, /runtimeStatus/],
    ["a prefix that no id has", { instanceIdPrefix: "a\n" }, /instanceIdPrefix/],
    ["a prefix longer than an id", { instanceIdPrefix: "i".repeat(513) }, /instanceIdPrefix/],
    ["a time that is none", { createdTimeFrom: { seconds: 0n, nanos: -1 } }, /createdTimeFrom/],
    ["a time after the last", { createdTimeTo: { seconds: 2n ** 62n, nanos: 0 } }, /createdTimeTo/],
  ])("refuses %s", async (_, query, words) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    const call = () => world.client.queryInstances({ query });
    await world.expectRefused(call, "InvalidArgument", words);
  });

  it("ends a page before its bytes are too many for a client, and goes on behind it", async () => {
    await using world = await openCompat(serve);
    const megabyte = "x".repeat(1024 * 1024);
    for (const id of ["a", "b", "c"]) await world.start(id, "Main", megabyte);
    await world.start("d", "Main", "x".repeat(2 * 1024 * 1024));
    await world.client.terminateInstance({ instanceId: "d", output: megabyte });
    for (const id of ["e", "f"]) await world.start(id, "Main", "small");
    const pages = await pagesOf(world, [0], { fetchInputsAndOutputs: true });
    expect(pages.map(idsOf)).toEqual([["a", "b"], ["c"], ["d"], ["e", "f"]]);
    expect(await find(world)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("finds nothing in a hub that does not exist, and does not create it", async () => {
    await using world = await openCompat(serve);
    const nowhere = inHub("nowhere");
    expect(await world.client.queryInstances({}, nowhere)).toMatchObject({
      orchestrationState: [],
    });
    expect(await world.client.listInstanceIds({}, nowhere)).toMatchObject({ instanceIds: [] });
    expect(await world.hub.store.listHubs()).toEqual([]);
  });

  it("says nothing of what is not durable", async () => {
    await using world = await openCompat(serve);
    const { hub, client } = world;
    await world.start("a");
    hub.bytes.hold();
    const suspending = watch(client.suspendInstance({ instanceId: "a" }));
    await hub.settled();
    const querying = watch(client.queryInstances({}));
    await hub.settled();
    expect([suspending.state, querying.state]).toEqual(["pending", "pending"]);
    hub.bytes.release();
    const { orchestrationState } = await querying.promise;
    expect(orchestrationState).toMatchObject([{ orchestrationStatus: SUSPENDED }]);
    await suspending.promise;
  });

  it("says nothing of a deletion of the hub that is not durable", async () => {
    await using world = await openCompat(serve);
    const { hub, client } = world;
    await world.start("a");
    hub.bytes.hold();
    const deleting = watch(client.deleteTaskHub({}));
    await hub.settled();
    const calls = [watch(client.queryInstances({})), watch(client.listInstanceIds({}))];
    await hub.settled();
    expect([deleting, ...calls].map(({ state }) => state)).toEqual([
      "pending",
      "pending",
      "pending",
    ]);
    hub.bytes.release();
    await Promise.all([deleting, ...calls].map(({ promise }) => promise));
  });

  it("goes on with a token after a crash", async () => {
    await using world = await openCompat(serve);
    const ids = await startMany(world, 4);
    const query = { maxInstanceCount: 2 };
    const { continuationToken = "" } = await world.client.queryInstances({ query });
    await world.hub.crash();
    await using served = await serve(compatibleService(world.hub.hubs, countedIds("r")));
    const client = createClient(TaskHubSidecarService, served.transport);
    const more = await client.queryInstances({ query: { continuationToken } });
    expect(idsOf(more.orchestrationState)).toEqual(ids.slice(2));
  });
});

it("a page has 100 instances when no size is given, and at most 1,000", async () => {
  const [{ serve }] = transports as [(typeof transports)[number]];
  await using world = await openCompat(serve);
  await Promise.all(Array.from({ length: 1_001 }, (_, at) => world.hub.start(`i${at}`)));
  await world.client.skipGracefulOrchestrationTerminations({
    instanceBatch: { instanceIds: Array.from({ length: 101 }, (_, at) => `i${at}`) },
  });
  for (const [size, expected] of [
    [0, 100],
    [-1, 100],
    [1_000, 1_000],
    [2 ** 31 - 1, 1_000],
  ] as const) {
    const query = { maxInstanceCount: size };
    const { orchestrationState } = await world.client.queryInstances({ query });
    expect(orchestrationState).toHaveLength(expected);
  }
  expect((await world.client.listInstanceIds({})).instanceIds).toHaveLength(100);
});
