/** PurgeInstances by filter and in batches. */
import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  OrchestrationStatus,
  type PurgeInstanceFilterSchema,
  PurgeInstancesResponseSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type CompatWorld, failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, failed, startChild } from "../../support/worker-actions.ts";

type Filter = MessageInitShape<typeof PurgeInstanceFilterSchema>;

const MINUTE = 60_000;
const beganAtMs = Date.parse("2026-01-01T10:00:00Z");

function byFilter({ client }: CompatWorld, value: Filter, recursive = false) {
  return client.purgeInstances({ request: { case: "purgeInstanceFilter", value }, recursive });
}

function batch({ client }: CompatWorld, instanceIds: readonly string[], options = {}) {
  const value = { instanceIds: [...instanceIds] };
  return client.purgeInstances({ request: { case: "instanceBatch", value }, ...options });
}

/** One of each status, a minute apart: `completed` at 10:00, `failed`, `terminated`, and two that live. */
async function oneOfEach(world: CompatWorld): Promise<void> {
  for (const id of ["completed", "failed", "terminated", "suspended", "pending"]) {
    await world.start(id, id);
    world.hub.clock.advance(MINUTE);
  }
  await world.client.suspendInstance({ instanceId: "suspended" });
  await world.client.terminateInstance({ instanceId: "terminated" });
  const workItemFilters = { orchestrations: [{ name: "completed" }, { name: "failed" }] };
  await using worker = await world.worker({ workItemFilters });
  for (let turns = 0; turns < 2; turns += 1) {
    const turn = await worker.turn();
    const how = turn.request.instanceId === "failed" ? failed("it broke") : completed();
    await worker.complete(turn, [how]);
  }
}

async function terminated({ hub }: CompatWorld, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `i${index}`);
  await Promise.all(ids.map((id) => hub.start(id)));
  await Promise.all(ids.map((id) => hub.terminate(id)));
  await hub.settled();
}

async function left(world: CompatWorld): Promise<string[]> {
  const ids = ["completed", "failed", "terminated", "suspended", "pending"];
  const statuses = await Promise.all(ids.map((id) => world.status(id)));
  return ids.filter((_, at) => statuses[at] !== undefined);
}

const live = ["suspended", "pending"];
const { COMPLETED, FAILED, TERMINATED, PENDING, RUNNING, SUSPENDED } = OrchestrationStatus;
const { CONTINUED_AS_NEW } = OrchestrationStatus;

function at(minutes: number, nanos = 0) {
  const time = timestampFromMs(beganAtMs + minutes * MINUTE);
  return { seconds: time.seconds - (nanos < 0 ? 1n : 0n), nanos: nanos < 0 ? 1e9 + nanos : nanos };
}

describe.each(transports)("PurgeInstances by filter over $name", ({ serve }) => {
  const cases: [string, Filter, string[]][] = [
    ["without anything: all that has ended", {}, live],
    ["of one status", { runtimeStatus: [FAILED] }, ["completed", "terminated", ...live]],
    ["of several", { runtimeStatus: [COMPLETED, TERMINATED, COMPLETED] }, ["failed", ...live]],
    [
      "of statuses that have not ended: nothing",
      { runtimeStatus: [PENDING, RUNNING, SUSPENDED, CONTINUED_AS_NEW] },
      ["completed", "failed", "terminated", ...live],
    ],
    [
      "of these and others: the others",
      { runtimeStatus: [RUNNING, FAILED] },
      ["completed", "terminated", ...live],
    ],
    ["from a time on, inclusive", { createdTimeFrom: at(1) }, ["completed", ...live]],
    ["from just behind it", { createdTimeFrom: at(1, 1) }, ["completed", "failed", ...live]],
    ["to a time, inclusive", { createdTimeTo: at(1) }, ["terminated", ...live]],
    ["to just before it", { createdTimeTo: at(1, -1) }, ["failed", "terminated", ...live]],
    [
      "of a moment",
      { createdTimeFrom: at(1), createdTimeTo: at(1) },
      ["completed", "terminated", ...live],
    ],
    ["to the end of all time", { createdTimeTo: { seconds: 253_402_300_799n } }, live],
    ["with no time to take: as long as it takes", { timeout: {} }, live],
  ];

  it.each(cases)("%s", async (_what, filter, expected) => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    const answer = await byFilter(world, filter);
    expect(await left(world)).toEqual(expected);
    expect(answer).toMatchObject({
      deletedInstanceCount: 5 - expected.length,
      isComplete: true,
    });
    expect(await byFilter(world, filter)).toMatchObject({
      deletedInstanceCount: 0,
      isComplete: true,
    });
    await world.hub.crash();
    expect(await left(world)).toEqual(expected);
  });

  it("of an empty hub is complete", async () => {
    await using world = await openCompat(serve);
    expect(await byFilter(world, {})).toMatchObject({ deletedInstanceCount: 0, isComplete: true });
  });

  it("takes one instance of a family, or all of it when it is recursive", async () => {
    await using world = await openCompat(serve);
    await world.start("p");
    world.hub.clock.advance(MINUTE);
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [startChild(1, "c")]);
    await worker.completeNext();
    await worker.completeNext();
    const old = { createdTimeTo: at(0) };
    expect(await byFilter(world, old, true)).toMatchObject({ deletedInstanceCount: 2 });
    expect([await world.status("p"), await world.status("c")]).toEqual([undefined, undefined]);
  });

  it("whose deadline passes is DEADLINE_EXCEEDED and stops behind its slice", async () => {
    await using world = await openCompat(serve);
    await terminated(world, 520);
    world.hub.bytes.hold();
    const request = { case: "purgeInstanceFilter", value: {} } as const;
    const call = world.client.purgeInstances({ request }, { timeoutMs: 100 });
    expect(await failureOf(call)).toMatchObject({ code: "DeadlineExceeded" });
    world.hub.bytes.release();
    await world.hub.settled();
    expect(world.hub.hubs.figures.purged).toBe(500);
  });

  it("says that it is not complete when its time is over", async () => {
    await using world = await openCompat(serve);
    await terminated(world, 520);
    world.hub.bytes.hold();
    const call = byFilter(world, { timeout: { nanos: 1 } });
    await expect.poll(() => world.hub.hubs.figures.purged).toBe(500);
    world.hub.steady.advance(1);
    world.hub.bytes.release();
    expect(await call).toMatchObject({ deletedInstanceCount: 500, isComplete: false });
    expect(await byFilter(world, { timeout: { seconds: 60n } })).toMatchObject({
      deletedInstanceCount: 20,
      isComplete: true,
    });
  });

  const refused: [string, Filter, RegExp][] = [
    [
      "a range that ends before it begins",
      { createdTimeFrom: at(1), createdTimeTo: at(0) },
      /later/,
    ],
    [
      "a status that is none",
      { runtimeStatus: [COMPLETED, 99 as OrchestrationStatus] },
      /unknown status/,
    ],
    ["no time", { createdTimeFrom: { seconds: 10n ** 15n } }, /createdTimeFrom/],
    ["no time either", { createdTimeTo: { nanos: -1 } }, /createdTimeTo/],
    ["a negative timeout", { timeout: { seconds: -1n } }, /timeout is negative/],
    ["a timeout that is none", { timeout: { nanos: 1_000_000_000 } }, /timeout/],
  ];

  it.each(refused)("with %s is INVALID_ARGUMENT", async (_what, filter, words) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await world.client.terminateInstance({ instanceId: "witness" });
    await world.expectRefused(() => byFilter(world, filter), "InvalidArgument", words);
  });
});

describe.each(transports)("PurgeInstances of a batch over $name", ({ serve }) => {
  it("is as one purge of each: unknown, unfinished and repeated ids count nothing", async () => {
    await using world = await openCompat(serve);
    await oneOfEach(world);
    const ids = ["failed", "nobody", "pending", "failed", "completed"];
    expect(await batch(world, ids)).toMatchObject({ deletedInstanceCount: 2, isComplete: true });
    expect(await left(world)).toEqual(["terminated", ...live]);
  });

  it("of nothing is complete", async () => {
    await using world = await openCompat(serve);
    expect(await batch(world, [])).toMatchObject({ deletedInstanceCount: 0, isComplete: true });
  });

  it("takes ids that begin with @ and are no entity ids, and all when it is told so", async () => {
    await using world = await openCompat(serve);
    for (const id of ["@counter", "a::b", "__proto__"]) {
      await world.start(id);
      await world.client.terminateInstance({ instanceId: id });
    }
    const answer = await batch(world, ["@counter", "a::b", "__proto__"]);
    expect(answer).toMatchObject({ deletedInstanceCount: 3 });
    const none = await batch(world, ["@counter@a"], { isOrchestration: true });
    expect(none).toMatchObject({ deletedInstanceCount: 0, isComplete: true });
  });

  it("may have 500 ids, and one more is INVALID_ARGUMENT", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await world.client.terminateInstance({ instanceId: "witness" });
    const ids = Array.from({ length: 500 }, (_, index) => `nobody${index}`);
    expect(await batch(world, ids)).toMatchObject({ deletedInstanceCount: 0, isComplete: true });
    const call = () => batch(world, ["witness", ...ids]);
    await world.expectRefused(call, "InvalidArgument", /501 instances; the limit is 500/);
  });

  it("with an id that is none deletes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await world.client.terminateInstance({ instanceId: "witness" });
    const call = () => batch(world, ["witness", ""]);
    await world.expectRefused(call, "InvalidArgument", /instanceBatch/);
  });
});

describe("what is answered", () => {
  it("says on the wire that it is complete, also when it says no number", async () => {
    const [inMemory] = transports;
    await using world = await openCompat((inMemory ?? expect.fail("a transport")).serve);
    const bytes = toBinary(PurgeInstancesResponseSchema, await byFilter(world, {}));
    expect(Buffer.from(bytes).toString("hex")).toBe("12020801");
  });
});
