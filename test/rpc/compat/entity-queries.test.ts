import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { succeeded } from "../../support/entity-results.ts";
import { transports } from "../../support/rpc-harness.ts";

/** Gives an entity a state. */
async function set(world: CompatWorld, worker: CompatWorker, instanceId: string, text?: string) {
  await world.client.signalEntity({ instanceId, name: "set" });
  const state = text === undefined ? {} : { entityState: text };
  await worker.answer(await worker.batch(), { results: [succeeded()], ...state });
}

interface Question {
  readonly instanceIdStartsWith?: string;
  readonly includeState?: boolean;
  readonly includeTransient?: boolean;
  readonly lastModifiedFrom?: Timestamp;
  readonly lastModifiedTo?: Timestamp;
  readonly pageSize?: number;
  readonly continuationToken?: string;
}

async function page(world: CompatWorld, query: Question = {}) {
  const { entities, continuationToken } = await world.client.queryEntities({ query });
  return { ids: entities.map(({ instanceId }) => instanceId), token: continuationToken };
}

async function ids(world: CompatWorld, query: Question = {}): Promise<string[]> {
  const { ids: found, token } = await page(world, query);
  expect(token).toBeUndefined();
  return found;
}

async function withEntities(world: CompatWorld, names: readonly string[]) {
  const worker = await world.worker();
  for (const name of names) await set(world, worker, name, `"${name}"`);
  return worker;
}

describe.each(transports)("GetEntity over $name", ({ serve }) => {
  it("shows an entity with its state, or without", async () => {
    await using world = await openCompat(serve);
    await withEntities(world, ["@a@B"]);
    const lastModifiedTime = world.hub.clock.now();
    const { exists, entity } = await world.client.getEntity({
      instanceId: "@A@B",
      includeState: true,
    });
    expect(exists).toBe(true);
    expect(entity).toMatchObject({
      instanceId: "@a@B",
      lastModifiedTime,
      backlogQueueSize: 0,
      serializedState: '"@a@B"',
    });
    expect(entity?.lockedBy).toBeUndefined();
    const bare = await world.client.getEntity({ instanceId: "@a@B" });
    expect(bare.exists).toBe(true);
    expect(bare.entity?.serializedState).toBeUndefined();
  });

  it("counts the operations that wait, without those that a worker has", async () => {
    await using world = await openCompat(serve);
    const worker = await withEntities(world, ["@a@b"]);
    const later = timestampFromDate(new Date("2026-01-02T00:00:00Z"));
    const waiting = async () =>
      (await world.client.getEntity({ instanceId: "@a@b" })).entity?.backlogQueueSize;
    await world.client.signalEntity({ instanceId: "@a@b", name: "1" });
    await worker.batch();
    expect(await waiting()).toBe(0);
    await world.client.signalEntity({ instanceId: "@a@b", name: "2" });
    await world.client.signalEntity({ instanceId: "@a@b", name: "3" });
    await world.client.signalEntity({ instanceId: "@a@b", name: "4", scheduledTime: later });
    expect(await waiting()).toBe(2);
  });

  it("says of what has no state, or was never heard of, that it does not exist", async () => {
    await using world = await openCompat(serve);
    await world.start("main");
    await world.client.signalEntity({ instanceId: "@a@b", name: "op" });
    for (const instanceId of ["@a@b", "@a@c"]) {
      const { exists, entity } = await world.client.getEntity({ instanceId, includeState: true });
      expect({ exists, entity }).toEqual({ exists: false, entity: undefined });
    }
    await world.start("witness");
    await world.expectRefused(
      () => world.client.getEntity({ instanceId: "main" }),
      "InvalidArgument",
      /"main" is not an entity id/,
    );
  });
});

describe.each(transports)("QueryEntities over $name", ({ serve }) => {
  it("lists entities with a state in the order of their ids, and no orchestrations", async () => {
    await using world = await openCompat(serve);
    await withEntities(world, ["@b@1", "@a@2", "@a@10", "@a@", "@é@1"]);
    await world.start("main");
    await world.start("@main");
    await world.client.signalEntity({ instanceId: "@a@new", name: "op" });
    expect(await ids(world)).toEqual(["@a@", "@a@10", "@a@2", "@b@1", "@é@1"]);
    const { entities } = await world.client.queryEntities({});
    expect(entities.map(({ serializedState }) => serializedState)).toEqual(
      entities.map(() => undefined),
    );
    const full = await world.client.queryEntities({ query: { includeState: true } });
    expect(full.entities[3]).toMatchObject({ serializedState: '"@b@1"', backlogQueueSize: 0 });
  });

  it("has records without a state only when they are asked for", async () => {
    await using world = await openCompat(serve);
    const worker = await withEntities(world, ["@a@1"]);
    await set(world, worker, "@a@gone");
    await world.client.signalEntity({ instanceId: "@a@new", name: "op" });
    expect(await ids(world)).toEqual(["@a@1"]);
    expect(await ids(world, { includeTransient: true })).toEqual(["@a@1", "@a@gone", "@a@new"]);
  });

  it.each([
    ["", ["@ab@1", "@ab@2", "@b@Ab"]],
    ["@", ["@ab@1", "@ab@2", "@b@Ab"]],
    ["@ab@", ["@ab@1", "@ab@2"]],
    ["ab", ["@ab@1", "@ab@2"]],
    ["@AB@2", ["@ab@2"]],
    ["B@A", ["@b@Ab"]],
    ["@b@a", []],
    ["@c", []],
  ])("takes %j for the beginning of the whole id", async (instanceIdStartsWith, expected) => {
    await using world = await openCompat(serve);
    await withEntities(world, ["@ab@1", "@ab@2", "@b@Ab"]);
    expect(await ids(world, { instanceIdStartsWith })).toEqual(expected);
  });

  it("takes a range of changes with both its ends", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    const times: Timestamp[] = [];
    for (const name of ["@a@1", "@a@2", "@a@3"]) {
      await set(world, worker, name, "x");
      times.push(world.hub.clock.now());
      await world.hub.pass(1_000);
    }
    const [, second] = times as [Timestamp, Timestamp, Timestamp];
    expect(await ids(world, { lastModifiedFrom: second })).toEqual(["@a@2", "@a@3"]);
    expect(await ids(world, { lastModifiedTo: second })).toEqual(["@a@1", "@a@2"]);
    const only = { lastModifiedFrom: second, lastModifiedTo: second };
    expect(await ids(world, only)).toEqual(["@a@2"]);
    await set(world, worker, "@a@1", "y");
    expect(await ids(world, only)).toEqual(["@a@2"]);
  });

  it("goes on with another page size, and gives no token at the end", async () => {
    await using world = await openCompat(serve);
    const all = Array.from({ length: 11 }, (_, at) => `@a@${String(at).padStart(2, "0")}`);
    await withEntities(world, all);
    const first = await page(world, { pageSize: 5 });
    expect(first.ids).toEqual(all.slice(0, 5));
    const second = await page(world, { pageSize: 4, ...next(first) });
    expect(second.ids).toEqual(all.slice(5, 9));
    await world.hub.settled();
    const third = await page(world, { pageSize: 2, ...next(second) });
    expect(third).toEqual({ ids: all.slice(9), token: undefined });
    expect((await page(world, { pageSize: 0 })).ids).toEqual(all);
    expect((await page(world, { pageSize: -1 })).ids).toEqual(all);
    expect((await page(world, { pageSize: 11 })).token).toBeUndefined();
  });

  it("gives a token only when something that matches is left", async () => {
    await using world = await openCompat(serve);
    await withEntities(world, ["@a@1", "@a@2"]);
    for (const key of ["3", "4"]) {
      await world.client.signalEntity({ instanceId: `@a@${key}`, name: "op" });
    }
    expect(await page(world, { pageSize: 2 })).toEqual({ ids: ["@a@1", "@a@2"], token: undefined });
  });

  it("keeps a page below what clients receive", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    const large = "x".repeat(1024 * 1024);
    for (const key of ["1", "2", "3", "4"]) await set(world, worker, `@a@${key}`, large);
    const first = await page(world, { includeState: true });
    expect(first.ids).toEqual(["@a@1", "@a@2"]);
    expect(await ids(world, { includeState: true, ...next(first) })).toEqual(["@a@3", "@a@4"]);
    expect(await ids(world)).toHaveLength(4);
  });

  it("refuses tokens of other questions, and texts that are none", async () => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await withEntities(world, ["@a@1", "@a@2"]);
    const { token } = await page(world, { pageSize: 1 });
    const refused: Question[] = [
      { continuationToken: "nonsense" },
      { ...next({ token }), includeTransient: true },
      { ...next({ token }), instanceIdStartsWith: "@a" },
      { continuationToken: `${token}A` },
    ];
    for (const query of refused) {
      await world.expectRefused(
        () => world.client.queryEntities({ query }),
        "InvalidArgument",
        /token/,
      );
    }
  });

  it("is empty in a hub that does not exist", async () => {
    await using world = await openCompat(serve);
    expect(await ids(world)).toEqual([]);
    expect(await world.hub.store.listHubs()).toEqual([]);
  });
});

function next({ token }: { readonly token: string | undefined }) {
  expect(token).toBeTruthy();
  return token === undefined ? {} : { continuationToken: token };
}
