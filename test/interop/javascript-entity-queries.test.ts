import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { idOf, newEntityId, withEntities, workingWith } from "../support/javascript-entities.ts";
import { collected, completed, javaScriptSuite, newId } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const { gates, call, outcomes } = withEntities(suite);

test.concurrent("an unknown entity is not there", async () => {
  const id = newEntityId();
  expect(await suite.client.getEntity(idOf(id))).toBeUndefined();
  expect(await collected(suite.client.getEntities({ instanceIdStartsWith: id }))).toEqual([]);
});

test.concurrent("the state of an entity is left out when it is not asked for", async () => {
  const id = newEntityId();
  await call(id, "set", "told");
  const entity = await suite.client.getEntity(idOf(id), false);
  expect(entity).toMatchObject({ includesState: false, id: { key: idOf(id).key } });
  const query = { instanceIdStartsWith: id, includeState: false };
  const [found] = await collected(suite.client.getEntities(query));
  expect(found).toMatchObject({ includesState: false, id: { key: idOf(id).key } });
  const [full] = await collected(suite.client.getEntities({ instanceIdStartsWith: id }));
  expect(full).toMatchObject({ includesState: true, state: "told" });
});

test.concurrent("entities are found by the beginning of their ids, page by page", async () => {
  const key = randomUUID();
  const ids = Array.from({ length: 7 }, (_, i) => `@account@${key}-${i}`);
  await outcomes(...ids.toReversed().map((to) => ({ to, operation: "set", input: to })));
  const query = { instanceIdStartsWith: `Account@${key}`, pageSize: 3 };
  const pages = await collected(suite.client.getEntities(query).asPages());
  const found = pages.map(({ values }) => values.map(({ id }) => id.toString()));
  expect(found).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
});

test.concurrent("entities are found by the time of their last change", async () => {
  const key = randomUUID();
  const ids = Array.from({ length: 3 }, (_, i) => `@account@${key}-${i}`);
  for (const to of ids) await call(to, "set", 1);
  const middle = await suite.client.getEntity(idOf(ids[1] ?? ""));
  const from = middle?.lastModifiedTime;
  if (from === undefined) throw new Error("it has no time");
  const find = async (times: { lastModifiedFrom?: Date; lastModifiedTo?: Date }) => {
    const query = { instanceIdStartsWith: `@account@${key}`, ...times };
    const found = await collected(suite.client.getEntities(query));
    return found.map(({ id }) => ids.indexOf(id.toString()));
  };
  expect(await find({ lastModifiedFrom: from })).toEqual([1, 2]);
  // The SDK has whole milliseconds: the next one is behind it.
  expect(await find({ lastModifiedTo: new Date(from.getTime() + 1) })).toEqual([0, 1]);
});

test.concurrent("cleaning up removes an entity without a state", async () => {
  const hub = { port: suite.port, taskHub: newId("hub") };
  await using there = await workingWith(hub, "account", gates);
  const { client } = there;
  for (const [operation, key] of [
    ["set", "kept"],
    ["set", "gone"],
    ["delete", "gone"],
  ] as const) {
    const sent = [{ to: `@account@${key}`, operation, input: 1 }];
    await completed(client, await client.scheduleNewOrchestration("calls", sent));
  }
  const cleaned = await client.cleanEntityStorage();
  expect(cleaned).toMatchObject({ emptyEntitiesRemoved: 1, orphanedLocksReleased: 0 });
  const left = await collected(client.getEntities({ includeTransient: true }));
  expect(left.map(({ id }) => id.key)).toEqual(["kept"]);
});

test.concurrent("a locked entity without a state is found among the transient ones only", async () => {
  const id = newEntityId();
  const gate = gates.create();
  const holder = await suite.start("locks", { ids: [id], gate: gate.name, calls: [] });
  await gate.reached;
  expect(await suite.client.getEntity(idOf(id))).toBeUndefined();
  const found = async (includeTransient: boolean) => {
    const query = { instanceIdStartsWith: id, includeTransient };
    return (await collected(suite.client.getEntities(query))).map(({ lockedBy }) => lockedBy);
  };
  expect([await found(false), await found(true)]).toEqual([[], [holder]]);
  gate.open();
  await suite.completed(holder);
});
