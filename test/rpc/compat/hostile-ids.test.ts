/**
 * Ids that look like paths, keys of objects, other ids or nothing, in every place that takes one: as
 * what clients name, what orchestrations start and send to, and what entities are called.
 */
import { describe, expect, it } from "vitest";
import type { CompatWorker, TurnItem } from "../../support/compat-worker.ts";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import {
  completed,
  failed,
  scheduleTask,
  sendEvent,
  startChild,
  terminateOther,
} from "../../support/worker-actions.ts";

const [{ serve }] = transports as [(typeof transports)[number]];

const odd = [
  "a::b",
  "../x",
  "..",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "🎉👩‍👩‍👧",
  "é",
  "e\u0301",
  "İ",
  " a ",
  " ",
  "@name",
  "a@b@c",
  "\u202eevil",
  "i".repeat(512),
  "🎉".repeat(128),
] as const;

/** With a short name for it. */
function named(id: string): readonly [string, string] {
  return [id.length > 40 ? `of ${Buffer.byteLength(id)} bytes` : JSON.stringify(id), id];
}

/** Ids that a careless store or map would take for the same one. */
function neighboursOf(id: string): readonly string[] {
  const all = [`${id}x`, id.slice(0, -2), id.trim(), id.normalize("NFC"), id.normalize("NFD")];
  const others = ["other", "Other", id.toLowerCase(), id.toUpperCase(), ...all];
  const isPossible = (each: string) => each !== "" && Buffer.byteLength(each) <= 512;
  return [...new Set(others)].filter((each) => each !== id && isPossible(each));
}

class IdWorld {
  readonly world: CompatWorld;
  readonly worker: CompatWorker;
  readonly id: string;

  constructor(world: CompatWorld, worker: CompatWorker, id: string) {
    this.world = world;
    this.worker = worker;
    this.id = id;
  }

  /** The next turn, which must be of this instance. */
  async turnOf(instanceId: string): Promise<TurnItem> {
    const turn = await this.worker.turn();
    expect(turn.request.instanceId).toBe(instanceId);
    return turn;
  }

  /** The events of a turn, as far as they are not only its clock. */
  newIn({ request }: TurnItem) {
    return request.newEvents.map(({ eventType }) => eventType).slice(1);
  }

  async expectPurged(instanceId: string, count: number): Promise<void> {
    const { deletedInstanceCount } = await this.world.client.purgeInstances({
      request: { case: "instanceBatch", value: { instanceIds: [instanceId] } },
      isOrchestration: true,
      recursive: true,
    });
    expect(deletedInstanceCount).toBe(count);
    expect(await this.world.status(instanceId)).toBeUndefined();
  }
}

/** As a child: started, sent an event, terminated and started again in its place, and finished. */
async function asChild(at: IdWorld): Promise<void> {
  const { world, worker, id } = at;
  await world.start("parent");
  await worker.complete(await at.turnOf("parent"), [startChild(1, id)]);
  const first = await at.turnOf(id);
  expect(at.newIn(first)[0]).toMatchObject({
    case: "executionStarted",
    value: {
      orchestrationInstance: { instanceId: id },
      parentInstance: { orchestrationInstance: { instanceId: "parent" } },
    },
  });
  await worker.complete(first);
  await world.start("sender");
  await worker.complete(await at.turnOf("sender"), [sendEvent(1, id, "E", "5")]);
  const told = await at.turnOf(id);
  expect(at.newIn(told)).toMatchObject([{ case: "eventRaised", value: { name: "E", input: "5" } }]);
  await worker.complete(told, [completed("done")]);
  const answered = await at.turnOf("parent");
  expect(at.newIn(answered)).toMatchObject([
    { case: "subOrchestrationInstanceCompleted", value: { taskScheduledId: 1, result: "done" } },
  ]);
  // In the place of the one that has finished.
  await worker.complete(answered, [startChild(2, id)]);
  await worker.complete(await at.turnOf(id));
  await world.client.raiseEvent({ instanceId: "sender", name: "go" });
  await worker.complete(await at.turnOf("sender"), [terminateOther(2, id, "enough"), completed()]);
  const failedTurn = await at.turnOf("parent");
  expect(at.newIn(failedTurn)).toMatchObject([{ case: "subOrchestrationInstanceFailed" }]);
  await worker.complete(failedTurn, [completed()]);
  expect(await world.state(id)).toMatchObject({ instanceId: id, output: "enough" });
  await at.expectPurged("parent", 2);
  await at.expectPurged("sender", 1);
  expect(await world.status(id)).toBeUndefined();
}

/** As a parent whose children have ids that its SDK has left to the sidecar. */
async function asParent(at: IdWorld): Promise<void> {
  const { world, worker, id } = at;
  await world.start(id);
  await worker.complete(await at.turnOf(id), [startChild(1, "")]);
  const child = `${id}:0001`;
  if (Buffer.byteLength(child) > 512) {
    const refused = await at.turnOf(id);
    expect(at.newIn(refused)).toMatchObject([
      {
        case: "subOrchestrationInstanceFailed",
        value: { failureDetails: { errorMessage: expect.stringMatching(/longer than 512 bytes/) } },
      },
    ]);
    await worker.complete(refused, [completed()]);
    return at.expectPurged(id, 1);
  }
  await worker.complete(await at.turnOf(child), [completed("7")]);
  await worker.complete(await at.turnOf(id), [completed()]);
  expect(await world.state(child)).toMatchObject({ output: "7" });
  return at.expectPurged(id, 2);
}

/** Failed and rewound, started again under its id and under a new one. */
async function runAgain(at: IdWorld): Promise<void> {
  const { world, worker, id } = at;
  const { client } = world;
  await world.start(id, "Main", "5");
  await worker.complete(await at.turnOf(id), [scheduleTask(1)]);
  await worker.finish(await worker.activity(), {
    failureDetails: { errorType: "E", errorMessage: "broken" },
  });
  await worker.complete(await at.turnOf(id), [failed("broken")]);
  await client.rewindInstance({ instanceId: id, reason: id });
  await worker.complete(await at.turnOf(id), [scheduleTask(1)]);
  const activity = await worker.activity();
  expect(activity.request.orchestrationInstance?.instanceId).toBe(id);
  await worker.finish(activity, { result: "1" });
  await worker.complete(await at.turnOf(id), [completed("well")]);
  expect(await world.kinds(id)).toContain("executionRewound");
  const again = await client.restartInstance({ instanceId: id });
  expect(again.instanceId).toBe(id);
  await worker.complete(await at.turnOf(id), [completed("again")]);
  const wish = { instanceId: id, restartWithNewInstanceId: true };
  const { instanceId: copy } = await client.restartInstance(wish);
  await worker.complete(await at.turnOf(copy), [completed("copy")]);
  expect(await world.state(id)).toMatchObject({ input: "5", output: "again" });
  expect(await world.state(copy)).toMatchObject({ input: "5", output: "copy" });
  expect((await client.listInstanceIds({})).instanceIds.toSorted()).toEqual([id, copy].toSorted());
  const found = await client.queryInstances({ query: { instanceIdPrefix: id } });
  const ids = found.orchestrationState.map(({ instanceId }) => instanceId);
  expect(ids.filter((each) => !neighboursOf(id).includes(each))).toEqual([id]);
  await at.expectPurged(copy, 1);
  await at.expectPurged(id, 1);
}

describe("an orchestration", () => {
  it.each(odd.map(named))(
    "with the id %s is itself wherever workers and reruns name it",
    async (_, id) => {
      await using world = await openCompat(serve);
      const neighbours = neighboursOf(id);
      for (const each of neighbours) await world.start(each, "Other", each);
      const before = await Promise.all(neighbours.map((each) => world.state(each)));
      await using worker = await world.worker({
        workItemFilters: {
          orchestrations: [{ name: "Main" }, { name: "Child" }],
          activities: [{ name: "Work" }],
        },
      });
      const at = new IdWorld(world, worker, id);
      await asChild(at);
      await asParent(at);
      await runAgain(at);
      expect(await Promise.all(neighbours.map((each) => world.state(each)))).toEqual(before);
      const left = await world.client.queryInstances({});
      const ids = left.orchestrationState.map(({ instanceId }) => instanceId);
      expect(ids.toSorted()).toEqual([...neighbours].toSorted());
      expect(world.internalErrors).toEqual([]);
    },
  );

  it.each([
    ["of 513 bytes", "i".repeat(513), /is longer than 512 bytes/],
    ["of 513 bytes in fewer characters", `${"🎉".repeat(128)}i`, /is longer than 512 bytes/],
    ["with NUL", "a\u0000b", /contains a control character/],
    ["of an entity", "@name@key", /has the form of an entity id/],
    ["of an entity without a key", "@__proto__@", /has the form of an entity id/],
  ])("is not started as a child with an id %s, and its parent is told why", async (_, id, why) => {
    await using world = await openCompat(serve);
    await world.start("parent");
    await using worker = await world.worker();
    await worker.complete(await worker.turn(), [startChild(1, id)]);
    const { request } = await worker.turn();
    expect(request.newEvents[1]?.eventType).toMatchObject({
      case: "subOrchestrationInstanceFailed",
      value: { failureDetails: { errorMessage: expect.stringMatching(why), isNonRetriable: true } },
    });
    const { orchestrationState } = await world.client.queryInstances({});
    expect(orchestrationState.map(({ instanceId }) => instanceId)).toEqual(["parent"]);
  });
});
