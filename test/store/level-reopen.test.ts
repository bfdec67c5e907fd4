import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import {
  addressOf,
  commitOf,
  garbageChange,
  hubAppend,
  instanceAppend,
  instanceChange,
  labelsOf,
  readyChange,
  snapshotChange,
} from "../support/store-builders.ts";
import { WatchedBytes } from "../support/store-bytes.ts";
import { arbitraryHistory, live } from "../support/store-model.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { commit, openWatched, type WatchedStore } from "./suite/open-store.ts";

function openIn(directory: string): Promise<WatchedStore> {
  return openWatched((wrap) => openLevelStore({ directory, wrap }));
}

test("everything is there again after closing and opening", async () => {
  await using directory = await temporaryDirectory();
  {
    await using store = await openLevelStore({ directory: directory.path });
    await commit(
      store,
      commitOf(hubAppend({ number: 1n, sequence: 1 }, "created")),
      commitOf(
        { index: "hub", name: "default", row: 1n },
        instanceAppend({ number: 2n, sequence: 1 }, "first"),
        instanceChange(1n, "a", 2n),
        readyChange(2n, addressOf(1n, "a")),
        snapshotChange(2n, 1, 1),
      ),
    );
  }
  await using store = await openLevelStore({ directory: directory.path });
  expect(await store.listHubs()).toEqual([{ name: "default", number: 1n }]);
  expect(labelsOf(await store.readHubLog(1n))).toEqual(["created"]);
  expect(labelsOf(await store.readLog(2n, 1, 1))).toEqual(["first"]);
  expect((await store.findInstance(1n, "a"))?.number).toBe(2n);
  expect((await store.readReady(undefined, 10)).length).toBe(1);
  expect((await store.readSnapshot(2n, 1))?.sequence).toBe(1n);
  expect(store.durablePosition).toBe(0);
});

test("any sequence of commits and reopenings reads back as a simple model says", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryHistory(["wait", "reopen"]), async (history) => {
      await using directory = await temporaryDirectory();
      const open = () => openLevelStore({ directory: directory.path });
      await using stores = new AsyncDisposableStack();
      const { expected, found } = await live(history, stores.use(await open()), async (store) => {
        await store[Symbol.asyncDispose]();
        return stores.use(await open());
      });
      expect(found).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test("storage numbers are never given out again, also when their commits were lost", async () => {
  await using directory = await temporaryDirectory();
  const given: bigint[] = [];
  for (const failingBatch of [1, 2, 3, undefined]) {
    await using opened = await openIn(directory.path);
    if (failingBatch !== undefined) opened.bytes.failBatch(failingBatch, new Error("disk"));
    for (let count = 0; count < 3; count += 1) {
      const number = opened.store.allocateNumber();
      given.push(number);
      const position = opened.store.append(commitOf(instanceAppend({ number, sequence: 1 }, "x")));
      await Promise.race([opened.store.whenDurable(position), opened.store.failed]);
    }
  }
  expect(new Set(given).size).toBe(given.length);
  expect(given).toEqual(given.toSorted((a, b) => Number(a - b)));
});

test("everything acknowledged survives a kill, again and again", async () => {
  await using directory = await temporaryDirectory();
  const acknowledged = new Map<bigint, number>();
  for (const linesBeforeKill of [1, 50, 400]) {
    const child = startAppending(directory.path);
    const logs = await acknowledgedBy(child, linesBeforeKill);
    expect([...logs.keys()].filter((number) => acknowledged.has(number))).toEqual([]);
    for (const [number, length] of logs) acknowledged.set(number, length);
    await expectThere(directory.path, acknowledged);
  }
});

test("S11, S8: everything acknowledged before the disk was full is there", async () => {
  await using directory = await temporaryDirectory();
  const child = startAppending(directory.path, { fileSizeKiB: 256 });
  const exit = once(child, "exit");
  const logs = await acknowledgedBy(child);
  expect(await exit).toEqual([74, null]);
  expect(logs.size).toBeGreaterThan(0);
  await expectThere(directory.path, logs);
});

test("a store that another process has open is refused", async () => {
  await using directory = await temporaryDirectory();
  const child = startAppending(directory.path);
  for await (const _line of createInterface({ input: child.stdout })) break;
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject({
    code: "store-in-use",
  });
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("S10: a store that this process has open is refused, and stays as it is", async () => {
  await using directory = await temporaryDirectory();
  await using store = await openLevelStore({ directory: directory.path });
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject({
    code: "store-in-use",
  });
  await commit(store, commitOf(instanceAppend({ number: 1n, sequence: 1 }, "still works")));
});

test("whichever write of a collection fails, the next opening finishes it", async () => {
  const afterGarbageRow = 3;
  let failing = afterGarbageRow;
  for (let failed = true; failed; failing += 1) {
    await using directory = await temporaryDirectory();
    failed = await collectWithFailure(directory.path, failing);
    await using opened = await openIn(directory.path);
    await opened.bytes.until(async () => (await opened.bytes.storedRows()).length === 0);
  }
  expect(failing).toBeGreaterThan(afterGarbageRow + 2);
});

/** Whether the write that should fail was tried before everything was collected. */
async function collectWithFailure(directory: string, failing: number): Promise<boolean> {
  let writes = 0;
  // Every write from this one on, also once the store has been opened again: then it gives up.
  const wrap = (inner: OrderedBytes): OrderedBytes => {
    const bytes = new WatchedBytes(inner);
    const write = bytes.writeDurably.bind(bytes);
    bytes.writeDurably = async (batch) => {
      writes += 1;
      if (writes > failing) throw new Error("disk");
      await write(batch);
    };
    return bytes;
  };
  const opened = await openWatched((watch) =>
    openLevelStore({ directory, wrap: (inner) => watch(wrap(inner)) }),
  );
  await using _closed = opened;
  const { store, bytes } = opened;
  await commit(store, hubWithInstances(1n, [2n, 3n, 4n]));
  store.append(commitOf(garbageChange({ number: 1n, hub: true })));
  const collected = bytes.until(async () => (await bytes.storedRows()).length === 0);
  return (await Promise.race([collected, store.failed])) !== undefined;
}

function hubWithInstances(hub: bigint, numbers: readonly bigint[]) {
  return commitOf(
    hubAppend({ number: hub, sequence: 1 }, "created"),
    ...numbers.flatMap((number) => [
      instanceAppend({ number, sequence: 1 }, "first"),
      instanceChange(hub, `i${number}`, number),
      readyChange(number, addressOf(hub, `i${number}`)),
    ]),
  );
}

interface AppendingLimits {
  /** Writing more to one file fails, as it would on a full disk. */
  readonly fileSizeKiB?: number;
}

type Appending = ChildProcessByStdio<null, Readable, null>;

function startAppending(directory: string, { fileSizeKiB }: AppendingLimits = {}): Appending {
  const script = join(import.meta.dirname, "appending-child.ts");
  const limit = fileSizeKiB === undefined ? "" : `ulimit -f ${2 * fileSizeKiB};`;
  const shell = ["-c", `${limit} exec "$0" "$@"`, process.execPath, script, directory];
  return spawn("sh", shell, { stdio: ["ignore", "pipe", "inherit"] });
}

/**
 * The acknowledged length of each log, when the process has ended: killed at a line, or by itself.
 */
async function acknowledgedBy(
  child: Appending,
  linesBeforeKill = Number.POSITIVE_INFINITY,
): Promise<ReadonlyMap<bigint, number>> {
  const acknowledged = new Map<bigint, number>();
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    lines += 1;
    if (lines === linesBeforeKill) child.kill("SIGKILL");
    const [number = "", length = ""] = line.split(" ");
    acknowledged.set(BigInt(number), Number(length));
  }
  return acknowledged;
}

async function expectThere(
  directory: string,
  acknowledged: ReadonlyMap<bigint, number>,
): Promise<void> {
  await using store = await openLevelStore({ directory });
  for (const [number, length] of acknowledged) {
    const entries = await store.readLog(number, 1, 1);
    expect(entries.length).toBeGreaterThanOrEqual(length);
    expect(labelsOf(entries)).toEqual(entries.map((_, index) => String(index + 1)));
  }
}
