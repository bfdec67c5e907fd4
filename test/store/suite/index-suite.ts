import { describe, expect, test } from "vitest";
import type { DueCursor, DueRow, ReadyRow, Store } from "../../../sidecar/store/store.ts";
import {
  addressOf,
  commitOf,
  dueChange,
  instanceChange,
  readyChange,
  snapshotChange,
  timestampOf,
} from "../../support/store-builders.ts";
import { commit, type OpenStore, openWatched } from "./open-store.ts";

export function describeIndexes(open: OpenStore): void {
  describe("indexes", () => {
    describeHubsAndInstances(open);
    describeSnapshots(open);
    describeReady(open);
    describeDue(open);
    describeLastWrite(open);
  });
}

const STRANGE_IDS = [
  "a",
  "a::b",
  "a::",
  "a:",
  "aa",
  "../x",
  "..",
  "a/b",
  "a%2Fb",
  "@entity@key",
  "__proto__",
  "constructor",
  "👩‍🚀",
  "👩",
  "\u{202e}right to left",
  "\u0000",
  "\u0000\u0000",
  "\u{10ffff}",
  "x".repeat(511),
  "x".repeat(512),
  "é".repeat(256),
];

function describeHubsAndInstances(open: OpenStore): void {
  test("task hubs are listed by name until they are deleted", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const hubs = ["default", "b", "a::b", "a"].map((name, index) => ({
      index: "hub" as const,
      name,
      row: BigInt(index + 1),
    }));
    await commit(store, commitOf(...hubs));
    expect(await store.listHubs()).toEqual([
      { name: "a", number: 4n },
      { name: "a::b", number: 3n },
      { name: "b", number: 2n },
      { name: "default", number: 1n },
    ]);
    await commit(store, commitOf({ index: "hub", name: "a", row: undefined }));
    expect((await store.listHubs()).map((hub) => hub.name)).toEqual(["a::b", "b", "default"]);
  });

  test("any instance id finds its own row and no other", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const rows = STRANGE_IDS.map((id, index) => instanceChange(1n, id, BigInt(index + 1)));
    await commit(store, commitOf(...rows));
    const found = await Promise.all(STRANGE_IDS.map((id) => store.findInstance(1n, id)));
    expect(found.map((row) => row?.number)).toEqual(
      STRANGE_IDS.map((_, index) => BigInt(index + 1)),
    );
    expect(await store.findInstance(1n, "x".repeat(510))).toBeUndefined();
    expect(await store.findInstance(1n, "")).toBeUndefined();
  });

  test("the same instance id in two hubs is two instances", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    await commit(store, commitOf(instanceChange(1n, "a", 10n), instanceChange(256n, "a", 20n)));
    await commit(store, commitOf(instanceChange(1n, "a", undefined)));
    const [one, other] = [await store.findInstance(1n, "a"), await store.findInstance(256n, "a")];
    expect([one, other?.number]).toEqual([undefined, 20n]);
  });

  test("an instance id that is no text is refused rather than mixed up with another", async () => {
    await using opened = await openWatched(open);
    const append = () => opened.store.append(commitOf(instanceChange(1n, "\ud800", 1n)));
    expect(append).toThrow("lone surrogate");
  });
}

function describeSnapshots(open: OpenStore): void {
  test("a snapshot is kept per generation, replaced, and deleted", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const sequenceOf = async (generation: number) =>
      (await store.readSnapshot(1n, generation))?.sequence;
    expect(await sequenceOf(1)).toBeUndefined();
    await commit(store, commitOf(snapshotChange(1n, 1, 5), snapshotChange(1n, 2, 9)));
    expect([await sequenceOf(1), await sequenceOf(2)]).toEqual([5n, 9n]);
    await commit(store, commitOf(snapshotChange(1n, 1, 7)));
    await commit(store, commitOf(snapshotChange(1n, 2, undefined)));
    expect([await sequenceOf(1), await sequenceOf(2)]).toEqual([7n, undefined]);
  });
}

function describeReady(open: OpenStore): void {
  test("ready rows come by storage number, in pages", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const numbers = [300n, 2n, 2n ** 40n, 255n, 256n, 1n, 7n];
    const rows = numbers.map((number) => readyChange(number, addressOf(1n, `i${number}`)));
    await commit(store, commitOf(...rows), commitOf(readyChange(7n, undefined)));

    const expected = [1n, 2n, 255n, 256n, 300n, 2n ** 40n].map((number) => ({
      number,
      address: addressOf(1n, `i${number}`),
    }));
    expect(await store.readReady(undefined, 100)).toEqual(expected);
    for (const pageSize of [1, 2, 5, 6]) {
      expect(await readyInPages(store, pageSize)).toEqual(expected);
    }
  });

  test("a page may continue behind a ready row that is gone", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    await commit(store, commitOf(...[1n, 2n, 3n].map((n) => readyChange(n, addressOf(1n, "a")))));
    await commit(store, commitOf(readyChange(2n, undefined)));
    expect((await store.readReady(2n, 10)).map((row) => row.number)).toEqual([3n]);
  });
}

/** In the order in which they fall due. */
const DUE_TIMES = [
  "0001-01-01T00:00:00Z",
  "1969-12-31T23:59:59.000000001Z",
  "1969-12-31T23:59:59.999999999Z",
  "1970-01-01T00:00:00Z",
  "2026-11-21T10:00:00.999999999Z",
  "2026-11-21T10:00:01Z",
  "2026-11-21T10:00:01.000000001Z",
  "2026-11-21T10:00:01.0000001Z",
  "9999-12-31T23:59:59.999999999Z",
];

function describeDue(open: OpenStore): void {
  test("due rows come earliest first, to the nanosecond, in pages", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const expected = DUE_TIMES.flatMap((text, index) =>
      [500n, 70_000n].map((number) => ({
        due: timestampOf(text),
        number: number - BigInt(index),
        address: addressOf(1n, text),
      })),
    );
    const changes = expected.map((row) => dueChange(row.due, row.number, row.address));
    await commit(store, commitOf(...changes.toReversed()));
    expect(await store.readDue(undefined, 100)).toEqual(expected);
    for (const pageSize of [1, 3, 18]) {
      expect(await dueInPages(store, pageSize)).toEqual(expected);
    }
  });

  test("a due row is deleted by its time and number", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const due = timestampOf("2026-11-21T10:00:00.1Z");
    const later = timestampOf("2026-11-21T10:00:00.2Z");
    const address = addressOf(1n, "a");
    await commit(store, commitOf(...[1n, 2n].map((n) => dueChange(due, n, address))));
    await commit(store, commitOf(dueChange(later, 1n, address), dueChange(due, 1n, undefined)));
    const rows = await store.readDue(undefined, 10);
    expect(rows.map((row) => [row.due.nanos, row.number])).toEqual([
      [100_000_000, 2n],
      [200_000_000, 1n],
    ]);
  });

  test("times before the year 1 are due first", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const early = { ...timestampOf("1970-01-01T00:00:00Z"), seconds: -(2n ** 62n), nanos: 5 };
    await commit(
      store,
      commitOf(
        dueChange(timestampOf("1970-01-01T00:00:00Z"), 1n, addressOf(1n, "a")),
        dueChange(early, 2n, addressOf(1n, "b")),
      ),
    );
    expect((await store.readDue(undefined, 10)).map((row) => row.number)).toEqual([2n, 1n]);
    await commit(store, commitOf(dueChange(early, 2n, undefined)));
    expect((await store.readDue(undefined, 10)).map((row) => row.number)).toEqual([1n]);
  });
}

function describeLastWrite(open: OpenStore): void {
  test("of several writes of a row in one group only the last is written", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const put = commitOf(readyChange(1n, addressOf(1n, "put")));
    const del = commitOf(readyChange(1n, undefined));

    await commit(store, put, del);
    expect(await store.readReady(undefined, 10)).toEqual([]);
    await commit(store, put, del, put);
    expect((await store.readReady(undefined, 10)).length).toBe(1);
    expect(bytes.batches.map((batch) => batch.length)).toEqual([2, 2]);
  });
}

async function readyInPages(store: Store, pageSize: number): Promise<ReadyRow[]> {
  const rows: ReadyRow[] = [];
  for (;;) {
    const page = await store.readReady(rows.at(-1)?.number, pageSize);
    if (page.length === 0) return rows;
    expect(page.length).toBeLessThanOrEqual(pageSize);
    rows.push(...page);
  }
}

async function dueInPages(store: Store, pageSize: number): Promise<DueRow[]> {
  const rows: DueRow[] = [];
  for (;;) {
    const after: DueCursor | undefined = rows.at(-1);
    const page = await store.readDue(after, pageSize);
    if (page.length === 0) return rows;
    expect(page.length).toBeLessThanOrEqual(pageSize);
    rows.push(...page);
  }
}
