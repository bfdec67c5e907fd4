/** A directory of the first stored format, which had no indexes for queries, gets them. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { type InstanceState, newState } from "../../sidecar/engine/state.ts";
import { toStoredState } from "../../sidecar/engine/stored-state.ts";
import { jsonLog } from "../../sidecar/foundation/log.ts";
import { queryChanges, queryViewOf } from "../../sidecar/store/instance-rows.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import { encodeIndexChange } from "../../sidecar/store/ordered/encoded-commit.ts";
import type { IndexChange, Store } from "../../sidecar/store/store.ts";
import { type Entry, EntrySchema } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { HoldSchema, Kind, Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  commitOf,
  garbageChange,
  hubAppend,
  instanceAppend,
  instanceChange,
} from "../support/store-builders.ts";
import { digestOf } from "../support/store-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { commit } from "./suite/open-store.ts";

const HUBS = [1n, 2n] as const;
const DELETED_HUB = 3n;
/** More than the upgrade reads at once and writes at once. */
const INSTANCES = 450;

test("a store of format 1 gets its query indexes, and a marker of format 3", async () => {
  await using directory = await temporaryDirectory();
  const expected = await createOfFormat1(directory.path);
  await using store = await openLevelStore({ directory: directory.path });
  expect(await rowsOf(store)).toEqual(expected);
  expect(await markerOf(directory.path)).toMatchObject({ format: 3, minReader: 3 });
});

test("an upgrade keeps who created the store, and its incarnation", async () => {
  await using directory = await temporaryDirectory();
  await createOfFormat1(directory.path);
  const before = await markerOf(directory.path);
  await using _store = await openLevelStore({ directory: directory.path, createdBy: "other" });
  expect(await markerOf(directory.path)).toEqual({ ...before, format: 3, minReader: 3 });
});

/** A process that ends before or behind a write: what it would have done next does not happen. */
function crashAt(bytes: OrderedBytes, write: number, side: "before" | "behind"): OrderedBytes {
  const writeDurably = bytes.writeDurably.bind(bytes);
  let writes = 0;
  bytes.writeDurably = async (batch) => {
    writes += 1;
    if (writes > write || (writes === write && side === "before")) throw new Error("it crashed");
    await writeDurably(batch);
    if (writes === write) throw new Error("it crashed");
  };
  return bytes;
}

test.each(["before", "behind"] as const)(
  "a crash %s any write of an upgrade leaves no half of it: the next opening begins it again",
  async (side) => {
    await using origin = await temporaryDirectory();
    const expected = await createOfFormat1(origin.path);
    let crashes = 0;
    for (let write = 1; ; write += 1) {
      await using directory = await temporaryDirectory();
      await cp(origin.path, directory.path, { recursive: true });
      const wrap = (bytes: OrderedBytes) => crashAt(bytes, write, side);
      const opening = openLevelStore({ directory: directory.path, wrap });
      const store = await opening.catch((error: unknown) => {
        expect(String(error)).toContain("it crashed");
        return undefined;
      });
      if (store !== undefined) {
        await store[Symbol.asyncDispose]();
        break;
      }
      crashes += 1;
      expect(await markerOf(directory.path)).toMatchObject({ format: 1 });
      await using again = await openLevelStore({ directory: directory.path });
      expect(await rowsOf(again)).toEqual(expected);
    }
    // The run begins, rows that are left over go, those of 900 instances come, the run begins anew.
    expect(crashes).toBeGreaterThan(4);
  },
);

test("an upgrade tells how far it is, and that it is done", async () => {
  await using directory = await temporaryDirectory();
  await createOfFormat1(directory.path);
  const lines: string[] = [];
  const log = jsonLog("info", { write: (line) => void lines.push(line) });
  await using _store = await openLevelStore({ directory: directory.path, log });
  const told = lines.map((line): unknown => JSON.parse(line));
  expect(told).toMatchObject([
    { event: "store.former_kept", directory: join(directory.path, "former-format-1") },
    { event: "store.upgrading", from: 1, to: 3 },
    { event: "store.upgrading", instances: HUBS.length * INSTANCES },
  ]);
});

test("what the directory was is kept in it, byte for byte, and can be opened", async () => {
  await using directory = await temporaryDirectory();
  const expected = await createOfFormat1(directory.path);
  // The copy is of nobody who has it open.
  await rm(join(directory.path, "db", "LOCK"));
  const before = await digestOf(directory.path);
  {
    await using store = await openLevelStore({ directory: directory.path });
    await commit(store, commitOf(instanceAppend({ number: 9_999n, sequence: 1 }, "more")));
  }
  const former = join(directory.path, "former-format-1");
  expect(await digestOf(former)).toBe(before);
  await using store = await openLevelStore({ directory: former });
  expect(await rowsOf(store)).toEqual(expected);
});

test("an upgrade that begins again keeps the copy of the first beginning, once that is whole", async () => {
  await using directory = await temporaryDirectory();
  await createOfFormat1(directory.path);
  // The copy is of nobody who has it open.
  await rm(join(directory.path, "db", "LOCK"));
  const before = await digestOf(directory.path);
  const unfinished = join(directory.path, "former-format-1.unfinished");
  await mkdir(join(unfinished, "db"), { recursive: true });
  await writeFile(join(unfinished, "db", "000001.log"), "half");
  const wrap = (bytes: OrderedBytes) => crashAt(bytes, 3, "behind");
  await expect(openLevelStore({ directory: directory.path, wrap })).rejects.toThrow("it crashed");
  await using _store = await openLevelStore({ directory: directory.path });
  expect(await digestOf(join(directory.path, "former-format-1"))).toBe(before);
  expect(await readdir(directory.path)).not.toContain("former-format-1.unfinished");
});

test("without being told to keep it, an upgrade keeps nothing", async () => {
  await using directory = await temporaryDirectory();
  await createOfFormat1(directory.path);
  await using _store = await openLevelStore({ directory: directory.path, keepsFormer: false });
  expect(await readdir(directory.path)).not.toContain("former-format-1");
});

test("a store that was upgraded goes on, and opens again as it is", async () => {
  await using directory = await temporaryDirectory();
  const expected = await createOfFormat1(directory.path);
  {
    await using store = await openLevelStore({ directory: directory.path });
    await commit(store, commitOf(instanceAppend({ number: 9_999n, sequence: 1 }, "more")));
  }
  await using store = await openLevelStore({ directory: directory.path });
  expect(await rowsOf(store)).toEqual(expected);
});

/** Resolves with the rows that must be there after the upgrade. */
async function createOfFormat1(directory: string): Promise<unknown> {
  const changes: IndexChange[] = [];
  {
    await using store = await openLevelStore({ directory, createdBy: "taskhub 1" });
    for (const hub of [...HUBS, DELETED_HUB]) {
      await commit(store, commitOf(hubAppend({ number: hub, sequence: 1 }, "created")));
      await commit(store, commitOf({ index: "hub", name: `hub ${hub}`, row: hub }));
    }
    for (const hub of HUBS) changes.push(...(await writeInstances(store, hub)));
    // As a store is left whose process ended right after a hub was deleted.
    await writeInstances(store, DELETED_HUB);
    const deleted = { index: "hub", name: `hub ${DELETED_HUB}`, row: undefined } as const;
    await commit(store, commitOf(deleted, garbageChange({ number: DELETED_HUB, hub: true })));
    // What an interrupted upgrade may have left of instances that changed since.
    const stale = newState({ ...stateOf(0), createdAt: timestampFromMs(5) });
    await commit(store, commitOf(...queryChanges(1n, "stale", undefined, queryViewOf(stale))));
  }
  const path = join(directory, "TASKHUB");
  const marker = (await readFile(path, "utf8")).replace(/"(format|minReader)": 3/g, '"$1": 1');
  await writeFile(path, marker);
  return sorted(changes);
}

/** Instances of all sorts with logs of a few entries. Returns the rows that follow from them. */
async function writeInstances(store: Store, hub: bigint): Promise<IndexChange[]> {
  const changes: IndexChange[] = [];
  for (let at = 0; at < INSTANCES; at += 1) {
    const number = hub * 10_000n + BigInt(at);
    const instanceId = `i${at}`;
    let state: InstanceState | undefined;
    const appends = entriesOf(at).map((entry, index) => {
      const append = instanceAppend({ number, sequence: index + 1 }, entry);
      state = evolve(state, number, index + 1, entry);
      return append;
    });
    store.append(commitOf(...appends, instanceChange(hub, instanceId, number)));
    const view = state && queryViewOf(state);
    changes.push(...queryChanges(hub, instanceId, undefined, view));
  }
  await commit(store, commitOf());
  return changes;
}

function entriesOf(at: number): Entry[] {
  const header = { time: timestampFromMs(at + 1_000) };
  const first = create(EntrySchema, { header, base: toStoredState(stateOf(at)) });
  const holds = ["", "b"].map((name, index) =>
    create(HoldSchema, { name, placedAt: timestampFromMs(at + index) }),
  );
  switch (at % 4) {
    case 0:
      return [first];
    case 1:
      return [first, create(EntrySchema, { header, status: Status.COMPLETED })];
    case 2:
      return [first, create(EntrySchema, { header, holdsPlaced: holds })];
    default:
      return [
        first,
        create(EntrySchema, { header, holdsPlaced: holds }),
        create(EntrySchema, { header, holdsReleased: [""] }),
        create(EntrySchema, { header, inboxAdded: [] }),
      ];
  }
}

function stateOf(at: number): InstanceState {
  return newState({
    kind: at % 11 === 10 ? Kind.ENTITY : Kind.ORCHESTRATION,
    instanceId: `i${at}`,
    name: `Name${at % 3}`,
    version: at % 2 === 0 ? undefined : "1",
    tags: { at: String(at) },
    status: Status.RUNNING,
    createdAt: timestampFromMs(1_000 - at),
    updatedAt: timestampFromMs(1_000),
    executionId: "x",
  });
}

async function rowsOf(store: Store): Promise<unknown> {
  const changes: IndexChange[] = [];
  for (const hub of [...HUBS, DELETED_HUB]) {
    for (const instanceClass of ["live", "completed", "failed"] as const) {
      const rows = await store.readQuery(hub, instanceClass, {}, undefined, 10_000);
      for (const { time: createdAt, instanceId, row } of rows) {
        changes.push({ index: "query", hub, instanceClass, createdAt, instanceId, row });
      }
    }
    const completed = await store.readCompleted(hub, {}, undefined, 10_000);
    for (const { time: completedAt, instanceId, row } of completed) {
      changes.push({ index: "completed", hub, completedAt, instanceId, row });
    }
    for (const { time, number, name, row } of await store.readHeld(hub, {}, undefined, 10_000)) {
      changes.push({ index: "held", hub, placedAt: time, number, name, row });
    }
  }
  return sorted(changes);
}

/** As they are stored. */
function sorted(changes: readonly IndexChange[]): unknown {
  const rows = changes.map((change) => {
    const write = encodeIndexChange(change);
    const value = write.type === "put" ? Buffer.from(write.value).toString("hex") : "deleted";
    return `${Buffer.from(write.key).toString("hex")} ${value}`;
  });
  return rows.toSorted();
}

async function markerOf(directory: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(directory, "TASKHUB"), "utf8"));
}
