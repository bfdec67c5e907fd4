import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { seal } from "../../../sidecar/store/envelope.ts";
import { garbageKey, logKey } from "../../../sidecar/store/ordered/keys.ts";
import type { StorageNumber, Store } from "../../../sidecar/store/store.ts";
import {
  addressOf,
  baseOf,
  commitOf,
  garbageChange,
  hubAppend,
  instanceAppend,
  instanceAppends,
  instanceChange,
  labelsOf,
  readyChange,
  snapshotChange,
  timestampOf,
} from "../../support/store-builders.ts";
import type { WatchedBytes } from "../../support/store-bytes.ts";
import { commit, type OpenStore, openWatched } from "./open-store.ts";
import { completedChange, heldChange, queryChange } from "./query-index-suite.ts";

export function describeGarbage(open: OpenStore): void {
  describe("garbage", () => {
    describeGenerations(open);
    describeLives(open);
    describeHubs(open);
    describeReaders(open);
  });
}

/** A log of so many entries with a put each. */
export async function writeLog(store: Store, number: StorageNumber, length: number): Promise<void> {
  for (const append of instanceAppends({ number }, 1, length)) {
    await commit(store, commitOf(append));
  }
}

export async function untilOnly(bytes: WatchedBytes, rows: number): Promise<void> {
  await bytes.until(async () => (await bytes.storedRows()).length === rows);
}

function describeGenerations(open: OpenStore): void {
  test("old generations go, with their snapshots; the newest one stays", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await writeLog(store, 1n, 20);
    await writeLog(store, 2n, 1);
    await commit(
      store,
      commitOf(snapshotChange(1n, 1, 10), snapshotChange(2n, 1, 1)),
      commitOf(
        instanceAppend({ number: 1n, generation: 2, sequence: 21 }, baseOf("base")),
        snapshotChange(1n, 2, 21),
        garbageChange({ number: 1n, belowGeneration: 2 }),
      ),
    );
    await untilOnly(bytes, 4);
    expect(await store.readLog(1n, 1, 1)).toEqual([]);
    expect(await store.readSnapshot(1n, 1)).toBeUndefined();
    expect(labelsOf(await store.readLog(1n, 2, 1))).toEqual(["base"]);
    expect((await store.readSnapshot(1n, 2))?.sequence).toBe(21n);
    expect(labelsOf(await store.readLog(2n, 1, 1))).toEqual(["1"]);
    expect((await store.readSnapshot(2n, 1))?.sequence).toBe(1n);
  });

  test("a garbage row that is written again while its log is collected is not lost", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await writeLog(store, 1n, 3);
    const next = (generation: number, sequence: number) =>
      commitOf(
        instanceAppend({ number: 1n, generation, sequence }, baseOf(String(sequence))),
        garbageChange({ number: 1n, belowGeneration: generation }),
      );
    const keys = bytes.holdKeys();
    await commit(store, next(2, 4));
    await keys.reached;
    await commit(store, next(3, 5));
    keys.release();
    await untilOnly(bytes, 1);
    expect(labelsOf(await store.readLog(1n, 3, 1))).toEqual(["5"]);
  });
}

function describeLives(open: OpenStore): void {
  test("a garbage row that comes while an earlier one of its log is on its way is not lost", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await writeLog(store, 1n, 1);
    bytes.hold();
    const generation = commitOf(
      instanceAppend({ number: 1n, generation: 2, sequence: 2 }, baseOf("base")),
      garbageChange({ number: 1n, belowGeneration: 2 }),
    );
    const flying = store.append(generation);
    await new Promise(setImmediate);
    const end = instanceAppend({ number: 1n, generation: 2, sequence: 3 }, "dead");
    store.append(commitOf(end, garbageChange({ number: 1n })));
    bytes.release();
    await store.whenDurable(flying);
    await untilOnly(bytes, 0);
  });

  test("a dead life leaves nothing behind, and its neighbours stay", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    for (const number of [1n, 2n, 3n]) await writeLog(store, number, 5);
    await commit(store, commitOf(snapshotChange(2n, 1, 3)));
    await commit(
      store,
      commitOf(instanceAppend({ number: 2n, sequence: 6 }, "dead"), garbageChange({ number: 2n })),
    );
    await untilOnly(bytes, 10);
    expect(labelsOf(await store.readLog(1n, 1, 1)).length).toBe(5);
    expect(labelsOf(await store.readLog(3n, 1, 1)).length).toBe(5);
  });

  test("a long log goes in slices, its last entry and the garbage row at the end", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const length = 2 * LIMITS.garbageSliceMax + 100;
    await putEach(bytes, 1n, length);
    const before = bytes.batches.length;
    await commit(store, commitOf(garbageChange({ number: 1n })));
    await untilOnly(bytes, 0);

    const slices = bytes.batches.slice(before + 1).map((batch) => batch.slice(0, -1));
    expect(slices.map((slice) => slice.length)).toEqual([500, 500, 101]);
    const lastKeys = slices
      .at(-1)
      ?.slice(-2)
      .map((write) => write.key);
    expect(lastKeys).toEqual([logKey(1n, 1, length), garbageKey(1n)]);
  });

  test("many small logs share slices", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const numbers = Array.from({ length: 60 }, (_, index) => BigInt(index + 1));
    await commit(
      store,
      commitOf(...numbers.map((number) => instanceAppend({ number, sequence: 1 }, "x"))),
    );
    const before = bytes.batches.length;
    await commit(store, commitOf(...numbers.map((number) => garbageChange({ number }))));
    await untilOnly(bytes, 0);
    expect(bytes.batches.length - before).toBe(2);
  });
}

function describeHubs(open: OpenStore): void {
  test("a deleted hub leaves nothing behind, and another hub keeps all", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const [deleted, kept] = [1n, 2n];
    for (const hub of [deleted, kept]) {
      await commit(store, commitOf(hubAppend({ number: hub, sequence: 1 }, "created")));
      for (let index = 0; index < 250; index += 1) {
        store.append(instanceWith(hub, `i${index}`, hub * 1000n + BigInt(index)));
      }
      await commit(store, commitOf());
    }
    const all = (await bytes.storedRows()).length;
    await commit(store, commitOf(garbageChange({ number: deleted, hub: true })));
    await untilOnly(bytes, all / 2);

    expect(await store.readHubLog(deleted)).toEqual([]);
    expect(await store.findInstance(deleted, "i0")).toBeUndefined();
    expect(labelsOf(await store.readHubLog(kept))).toEqual(["created"]);
    expect((await store.readReady(undefined, 1000)).length).toBe(250);
    expect((await store.findInstance(kept, "i249"))?.number).toBe(2249n);
  });

  test("what queries read of a deleted hub goes in slices, and another hub keeps its rows", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const time = timestampOf("2026-11-21T10:00:00Z");
    const rowsOf = (hub: StorageNumber) =>
      Array.from({ length: 400 }, (_, at) => [
        queryChange(hub, "live", time, `i${at}`, { number: BigInt(at) }),
        queryChange(hub, "failed", time, `f${at}`, { number: BigInt(at) }),
        completedChange(hub, time, `f${at}`, { number: BigInt(at) }),
        heldChange(hub, { time, number: BigInt(at), name: "" }, { instanceId: `i${at}` }),
      ]).flat();
    for (const hub of [1n, 2n]) {
      await commit(store, commitOf(hubAppend({ number: hub, sequence: 1 }, "created")));
      await commit(store, commitOf(...rowsOf(hub)));
    }
    const all = (await bytes.storedRows()).length;
    const before = bytes.batches.length;
    await commit(store, commitOf(garbageChange({ number: 1n, hub: true })));
    await untilOnly(bytes, all / 2);
    const slices = bytes.batches.slice(before + 1);
    expect(Math.max(...slices.map((slice) => slice.length))).toBeLessThan(
      LIMITS.garbageSliceMax + 10,
    );
    expect(await store.readQuery(1n, "live", {}, undefined, 10)).toEqual([]);
    expect((await store.readQuery(2n, "live", {}, undefined, 1000)).length).toBe(400);
    expect((await store.readQuery(2n, "failed", {}, undefined, 1000)).length).toBe(400);
    expect((await store.readCompleted(2n, {}, undefined, 1000)).length).toBe(400);
    expect((await store.readHeld(2n, {}, undefined, 1000)).length).toBe(400);
  });

  test("a hub's own log outlives the logs of its instances", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await commit(store, commitOf(hubAppend({ number: 1n, sequence: 1 }, "created")));
    await commit(store, instanceWith(1n, "a", 5n));
    const before = bytes.batches.length;
    await commit(store, commitOf(garbageChange({ number: 1n, hub: true })));
    await untilOnly(bytes, 0);
    const deleted = bytes.batches
      .slice(before)
      .flatMap((batch) => batch.filter((write) => write.type === "del"))
      .map((write) => Buffer.from(write.key).toString("hex"));
    const orderOf = (key: Uint8Array) => deleted.indexOf(Buffer.from(key).toString("hex"));
    expect(orderOf(logKey(5n, 1, 1))).toBeGreaterThan(-1);
    expect(orderOf(logKey(1n, 1, 1))).toBeGreaterThan(orderOf(logKey(5n, 1, 1)));
  });
}

function describeReaders(open: OpenStore): void {
  test("a log that is half collected reads as empty, not as damaged", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await putEach(bytes, 1n, LIMITS.garbageSliceMax + 10);
    // The commit and the first slice pass, the second does not.
    bytes.hold(2);
    await commit(store, commitOf(garbageChange({ number: 1n })));
    await untilOnly(bytes, 11);
    expect(await store.readLog(1n, 1, 1)).toEqual([]);
    bytes.release();
    await untilOnly(bytes, 0);
    expect(await store.readLog(1n, 1, 1)).toEqual([]);
  });

  test("garbage that cannot be read makes the store fail", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await bytes.tamper(garbageKey(9n), Buffer.from("no garbage row"));
    store.append(commitOf(garbageChange({ number: 1n })));
    expect(await store.failed).toMatchObject({ code: "store-distrusted" });
  });
}

function instanceWith(hub: StorageNumber, id: string, number: StorageNumber) {
  return commitOf(
    instanceAppend({ number, sequence: 1 }, id),
    instanceChange(hub, id, number),
    readyChange(number, addressOf(hub, id)),
    snapshotChange(number, 1, 1),
  );
}

/** A log like `writeLog` makes, for lengths at which a flush for each entry would take long. */
async function putEach(bytes: WatchedBytes, number: StorageNumber, length: number): Promise<void> {
  for (const append of instanceAppends({ number }, 1, length)) {
    await bytes.tamper(logKey(number, 1, append.sequence), seal(append.record));
  }
}
