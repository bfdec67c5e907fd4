/**
 * A release that is not durable yet releases nothing: a crash would bring the hold back, and what was
 * handed out meanwhile would have run inside of it.
 */
import { describe, expect, it } from "vitest";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed, createTimer, scheduleTask } from "../support/worker-actions.ts";
import { hold, letGo, type Scope, scopes } from "./kit/hold-commands.ts";

interface Way {
  readonly how: string;
  readonly scopes: readonly Scope[];
  /** Seconds after which the hold ends by itself. */
  readonly expiresIn?: number;
  readonly act: (hub: TestHub, scope: Scope) => Promise<unknown>;
}

const ways: readonly Way[] = [
  { how: "a release", scopes, act: (hub, scope) => letGo(hub, scope) },
  {
    how: "a paced release",
    scopes: ["tree", "window", "selector"],
    act: (hub, scope) => letGo(hub, scope, true),
  },
  { how: "an expiry", scopes, expiresIn: 5, act: (hub) => hub.pass(5_000) },
  {
    how: "a replacement that does not cover it",
    scopes: ["selector"],
    act: (hub) => hold(hub, "selector", { replace: true, prefix: "b" }),
  },
];

const cases = ways.flatMap(({ scopes: some, ...way }) => some.map((scope) => ({ ...way, scope })));

describe.each(cases)("$how of a hold of the scope $scope", ({ act, scope, expiresIn }) => {
  const options = expiresIn === undefined ? {} : { expiresIn };

  it("lets nothing go before it is durable, and everything afterwards", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await heldWithWork(hub, worker, () => hold(hub, scope, options));
    await raiseBehind(hub);
    const call = watch(act(hub, scope));
    await hub.settled();
    // What becomes durable before it has the instance looked at again, in vain.
    hub.bytes.releaseOne();
    const late = hub.worker();
    expect([...(await late.waiting()), ...(await worker.waiting())]).toEqual([]);
    hub.bytes.release();
    await call.promise;
    const got = [...(await worker.waiting()), ...(await late.waiting())];
    expect(got.toSorted()).toEqual(["activity a 2", "turn a"]);
  });

  it("that a crash takes back has let nothing go", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await heldWithWork(hub, worker, () => hold(hub, scope));
    await raiseBehind(hub);
    if (expiresIn === undefined) void act(hub, scope);
    await hub.settled();
    hub.bytes.releaseOne();
    expect(await worker.waiting()).toEqual([]);
    await hub.crash();
    const next = hub.worker();
    expect(await next.waiting()).toEqual([]);
    await letGo(hub, scope);
    expect((await next.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  });
});

it.each(scopes)(
  "a hold of the scope %s holds what is queued from its decision on",
  async (scope) => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const turn = await worker.turn("a");
    await worker.close();
    await hub.raise("a", "Event");
    await worker.complete(turn, [scheduleTask(2)]);
    hub.bytes.hold();
    const placing = watch(hold(hub, scope));
    await hub.settled();
    const next = hub.worker();
    expect(await next.waiting()).toEqual([]);
    hub.bytes.release();
    await placing.promise;
    expect(await next.waiting()).toEqual([]);
    await letGo(hub, scope);
    expect((await next.waiting()).toSorted()).toEqual(["activity a 2", "turn a"]);
  },
);

it("the end of a tree lets nothing below it go before it is durable", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("a");
  const turn = await worker.turn("a");
  await hold(hub, "tree");
  hub.bytes.hold();
  void worker.complete(turn, [scheduleTask(1), completed()]);
  expect(await worker.waiting()).toEqual([]);
  hub.bytes.release();
  expect(await worker.waiting()).toEqual(["activity a 1"]);
});

/** An event is on its way to the disk, which makes nothing durable for now. */
async function raiseBehind(hub: TestHub): Promise<void> {
  hub.bytes.hold();
  void hub.raise("a", "Event");
  await hub.settled();
}

/** The instance is held with a turn and an activity of its own waiting. */
async function heldWithWork(
  hub: TestHub,
  worker: ScriptedWorker,
  place: () => Promise<unknown>,
): Promise<void> {
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(1_000))]);
  await hub.raise("a", "Event");
  const turn = await worker.turn("a");
  await place();
  await worker.complete(turn, [scheduleTask(2)]);
  await hub.raise("a", "Event");
  await hub.pass(2_000);
  expect(await worker.waiting()).toEqual([]);
}
