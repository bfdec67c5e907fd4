/** What a page costs and who is served meanwhile, when it has to be full. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { certainPage, Work } from "../../sidecar/scheduler/find-page.ts";
import { findByCreation, findFinished } from "../../sidecar/scheduler/query.ts";
import { compileFilter } from "../../sidecar/scheduler/query-filter.ts";
import { Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { InstanceFilterSchema } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { QueryWorld } from "../support/query-world.ts";

const live = new AbortController().signal;

/** So many instances, of which only the last one's id begins with z. */
async function needleIn(haystack: number): Promise<QueryWorld> {
  const world = new QueryWorld();
  await Promise.all(Array.from({ length: haystack }, (_, at) => world.start(`i${at}`)));
  world.nowMs += 1;
  await world.start("z");
  world.forgetCosts();
  return world;
}

function findNeedle(world: QueryWorld, signal: AbortSignal) {
  const filter = compileFilter(create(InstanceFilterSchema, { instanceIdPrefix: "z" }));
  const options = { filter, view: () => "found", after: undefined, limit: 1 };
  return findByCreation(world, options, { work: Work.until(signal) });
}

describe("a page that has to be full", () => {
  it("goes on beyond what other calls may cost, and lets others have their turn", async () => {
    await using world = await needleIn(LIMITS.queryRowsMax + 1_000);
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { found, next } = await findNeedle(world, live);
    isOver = true;
    expect([found.length, next, world.loads]).toEqual([1, undefined, 1]);
    expect(turns).toBeGreaterThan(LIMITS.queryRowsMax / 500);
  });

  it("ends with the call, in the middle", async () => {
    await using world = await needleIn(3_000);
    const call = new AbortController();
    const reason = new HubError("cancelled", "nobody waits");
    world.afterRead = async () => {
      if (world.rowsRead > 1_000) call.abort(reason);
    };
    await expect(findNeedle(world, call.signal)).rejects.toBe(reason);
    expect(world.rowsRead).toBeLessThan(5_000);
  });

  it("costs as much out of many as out of few", async () => {
    const costs = [];
    for (const count of [200, 2_000]) {
      await using world = await needleIn(count);
      const filter = compileFilter(create(InstanceFilterSchema));
      const view = () => "found";
      const { found } = await certainPage(100, (limit) =>
        findByCreation(
          world,
          { filter, view, after: undefined, limit },
          { work: Work.until(live) },
        ),
      );
      costs.push([found.length, world.loads, world.rowsRead]);
    }
    expect(costs[1]).toEqual(costs[0]);
  });

  it("holds an item that is too much for any page alone, and does not stop there", async () => {
    await using world = new QueryWorld();
    for (const id of ["a", "huge", "b", "c"]) {
      await world.start(id);
      world.nowMs += 1;
    }
    const filter = compileFilter(create(InstanceFilterSchema));
    const pages: string[][] = [];
    let after: Parameters<typeof findByCreation>[1]["after"];
    do {
      let room = 10;
      const fits = (id: string) => {
        room -= id === "huge" ? 11 : 1;
        return room >= 0;
      };
      const view = ({ instanceId }: { instanceId: string }) => instanceId;
      const options = { filter, view, after, limit: 9 };
      const page = await findByCreation(world, options, { work: Work.until(live), fits });
      pages.push(page.found.map(({ item }) => item));
      after = page.next;
    } while (after !== undefined);
    expect(pages).toEqual([["a"], ["huge"], ["b", "c"]]);
  });

  it("of finished instances needs no instance loaded", async () => {
    await using world = new QueryWorld();
    for (let at = 0; at < 40; at += 1) {
      await world.start(`i${at}`);
      await world.finish(`i${at}`, at % 2 === 0 ? Status.COMPLETED : Status.FAILED);
      world.nowMs += 1;
    }
    const statuses = new Set([Status.FAILED]);
    const wanted = { statuses, completed: {}, after: undefined, work: Work.until(live) };
    const page = await certainPage(20, (limit) => findFinished(world, { ...wanted, limit }));
    expect([page.found.length, page.next, world.loads]).toEqual([20, undefined, 0]);
  });
});
