/** ListInstanceIds, over both transports. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { idPages, oneOfEach, startMany } from "../../support/compat-queries.ts";
import { type CompatWorld, failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";

const { PENDING, RUNNING, SUSPENDED, COMPLETED, FAILED, TERMINATED, CONTINUED_AS_NEW } =
  OrchestrationStatus;

describe.each(transports)("ListInstanceIds over $name", ({ serve }) => {
  /** Terminated in an order of their own, two at a time. */
  async function endMany(world: CompatWorld): Promise<string[]> {
    const ids = await startMany(world, 8);
    const order = ["i006", "i002", "i000", "i007", "i001", "i004"];
    for (const [at, instanceId] of order.entries()) {
      await world.client.terminateInstance({ instanceId });
      if (at % 2 === 1) await world.hub.pass(1_000);
    }
    expect(ids).toHaveLength(8);
    return ["i002", "i006", "i000", "i007", "i001", "i004"];
  }

  it("lists what is finished, by time of completion, then by id", async () => {
    await using world = await openCompat(serve);
    const ids = await endMany(world);
    for (const size of [0, -5, 1, 4, 6, 100]) {
      expect((await idPages(world, size)).flat(), String(size)).toEqual(ids);
    }
    expect((await idPages(world, 3)).map(({ length }) => length)).toEqual([3, 3]);
    expect((await idPages(world, 4)).map(({ length }) => length)).toEqual([4, 2]);
    const { lastInstanceKey = "" } = await world.client.listInstanceIds({ pageSize: 2 });
    // Python's own tests look for it there.
    expect(lastInstanceKey).toContain(ids[1]);
    const next = await world.client.listInstanceIds({ lastInstanceKey, pageSize: 3 });
    expect(next.instanceIds).toEqual(ids.slice(2, 5));
    expect((await world.client.listInstanceIds({ lastInstanceKey: "" })).instanceIds).toEqual(ids);
  });

  it("takes completion within bounds that belong to the range", async () => {
    await using world = await openCompat(serve);
    const ids = await endMany(world);
    const { completedTimestamp: at } = (await world.state("i000")) ?? {};
    if (at === undefined) expect.fail("it is finished");
    const next = { ...at, nanos: at.nanos + 1 };
    const listed = async (request: object) => (await idPages(world, 0, request)).flat();
    expect(await listed({ completedTimeFrom: at, completedTimeTo: at })).toEqual(ids.slice(2, 4));
    expect(await listed({ completedTimeFrom: next })).toEqual(ids.slice(4));
    expect(await listed({ completedTimeTo: at })).toEqual(ids.slice(0, 4));
    expect(await listed({ completedTimeFrom: next, completedTimeTo: at })).toEqual([]);
  });

  it("tells endings apart, and knows nothing of what has not ended", async () => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    const by = async (...runtimeStatus: OrchestrationStatus[]) =>
      (await idPages(world, 2, { runtimeStatus })).flat();
    expect(await by()).toEqual(["completed", "failed", "terminated"]);
    expect(await by(FAILED)).toEqual(["failed"]);
    expect(await by(COMPLETED, TERMINATED, RUNNING)).toEqual(["completed", "terminated"]);
    expect(await by(RUNNING, PENDING, SUSPENDED, CONTINUED_AS_NEW)).toEqual([]);
    const request = { runtimeStatus: [COMPLETED], pageSize: 1 };
    expect((await world.client.listInstanceIds(request)).lastInstanceKey).toBeUndefined();
    await world.start("completed");
    expect(await by()).toEqual(["failed", "terminated"]);
  });

  it("refuses a cursor of another question, and one that is made up", async () => {
    await using world = await openCompat(serve);
    await endMany(world);
    const { lastInstanceKey = "" } = await world.client.listInstanceIds({ pageSize: 2 });
    for (const request of [
      { lastInstanceKey, runtimeStatus: [TERMINATED] },
      { lastInstanceKey, completedTimeFrom: timestampFromMs(0) },
      { lastInstanceKey, completedTimeTo: timestampFromMs(4e12) },
      { lastInstanceKey: `${lastInstanceKey}x` },
      { lastInstanceKey: "i002" },
      { runtimeStatus: [99 as OrchestrationStatus] },
      { completedTimeFrom: { seconds: 2n ** 62n, nanos: 0 } },
      { completedTimeTo: { seconds: 0n, nanos: -1 } },
    ]) {
      const call = world.client.listInstanceIds(request);
      expect(await failureOf(call)).toMatchObject({ code: "InvalidArgument" });
    }
    const query = { continuationToken: lastInstanceKey };
    const foreign = world.client.queryInstances({ query });
    expect(await failureOf(foreign)).toMatchObject({ code: "InvalidArgument" });
    expect(world.internalErrors).toEqual([]);
  });
});
