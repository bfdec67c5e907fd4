/** ListSuspensions, over both transports. */
import { describe, expect, it } from "vitest";
import { ExpiryAction, HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { failureOf } from "../../support/compat-world.ts";
import { allPages, openQueryClient, type QueryClient } from "../../support/query-client.ts";
import { transports } from "../../support/rpc-harness.ts";

/** A hold of each scope and two more, a second apart, the oldest first. */
async function holdAll({ hub, client }: QueryClient): Promise<void> {
  for (const id of ["a", "b"]) await hub.start(id, { name: `Name ${id}` });
  const KEEP = ExpiryAction.KEEP;
  const holds = [
    () => client.suspendInstance({ instanceId: "a", name: "first", reason: "Waits for STOCK" }),
    () => client.suspendInstance({ instanceId: "a", name: "tree", scope: HoldScope.TREE }),
    () => client.suspendTaskHub({ name: "window", reason: "night" }),
    () => hub.suspend("b", "compatible"),
    () =>
      client.suspendInstance({
        instanceId: "b",
        name: "late",
        expiresAfter: { seconds: 2n, nanos: 0 },
        expiryAction: KEEP,
      }),
  ];
  for (const hold of holds) {
    await hold();
    await hub.pass(1_000);
  }
}

describe.each(transports)("ListSuspensions over $name", ({ serve }) => {
  it("lists holds of every scope by age, with what they hold", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    await holdAll(world);
    await hub.raise("a", "E", "12345");
    const { suspensions, nextPageToken } = await client.listSuspensions({});
    expect(suspensions).toMatchObject([
      {
        hold: { name: "first", scope: HoldScope.INSTANCE, reason: "Waits for STOCK" },
        instanceId: "a",
        instanceName: "Name a",
        age: { seconds: 5n, nanos: 0 },
        bufferedEvents: 1n,
        instancesHeld: 1n,
      },
      { hold: { name: "tree", scope: HoldScope.TREE }, instanceId: "a", age: { seconds: 4n } },
      { hold: { name: "window", scope: HoldScope.SELECTOR }, instanceId: "", age: { seconds: 3n } },
      { hold: { name: "" }, instanceId: "b", bufferedEvents: 0n, age: { seconds: 2n } },
      { hold: { name: "late" }, instanceId: "b", age: { seconds: 1n } },
    ]);
    expect(suspensions[0]?.bufferedBytes).toBeGreaterThan(0n);
    expect(nextPageToken).toBe("");
  });

  it("pages without a gap, with page sizes that change", async () => {
    await using world = await openQueryClient(serve);
    await holdAll(world);
    for (const sizes of [[1], [2], [3, 1], [5]]) {
      const answers = await allPages((page) => world.client.listSuspensions(page), sizes);
      const names = answers.flatMap(({ suspensions }) => suspensions.map(({ hold }) => hold?.name));
      expect(names).toEqual(["first", "tree", "window", "", "late"]);
    }
  });

  it.each([
    ["a name", { name: "window" }, ["window"]],
    ["the empty name", { name: "" }, [""]],
    ["instances", { scope: HoldScope.INSTANCE }, ["first", "", "late"]],
    ["trees", { scope: HoldScope.TREE }, ["tree"]],
    ["windows", { scope: HoldScope.SELECTOR }, ["window"]],
    ["a part of the reason", { reasonContains: "stock" }, ["first"]],
    ["an age", { olderThan: { seconds: 2n, nanos: 0 } }, ["first", "tree", "window"]],
    ["an instance", { instanceIdPrefix: "a" }, ["first", "tree"]],
    ["several things", { instanceIdPrefix: "b", name: "late" }, ["late"]],
    ["what is not there", { name: "nobody" }, []],
  ])("filters by %s", async (_, request, expected) => {
    await using world = await openQueryClient(serve);
    await holdAll(world);
    const { suspensions } = await world.client.listSuspensions(request);
    expect(suspensions.map(({ hold }) => hold?.name)).toEqual(expected);
  });

  it("lists a hold as overdue once its expiry has passed", async () => {
    await using world = await openQueryClient(serve);
    await holdAll(world);
    const overdue = async () => {
      const { suspensions } = await world.client.listSuspensions({ overdue: true });
      return suspensions.map(({ hold }) => [hold?.name, hold?.overdue]);
    };
    expect(await overdue()).toEqual([]);
    await world.hub.pass(1_000);
    expect(await overdue()).toEqual([["late", true]]);
  });

  it("no longer lists what was released or has ended", async () => {
    await using world = await openQueryClient(serve);
    const { hub, client } = world;
    await holdAll(world);
    await client.resumeInstance({ instanceId: "a", name: "first" });
    await client.resumeTaskHub({ name: "window" });
    await hub.terminate("b");
    const { suspensions } = await client.listSuspensions({});
    expect(suspensions.map(({ hold }) => hold?.name)).toEqual(["tree"]);
  });

  it.each([
    ["an unknown scope", { scope: 9 as HoldScope }],
    ["a negative age", { olderThan: { seconds: -1n, nanos: 0 } }],
    ["a negative page size", { pageSize: -1 }],
    ["a made-up token", { pageToken: "made up" }],
    ["a text longer than any reason", { reasonContains: "x".repeat(16 * 1024 + 1) }],
  ])("refuses %s", async (_, request) => {
    await using world = await openQueryClient(serve);
    expect(await failureOf(world.client.listSuspensions(request))).toMatchObject({
      code: "InvalidArgument",
    });
    expect(world.internalErrors).toEqual([]);
  });

  it("refuses a token of another question", async () => {
    await using world = await openQueryClient(serve);
    await holdAll(world);
    const { nextPageToken: pageToken } = await world.client.listSuspensions({ pageSize: 1 });
    for (const other of [{ name: "a" }, { overdue: true }, { scope: HoldScope.TREE }]) {
      expect(await failureOf(world.client.listSuspensions({ pageToken, ...other }))).toMatchObject({
        code: "InvalidArgument",
      });
    }
    const { suspensions } = await world.client.listSuspensions({ pageToken, pageSize: 3 });
    expect(suspensions.length).toBe(3);
  });
});
