import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type {
  HeldCursor,
  IndexChange,
  InstanceClass,
  InstanceCursor,
  StorageNumber,
} from "../../../sidecar/store/store.ts";
import {
  CompletedRowSchema,
  HeldRowSchema,
  QueryRowSchema,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";
import { commitOf, timestampOf } from "../../support/store-builders.ts";
import { commit, type OpenStore, openWatched } from "./open-store.ts";

export function describeQueryIndexes(open: OpenStore): void {
  describe("query indexes", () => {
    describeByCreation(open);
    describeByCompletion(open);
    describeByHold(open);
  });
}

const HUB = 256n;
const CLASSES: readonly InstanceClass[] = ["live", "completed", "failed", "terminated", "canceled"];

export function queryChange(
  hub: StorageNumber,
  instanceClass: InstanceClass,
  createdAt: Timestamp,
  instanceId: string,
  row: MessageInitShape<typeof QueryRowSchema> | undefined,
): IndexChange {
  const message = row && create(QueryRowSchema, row);
  return { index: "query", hub, instanceClass, createdAt, instanceId, row: message };
}

export function completedChange(
  hub: StorageNumber,
  completedAt: Timestamp,
  instanceId: string,
  row: MessageInitShape<typeof CompletedRowSchema> | undefined,
): IndexChange {
  const message = row && create(CompletedRowSchema, row);
  return { index: "completed", hub, completedAt, instanceId, row: message };
}

export function heldChange(
  hub: StorageNumber,
  { time: placedAt, number, name }: HeldCursor,
  row: MessageInitShape<typeof HeldRowSchema> | undefined,
): IndexChange {
  const message = row && create(HeldRowSchema, row);
  return { index: "held", hub, placedAt, number, name, row: message };
}

/** In order. */
const TIMES = [
  "0001-01-01T00:00:00Z",
  "1969-12-31T23:59:59.999999999Z",
  "1970-01-01T00:00:00Z",
  "2026-11-21T10:00:00.999999999Z",
  "2026-11-21T10:00:01Z",
  "9999-12-31T23:59:59.999999999Z",
].map(timestampOf);

/** In the order of their bytes, which is not that of their code units. */
const IDS = ["", "\u0000", "a", "a\u0000", "a:", "a::b", "aa", "b", "\uffff", "\u{10000}"];

function describeByCreation(open: OpenStore): void {
  test("orchestrations come by creation, then by the bytes of their ids, in pages", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const expected = TIMES.flatMap((time) => IDS.map((instanceId) => ({ time, instanceId })));
    const changes = expected.map(({ time, instanceId }, at) =>
      queryChange(HUB, "live", time, instanceId, { number: BigInt(at), name: "Main" }),
    );
    await commit(store, commitOf(...changes.toReversed()));
    for (const pageSize of [1, 7, 60, 1000]) {
      const rows = await inPages(pageSize, (after: InstanceCursor | undefined) =>
        store.readQuery(HUB, "live", {}, after, pageSize),
      );
      expect(rows.map(({ time, instanceId }) => ({ time, instanceId }))).toEqual(expected);
      expect(rows.map(({ row }) => row.number)).toEqual(expected.map((_, at) => BigInt(at)));
    }
  });

  test("a range of creation times has its beginning and not its end", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    await commit(store, commitOf(...TIMES.map((time) => queryChange(HUB, "live", time, "a", {}))));
    const timesIn = async (from?: Timestamp, to?: Timestamp, after?: InstanceCursor) => {
      const rows = await store.readQuery(HUB, "live", { from, to }, after, 100);
      return rows.map(({ time }) => time);
    };
    expect(await timesIn(TIMES[1], TIMES[4])).toEqual(TIMES.slice(1, 4));
    expect(await timesIn(undefined, TIMES[2])).toEqual(TIMES.slice(0, 2));
    expect(await timesIn(TIMES[3])).toEqual(TIMES.slice(3));
    expect(await timesIn(TIMES[4], TIMES[1])).toEqual([]);
    const [first, second, , , , last] = TIMES.map((time) => ({ time, instanceId: "a" }));
    expect(await timesIn(TIMES[1], TIMES[4], first)).toEqual(TIMES.slice(1, 4));
    expect(await timesIn(TIMES[1], TIMES[4], second)).toEqual(TIMES.slice(2, 4));
    expect(await timesIn(TIMES[1], TIMES[4], last)).toEqual([]);
  });

  test("classes and hubs do not mix", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const time = timestampOf("2026-11-21T10:00:00Z");
    const hubs = [HUB - 1n, HUB, HUB + 1n];
    const changes = hubs.flatMap((hub) =>
      CLASSES.map((each) => queryChange(hub, each, time, `${hub} ${each}`, {})),
    );
    await commit(store, commitOf(...changes));
    for (const hub of hubs) {
      for (const each of CLASSES) {
        const rows = await store.readQuery(hub, each, {}, undefined, 10);
        expect(rows.map(({ instanceId }) => instanceId)).toEqual([`${hub} ${each}`]);
      }
    }
  });

  test("a row holds what it was given, and goes by its key", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const time = timestampOf("2026-11-21T10:00:00.000000001Z");
    const row = {
      number: 7n,
      name: "Main",
      version: "",
      tags: { __proto__x: "1", b: "" },
      parentInstanceId: "p",
      completedAt: time,
    };
    await commit(store, commitOf(queryChange(HUB, "failed", time, "a", row)));
    const [found] = await store.readQuery(HUB, "failed", {}, undefined, 10);
    expect(found).toEqual({ time, instanceId: "a", row: create(QueryRowSchema, row) });
    await commit(store, commitOf(queryChange(HUB, "failed", time, "a", undefined)));
    expect(await store.readQuery(HUB, "failed", {}, undefined, 10)).toEqual([]);
  });
}

function describeByCompletion(open: OpenStore): void {
  test("finished orchestrations come by completion, then by id, in ranges and pages", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const expected = TIMES.flatMap((time) => IDS.map((instanceId) => ({ time, instanceId })));
    const changes = expected.map(({ time, instanceId }, at) =>
      completedChange(HUB, time, instanceId, { number: BigInt(at), status: 3, createdAt: time }),
    );
    const other = completedChange(HUB + 1n, TIMES[0] ?? timestampOf(""), "other hub", {});
    await commit(store, commitOf(other, ...changes.toReversed()));
    for (const pageSize of [1, 7, 1000]) {
      const rows = await inPages(pageSize, (after: InstanceCursor | undefined) =>
        store.readCompleted(HUB, {}, after, pageSize),
      );
      expect(rows.map(({ time, instanceId }) => ({ time, instanceId }))).toEqual(expected);
      expect(rows.map(({ row }) => row.createdAt)).toEqual(expected.map(({ time }) => time));
    }
    const range = { from: TIMES[2], to: TIMES[3] };
    const within = await store.readCompleted(HUB, range, undefined, 100);
    expect(within.map(({ instanceId }) => instanceId)).toEqual(IDS);
  });
}

function describeByHold(open: OpenStore): void {
  test("holds come by placing, then by number and the bytes of their names, in pages", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const expected = TIMES.flatMap((time) =>
      [1n, 255n, 256n, 2n ** 40n].flatMap((number) => IDS.map((name) => ({ time, number, name }))),
    );
    const changes = expected.map((place) =>
      heldChange(HUB, place, { instanceId: `i${place.number}`, heldSince: place.time }),
    );
    await commit(store, commitOf(...changes.toReversed()));
    for (const pageSize of [1, 9, 1000]) {
      const rows = await inPages(pageSize, (after: HeldCursor | undefined) =>
        store.readHeld(HUB, {}, after, pageSize),
      );
      expect(rows.map(({ time, number, name }) => ({ time, number, name }))).toEqual(expected);
    }
    const before = await store.readHeld(HUB, { to: TIMES[1] }, undefined, 1000);
    expect(before.length).toBe(expected.length / TIMES.length);
  });

  test("one hold of an instance goes without its neighbours", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const time = timestampOf("2026-11-21T10:00:00Z");
    const places = ["", "a", "b"].map((name) => ({ time, number: 5n, name }));
    await commit(store, commitOf(...places.map((place) => heldChange(HUB, place, {}))));
    await commit(store, commitOf(heldChange(HUB, { time, number: 5n, name: "a" }, undefined)));
    const rows = await store.readHeld(HUB, {}, undefined, 10);
    expect(rows.map(({ name }) => name)).toEqual(["", "b"]);
  });
}

/** All rows; each page but the last is full. */
async function inPages<C, R extends C>(
  pageSize: number,
  read: (after: C | undefined) => Promise<readonly R[]>,
): Promise<R[]> {
  const rows: R[] = [];
  for (;;) {
    const page = await read(rows.at(-1));
    rows.push(...page);
    if (page.length < pageSize) return rows;
    expect(page.length).toBe(pageSize);
  }
}
