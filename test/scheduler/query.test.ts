/** Finding instances: filters, orders, pages, and what a page costs. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { FoundPage } from "../../sidecar/scheduler/find-page.ts";
import { findByCreation, findByHold } from "../../sidecar/scheduler/query.ts";
import { compileFilter } from "../../sidecar/scheduler/query-filter.ts";
import type { HeldCursor, InstanceCursor } from "../../sidecar/store/store.ts";
import {
  HoldScope,
  HubHoldSchema,
  Kind,
  Status,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  InstanceFilterSchema,
  InstanceStatus,
} from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { holdOf, QueryWorld } from "../support/query-world.ts";

type Filter = MessageInitShape<typeof InstanceFilterSchema>;

interface Paged {
  readonly pages: string[][];
  readonly ids: string[];
}

async function allPages<C>(
  limits: readonly number[],
  query: (after: C | undefined, limit: number) => Promise<FoundPage<string, C>>,
): Promise<Paged> {
  const pages: string[][] = [];
  let after: C | undefined;
  for (let call = 0; ; call += 1) {
    const page = await query(after, limits[call % limits.length] ?? 1);
    pages.push(page.found.map(({ item }) => item));
    after = page.next;
    if (after === undefined) return { pages, ids: pages.flat() };
  }
}

function byCreation(world: QueryWorld, filter: Filter = {}, limits: readonly number[] = [100]) {
  const compiled = compileFilter(create(InstanceFilterSchema, filter));
  return allPages<InstanceCursor>(limits, (after, limit) =>
    findByCreation(world, { filter: compiled, view: ({ instanceId }) => instanceId, after, limit }),
  );
}

function byHold(world: QueryWorld, filter: Filter = {}, limits: readonly number[] = [100]) {
  const compiled = compileFilter(create(InstanceFilterSchema, filter));
  return allPages<HeldCursor>(limits, (after, limit) =>
    findByHold(world, { filter: compiled, view: ({ instanceId }) => instanceId, after, limit }),
  );
}

async function startMany(world: QueryWorld, count: number, prefix = "i"): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `${prefix}${String(at).padStart(6, "0")}`);
  for (const id of ids) {
    world.nowMs += 1;
    await world.start(id);
  }
  return ids;
}

const ENDS = [Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED] as const;

describe("a query by creation", () => {
  it("shows every orchestration once, the oldest first, whatever became of it", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 400);
    for (const [at, id] of ids.entries()) {
      if (at % 5 > 0) await world.finish(id, ENDS[(at % 5) - 1]);
    }
    await world.start("@entity@key", { kind: Kind.ENTITY });
    for (const limits of [[1], [7], [100], [1, 9, 3]]) {
      expect((await byCreation(world, {}, limits)).ids).toEqual(ids);
    }
  });

  it("orders what was created at one moment by the bytes of the ids", async () => {
    await using world = new QueryWorld();
    const ids = ["", "a", "a\u0000", "aa", "\uffff", "\u{10000}"];
    for (const [at, id] of ids.toReversed().entries()) {
      await world.start(id);
      if (at % 2 === 0) await world.finish(id);
    }
    expect((await byCreation(world, {}, [1])).ids).toEqual(ids);
  });

  it("has no empty last page, and full pages before it", async () => {
    await using world = new QueryWorld();
    await startMany(world, 21);
    const sizes = async (limit: number) =>
      (await byCreation(world, {}, [limit])).pages.map((page) => page.length);
    expect(await sizes(5)).toEqual([5, 5, 5, 5, 1]);
    expect(await sizes(7)).toEqual([7, 7, 7]);
    expect(await sizes(21)).toEqual([21]);
  });

  it("neither skips nor repeats what exists throughout, while others come, go and finish", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 300);
    const doomed = ids.filter((_, at) => at % 7 === 3);
    const finishing = ids.filter((_, at) => at % 3 === 1);
    world.afterRead = async () => {
      const [gone, over] = [doomed.shift(), finishing.pop()];
      if (gone !== undefined) await world.remove(gone);
      if (over !== undefined && world.states.has(over)) await world.finish(over);
      world.nowMs += 1;
    };
    const kept = ids.filter((_, at) => at % 7 !== 3);
    const found = (await byCreation(world, {}, [11, 2, 30])).ids;
    expect(found.filter((id) => kept.includes(id))).toEqual(kept);
    expect(new Set(found).size).toBe(found.length);
  });

  it("never shows a life that took the id of the one in the row", async () => {
    await using world = new QueryWorld();
    await world.start("a");
    world.afterRead = async () => {
      world.nowMs += 5;
      world.afterRead = undefined;
      await world.start("a", { name: "Other" });
    };
    expect((await byCreation(world, {}, [1])).ids).toEqual([]);
    expect((await byCreation(world, {}, [1])).ids).toEqual(["a"]);
  });

  it("says nothing of a hub that does not exist", async () => {
    await using world = new QueryWorld();
    await world.start("a");
    const nowhere = Object.assign(Object.create(world), { number: undefined });
    const filter = compileFilter(create(InstanceFilterSchema));
    const query = { filter, view: () => "", after: undefined, limit: 10 };
    expect(await findByCreation(nowhere, query)).toEqual({ found: [], next: undefined });
    expect(await findByHold(nowhere, query)).toEqual({ found: [], next: undefined });
  });
});

describe("the cost of a page", () => {
  it("does not depend on how many instances there are", async () => {
    const costs: unknown[] = [];
    for (const count of [200, 2_000]) {
      await using world = new QueryWorld();
      await startMany(world, count);
      const filter = compileFilter(create(InstanceFilterSchema));
      world.forgetCosts();
      await findByCreation(world, { filter, view: () => "", after: undefined, limit: 20 });
      costs.push([world.rowsRead, world.loads]);
    }
    expect(costs).toEqual([
      [21, 20],
      [21, 20],
    ]);
  });

  it("is that of the range of creation times that is asked for", async () => {
    await using world = new QueryWorld();
    const startMs = world.nowMs;
    await startMany(world, 2_000);
    world.forgetCosts();
    const createdFrom = timestampFromMs(startMs + 1_000);
    const createdTo = timestampFromMs(startMs + 1_003);
    const { ids } = await byCreation(world, { createdFrom, createdTo });
    expect(ids).toEqual(["i000999", "i001000", "i001001"]);
    expect(world.rowsRead).toBe(3);
  });

  it("is that of the classes that a status asks for", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 1_000);
    await world.finish(ids[500] ?? "", Status.FAILED);
    world.forgetCosts();
    expect((await byCreation(world, { statuses: [InstanceStatus.FAILED] })).ids).toEqual([
      ids[500],
    ]);
    expect([world.rowsRead, world.loads]).toEqual([1, 1]);
  });

  it("is bounded in rows when no index serves the filter, and the next call goes on", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, LIMITS.queryRowsMax + 100);
    await world.change(ids.at(-1) ?? "", { name: "Rare", version: "2" });
    const filter = compileFilter(create(InstanceFilterSchema, { names: ["Rare"] }));
    const query = { filter, view: () => "found", limit: 10 };
    world.forgetCosts();
    const first = await findByCreation(world, { ...query, after: undefined });
    expect(first.found).toEqual([]);
    expect(first.next).toBeDefined();
    expect(world.rowsRead).toBeLessThanOrEqual(LIMITS.queryRowsMax);
    expect(world.loads).toBe(0);
    const { ids: found } = await byCreation(world, { names: ["Rare"] });
    expect(found).toEqual([ids.at(-1)]);
  });

  it("is bounded in instances that are loaded, and the next call goes on", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, LIMITS.queryLoadsMax + 50);
    await world.change(ids.at(-1) ?? "", { status: Status.PENDING });
    const pending = { statuses: [InstanceStatus.PENDING] };
    const filter = compileFilter(create(InstanceFilterSchema, pending));
    world.forgetCosts();
    const query = { filter, view: () => "", after: undefined, limit: 10 };
    const first = await findByCreation(world, query);
    expect([first.found.length, first.next === undefined]).toEqual([0, false]);
    expect(world.loads).toBe(LIMITS.queryLoadsMax);
    expect((await byCreation(world, pending)).ids).toEqual([ids.at(-1)]);
  });

  it("has no loads of instances that the rows of holds rule out", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 2_000);
    for (const id of [ids[1_500], ids[20]]) await world.hold(id ?? "", "maintenance");
    for (const filter of [
      { statuses: [InstanceStatus.SUSPENDED] },
      { held: true },
      { holdName: "maintenance" },
      { heldLongerThan: { seconds: 0n, nanos: 0 } },
    ]) {
      world.forgetCosts();
      world.nowMs += 1;
      expect((await byCreation(world, filter)).ids).toEqual([ids[20], ids[1_500]]);
      expect(world.loads).toBe(2);
    }
  });

  it("is that of the instances that are loaded when there are too many holds to know", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 1_100);
    for (const id of ids) await world.hold(id, "all");
    await world.release(ids[7] ?? "", "all");
    expect((await byCreation(world, { held: false })).ids).toEqual([ids[7]]);
    expect((await byCreation(world, { held: true }, [400])).ids.length).toBe(1_099);
  });
});

describe("a query by holds", () => {
  it("shows each instance once, the longest held first, with any number of holds", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, 30);
    for (const name of ["b", "", "a"]) {
      for (const id of ids.toReversed()) {
        world.nowMs += 1;
        await world.hold(id, name);
      }
    }
    for (const limits of [[1], [4], [100]]) {
      expect((await byHold(world, {}, limits)).ids).toEqual(ids.toReversed());
    }
  });

  it("shows an instance once whose holds were placed at one moment", async () => {
    await using world = new QueryWorld();
    await world.start("a");
    for (const name of ["b", "", "\uffff", "\u{10000}"]) await world.hold("a", name);
    for (const limit of [1, 10]) expect((await byHold(world, {}, [limit])).ids).toEqual(["a"]);
  });

  it("does not show instances that only a window or a tree holds, or that have finished", async () => {
    await using world = new QueryWorld();
    for (const id of ["a", "b", "c"]) await world.start(id);
    await world.hold("a", "own");
    await world.hold("c", "own");
    await world.finish("c");
    world.hubHolds = [
      create(HubHoldSchema, { hold: holdOf("window", { scope: HoldScope.SELECTOR }) }),
    ];
    expect((await byHold(world)).ids).toEqual(["a"]);
    expect((await byHold(world, { statuses: [InstanceStatus.COMPLETED] })).ids).toEqual([]);
  });

  it("obeys the filter, and bounds what it loads", async () => {
    await using world = new QueryWorld();
    const ids = await startMany(world, LIMITS.queryLoadsMax + 50);
    for (const id of ids) {
      world.nowMs += 1;
      await world.hold(id, "h");
    }
    await world.change(ids.at(-1) ?? "", { tags: { found: "yes" } });
    const filter = compileFilter(create(InstanceFilterSchema, { tags: { found: "yes" } }));
    world.forgetCosts();
    const query = { filter, view: () => "", after: undefined, limit: 10 };
    const first = await findByHold(world, query);
    expect([first.found.length, first.next === undefined]).toEqual([0, false]);
    expect(world.loads).toBe(LIMITS.queryLoadsMax);
    expect((await byHold(world, { tags: { found: "yes" } })).ids).toEqual([ids.at(-1)]);
  });
});
