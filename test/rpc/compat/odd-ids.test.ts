import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";

const odd = [
  "..",
  "../../etc/passwd",
  "a/b",
  "a\\b",
  "a::b",
  "a%2Fb",
  "a%00b",
  "a b ",
  " ",
  "🎉👩‍👩‍👧",
  "\u202eevil\u200f",
  "é",
  "e\u0301",
  "__proto__",
  "constructor",
  "toString",
  "@counter",
  "a@b@c",
  '"; DROP TABLE instances; --',
  "\ufeffbom",
  "\uffff",
  "i".repeat(512),
  "🎉".repeat(128),
];

/** Through every method that names an instance; `other` must stay as it is. */
async function expectUsable(world: CompatWorld, instanceId: string): Promise<void> {
  const { client } = world;
  const before = await world.state("other");
  expect(await world.status(instanceId)).toBeUndefined();
  expect(await world.start(instanceId)).toBe(instanceId);
  await client.suspendInstance({ instanceId, reason: instanceId });
  expect(await world.status(instanceId)).toBe("SUSPENDED");
  await client.resumeInstance({ instanceId });
  await client.raiseEvent({ instanceId, name: "E" });
  await run(world, instanceId);
  expect((await world.kinds(instanceId)).at(-1)).toBe("executionCompleted");
  await world.start(instanceId);
  await client.terminateInstance({ instanceId, output: instanceId });
  expect(await world.state(instanceId)).toMatchObject({ instanceId, output: instanceId });
  await expectFound(world, instanceId);
  const request = { case: "instanceId", value: instanceId } as const;
  // An id that begins with @ is an entity's unless the client says otherwise.
  const purged = await client.purgeInstances({ request, isOrchestration: true });
  expect(purged.deletedInstanceCount).toBe(1);
  expect(await world.status(instanceId)).toBeUndefined();
  expect(await world.state("other")).toEqual(before);
}

/** By both queries; it is over, and ends at once when it has begun again. */
async function expectFound(world: CompatWorld, instanceId: string): Promise<void> {
  const { client } = world;
  const query = { instanceIdPrefix: instanceId };
  const { orchestrationState } = await client.queryInstances({ query });
  expect(orchestrationState.map((state) => state.instanceId)).toContain(instanceId);
  expect((await client.listInstanceIds({})).instanceIds).toContain(instanceId);
  const instanceBatch = { instanceIds: [instanceId] };
  const end = () => client.skipGracefulOrchestrationTerminations({ instanceBatch });
  expect((await end()).unterminatedInstanceIds).toEqual([instanceId]);
  await world.start(instanceId);
  expect((await end()).unterminatedInstanceIds).toEqual([]);
  expect(await world.status(instanceId)).toBe("TERMINATED");
  // A page that ends at this id goes on behind it.
  const first = await client.queryInstances({ query: { maxInstanceCount: 1 } });
  const { continuationToken = "" } = first;
  const second = await client.queryInstances({ query: { continuationToken } });
  const both = [...first.orchestrationState, ...second.orchestrationState];
  expect(both.map((state) => state.instanceId).toSorted()).toEqual(
    [instanceId, "other"].toSorted(),
  );
}

/** Two turns and an activity, to the end. */
async function run(world: CompatWorld, instanceId: string): Promise<void> {
  const { client } = world;
  await using worker = await world.worker({
    workItemFilters: { orchestrations: [{ name: "Main" }], activities: [{ name: "Work" }] },
  });
  const turn = await worker.turn();
  expect(turn.request.instanceId).toBe(instanceId);
  await worker.complete(turn, [scheduleTask(1)]);
  const started = await client.waitForInstanceStart({ instanceId });
  expect(started.orchestrationState?.instanceId).toBe(instanceId);
  const activity = await worker.activity();
  expect(activity.request.orchestrationInstance?.instanceId).toBe(instanceId);
  await worker.finish(activity, { completionToken: "" });
  await worker.complete(await worker.turn(), [completed()], { completionToken: "" });
  await client.waitForInstanceCompletion({ instanceId });
}

describe.each(transports)("an instance over $name", ({ serve }) => {
  it.each(odd)("with the id %j is usable by every method", async (id) => {
    await using world = await openCompat(serve);
    await world.start("other", "Other");
    await expectUsable(world, id);
    expect(world.internalErrors).toEqual([]);
  });

  it("is told apart from every other, with all odd ids at once", async () => {
    await using world = await openCompat(serve);
    await Promise.all(odd.map((id) => world.start(id, "Main", id)));
    for (const id of odd) {
      expect(await world.state(id)).toMatchObject({ instanceId: id, input: id });
    }
  });

  it("has any text without control characters for its id", async () => {
    await using world = await openCompat(serve);
    await world.start("other", "Other");
    const id = fc
      .string({ unit: "binary", minLength: 1, maxLength: 100 })
      .filter((text) => !/\p{Cc}|^@[^@]*@|^other$/u.test(text));
    await fc.assert(
      fc.asyncProperty(id, (instanceId) => expectUsable(world, instanceId)),
      { numRuns: 30 },
    );
  });
});
