/**
 * Entity ids whose names and keys look like paths, keys of objects, other ids or nothing, in every
 * place that takes one; and what those that know only orchestrations are told of them.
 */
import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import {
  operationsOf,
  sendSignal,
  startOrchestration,
  succeeded,
} from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, entityMessage } from "../../support/worker-actions.ts";

const [{ serve }] = transports as [(typeof transports)[number]];

/** As a client or a worker writes it, and as it is stored and shown: the name in lower case. */
const odd: readonly (readonly [string, string])[] = [
  ["@Counter@a::b", "@counter@a::b"],
  ["@COUNTER@../x", "@counter@../x"],
  ["@c@__proto__", "@c@__proto__"],
  ["@__proto__@constructor", "@__proto__@constructor"],
  ["@Constructor@hasOwnProperty", "@constructor@hasOwnProperty"],
  ["@c@", "@c@"],
  ["@c@@", "@c@@"],
  ["@c@@d@e", "@c@@d@e"],
  ["@c@Key", "@c@Key"],
  ["@c@ a ", "@c@ a "],
  ["@ c @ ", "@ c @ "],
  ["@🎉@👩‍👩‍👧", "@🎉@👩‍👩‍👧"],
  ["@É@é", "@é@é"],
  ["@E\u0301@e\u0301", "@e\u0301@e\u0301"],
  ["@İ@İ", "@i\u0307@İ"],
  ["@../X@..", "@../x@.."],
  ["@c@\u202eevil", "@c@\u202eevil"],
  [`@C@${"k".repeat(509)}`, `@c@${"k".repeat(509)}`],
  [`@${"N".repeat(256)}@${"🎉".repeat(63)}`, `@${"n".repeat(256)}@${"🎉".repeat(63)}`],
];

/** With short names for them. */
function named([written, id]: readonly [string, string]): readonly [
  string,
  string,
  string,
  string,
] {
  const short = (text: string) =>
    text.length > 40 ? `${text.slice(0, 20)}…` : JSON.stringify(text);
  return [short(written), short(id), written, id];
}

/** Ids that a careless store or map would take for the same one. */
function neighboursOf(id: string): readonly string[] {
  const keyAt = id.indexOf("@", 1) + 1;
  const [name, key] = [id.slice(0, keyAt), id.slice(keyAt)];
  const keys = [`${key}x`, key.slice(0, -2), key.trim(), key.toLowerCase(), key.toUpperCase()];
  const forms = [key.normalize("NFC"), key.normalize("NFD"), "other"];
  const all = [...keys, ...forms].map((each) => name + each);
  return [...new Set(all)].filter((each) => each !== id && Buffer.byteLength(each) <= 512);
}

const requestId = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const section = "0f8fad5b-d9cb-469f-a165-70867728950e";

async function setText(worker: CompatWorker, id: string, text: string): Promise<void> {
  const batch = await worker.batch();
  expect(batch.request.instanceId).toBe(id);
  await worker.answer(batch, { results: [succeeded()], entityState: text });
}

async function textOf({ client }: CompatWorld, instanceId: string): Promise<string | undefined> {
  const { exists, entity } = await client.getEntity({ instanceId, includeState: true });
  expect(exists).toBe(entity !== undefined);
  return entity?.serializedState;
}

/** Signalled by a client, an orchestration and an entity. */
async function signalled(
  world: CompatWorld,
  worker: CompatWorker,
  [written, id]: readonly [string, string],
) {
  const { client } = world;
  await client.signalEntity({ instanceId: written, name: "add", requestId });
  await setText(worker, id, "1");
  await world.start("main");
  const value = { targetInstanceId: written, requestId, operation: "add" };
  const signal = entityMessage(1, { case: "entityOperationSignaled", value });
  await worker.complete(await worker.turn(), [signal]);
  await setText(worker, id, "2");
  await client.signalEntity({ instanceId: "@sender@1", name: "go" });
  const sender = await worker.batch();
  const actions = [sendSignal(written, "add"), startOrchestration("Main", { instanceId: "from" })];
  await worker.answer(sender, { results: [succeeded()], actions });
  await setText(worker, id, "3");
  expect((await worker.completeNext()).request.instanceId).toBe("from");
  for (const spelling of [written, id]) expect(await textOf(world, spelling)).toBe("3");
}

/** Locked and called by an orchestration, together with another. */
async function locked(
  world: CompatWorld,
  worker: CompatWorker,
  [written, id]: readonly [string, string],
) {
  const { client } = world;
  const lockSet = ["@a@1", written, id];
  const wish = { criticalSectionId: section, lockSet };
  await client.raiseEvent({ instanceId: "main", name: "go" });
  await worker.complete(await worker.turn(), [
    entityMessage(2, { case: "entityLockRequested", value: wish }),
  ]);
  const granted = await worker.turn();
  expect(granted.request.newEvents[1]?.eventType.case).toBe("entityLockGranted");
  const { entity } = await client.getEntity({ instanceId: written });
  expect(entity).toMatchObject({ instanceId: id, lockedBy: "main" });
  const call = { targetInstanceId: written, requestId, operation: "get" };
  await worker.complete(granted, [
    entityMessage(3, { case: "entityOperationCalled", value: call }),
  ]);
  const batch = await worker.batch();
  expect(batch.request.instanceId).toBe(id);
  expect(operationsOf(batch.request)).toEqual(["get"]);
  await worker.answer(batch, { results: [succeeded("4")], entityState: "4" });
  const answered = await worker.turn();
  expect(answered.request.newEvents[1]?.eventType).toMatchObject({
    case: "entityOperationCompleted",
    value: { requestId, output: "4" },
  });
  const release = { criticalSectionId: section, targetInstanceId: written };
  await worker.complete(answered, [entityMessage(4, { case: "entityUnlockSent", value: release })]);
  await world.hub.settled();
  expect((await client.getEntity({ instanceId: id })).entity?.lockedBy).toBeUndefined();
  await client.raiseEvent({ instanceId: "main", name: "end" });
  await worker.complete(await worker.turn(), [completed()]);
}

async function idsOf({ client }: CompatWorld, instanceIdStartsWith = ""): Promise<string[]> {
  const query = { instanceIdStartsWith, includeTransient: true };
  const { entities } = await client.queryEntities({ query });
  return entities.map(({ instanceId }) => instanceId);
}

describe("an entity", () => {
  it.each(odd.map(named))(
    "%s is the one with the id %s wherever it is named",
    async (_, __, ...both) => {
      const [written, id] = both;
      await using world = await openCompat(serve);
      await using worker = await world.worker();
      const { client } = world;
      const neighbours = neighboursOf(id);
      for (const instanceId of neighbours) {
        await client.signalEntity({ instanceId, name: "set" });
        await setText(worker, instanceId, instanceId);
      }
      await signalled(world, worker, [written, id]);
      await locked(world, worker, [written, id]);
      expect(await textOf(world, id)).toBe("4");
      // All that begins with it, and nothing that is only like it.
      const begun = [id, ...neighbours.filter((each) => each.startsWith(id))].toSorted();
      for (const prefix of [written, id])
        expect((await idsOf(world, prefix)).toSorted()).toEqual(begun);
      const purged = await client.purgeInstances({
        request: { case: "instanceBatch", value: { instanceIds: [written, id] } },
      });
      expect(purged.deletedInstanceCount).toBe(1);
      expect(await textOf(world, id)).toBeUndefined();
      for (const each of neighbours) expect(await textOf(world, each)).toBe(each);
      await client.cleanEntityStorage({ removeEmptyEntities: true, releaseOrphanedLocks: true });
      expect((await idsOf(world)).toSorted()).toEqual([...neighbours].toSorted());
      expect(world.internalErrors).toEqual([]);
    },
  );

  it("is no instance to anybody who asks for orchestrations, and says so", async () => {
    await using world = await openCompat(serve);
    await using worker = await world.worker();
    const { client } = world;
    const instanceId = "@x@y";
    await client.signalEntity({ instanceId, name: "set" });
    await setText(worker, instanceId, "1");
    await world.start("witness");
    expect(await client.getInstance({ instanceId })).toMatchObject({ exists: false });
    expect((await client.queryInstances({})).orchestrationState).toHaveLength(1);
    expect((await client.listInstanceIds({})).instanceIds).toEqual([]);
    for (const call of [
      () => client.raiseEvent({ instanceId, name: "E" }),
      () => client.terminateInstance({ instanceId }),
      () => client.suspendInstance({ instanceId }),
      () => client.resumeInstance({ instanceId }),
      () => client.rewindInstance({ instanceId }),
      () => client.restartInstance({ instanceId }),
      () => client.restartInstance({ instanceId, restartWithNewInstanceId: true }),
      () => world.history(instanceId),
    ]) {
      await world.expectRefused(call, "NotFound", /"@x@y"/);
    }
    await world.expectRefused(
      () => world.start(instanceId),
      "InvalidArgument",
      /^instanceId "@x@y" has the form of an entity id$/,
    );
    const instanceBatch = { instanceIds: [instanceId] };
    const skipped = await client.skipGracefulOrchestrationTerminations({ instanceBatch });
    expect(skipped.unterminatedInstanceIds).toEqual([instanceId]);
    const request = { case: "instanceId", value: instanceId } as const;
    const kept = await client.purgeInstances({ request, isOrchestration: true });
    expect(kept.deletedInstanceCount).toBe(0);
    expect(await textOf(world, instanceId)).toBe("1");
    expect((await client.purgeInstances({ request })).deletedInstanceCount).toBe(1);
    expect(await textOf(world, instanceId)).toBeUndefined();
  });
});

const refused: readonly (readonly [string, RegExp])[] = [
  ["", /instanceId is empty/],
  ["counter", /is not an entity id: @name@key/],
  ["@counter", /is not an entity id: @name@key/],
  ["@@", /is not an entity id: @name@key/],
  ["@@key", /is not an entity id: @name@key/],
  ["counter@key", /is not an entity id: @name@key/],
  [`@c@${"k".repeat(510)}`, /is longer than 512 bytes/],
  // In lower case it has three bytes more for each of them.
  [`@${"İ".repeat(80)}@${"k".repeat(350)}`, /is longer than 512 bytes/],
  [`@${"n".repeat(257)}@k`, /the entity name in instanceId is longer than 256 bytes/],
  ["@a\u0000@k", /contains a control character/],
  ["@a@k\n", /contains a control character/],
];

function briefly([id, why]: readonly [string, RegExp]): readonly [string, string, RegExp] {
  return [id.length > 40 ? `${id.slice(0, 20)}…` : JSON.stringify(id), id, why];
}

describe("an entity id", () => {
  it.each(refused.map(briefly))(
    "%s is refused by everything that takes one",
    async (_, instanceId, why) => {
      await using world = await openCompat(serve);
      await world.start("witness");
      const { client } = world;
      const calls = [
        () => client.signalEntity({ instanceId, name: "add" }),
        () => client.getEntity({ instanceId }),
      ];
      for (const call of calls) await world.expectRefused(call, "InvalidArgument", why);
      await using worker = await world.worker();
      const turn = await worker.turn();
      // Entities that send are not told: nobody waits for what becomes of it.
      await client.signalEntity({ instanceId: "@sender@1", name: "go" });
      const actions = [sendSignal(instanceId, "add")];
      await worker.answer(await worker.batch(), { results: [succeeded()], actions });
      await worker.complete(turn, [
        entityMessage(1, {
          case: "entityOperationSignaled",
          value: { targetInstanceId: instanceId, requestId, operation: "add" },
        }),
      ]);
      expect(await world.status("witness")).toBe("FAILED");
      const state = await world.state("witness");
      expect(state?.failureDetails).toMatchObject({
        errorType: "InvalidEntityMessage",
        isNonRetriable: true,
      });
      expect(await idsOf(world)).toEqual(["@sender@1"]);
    },
  );
});
