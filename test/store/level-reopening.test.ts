import { expect, test } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import type { Reopened } from "../../sidecar/store/monitor.ts";
import { silentMonitor } from "../../sidecar/store/monitor.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import { groupKey } from "../../sidecar/store/ordered/keys.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";
import { type WriteFate, WriteFaults } from "../support/faulty-bytes.ts";
import { commitOf, instanceAppend, labelsOf } from "../support/store-builders.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** The first write of a store begins its run. */
const FIRST = 2;

interface Opened extends AsyncDisposable {
  readonly store: Store;
  readonly faults: WriteFaults;
  readonly clock: FakeSteadyClock;
  readonly directory: string;
  readonly reopened: Reopened[];
  readonly causes: string[];
}

async function open(fate: (write: number) => WriteFate): Promise<Opened> {
  const directory = await temporaryDirectory();
  const faults = new WriteFaults(fate);
  const clock = new FakeSteadyClock();
  const reopened: Reopened[] = [];
  const causes: string[] = [];
  const store = await openLevelStore({
    directory: directory.path,
    wrap: faults.wrap,
    clock,
    monitor: {
      ...silentMonitor,
      writeFailed: ({ message }) => causes.push(message),
      reopened: (outcome) => reopened.push(outcome),
    },
  });
  return {
    store,
    faults,
    clock,
    directory: directory.path,
    reopened,
    causes,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Entries `first` to `last` of one log, each a commit; the last is durable when this resolves. */
async function append(store: Store, first: number, last: number): Promise<void> {
  let position = 0;
  for (let sequence = first; sequence <= last; sequence += 1) {
    position = store.append(commitOf(instanceAppend({ number: 1n, sequence }, String(sequence))));
  }
  const end = await endOf(store, position);
  if (end !== "durable") throw new Error(end);
}

/** With what the store has failed, or that it did not and the commit is durable. */
async function endOf(store: Store, position: number): Promise<string> {
  const durable = store.whenDurable(position).then(() => "durable");
  return Promise.race([durable, store.failed.then(({ message }) => message)]);
}

async function labels(store: Store): Promise<readonly string[]> {
  return labelsOf(await store.readLog(1n, 1, 1));
}

test("a write that fails is made up for behind a reopening, and nobody hears of it", async () => {
  await using opened = await open((write) => (write === FIRST + 1 ? "fails" : "lands"));
  const { store, faults, reopened, causes } = opened;
  await append(store, 1, 1);
  await append(store, 2, 4);
  await append(store, 5, 5);
  expect(await labels(store)).toEqual(["1", "2", "3", "4", "5"]);
  expect(causes).toEqual(["the write failed"]);
  expect([faults.openings, reopened]).toEqual([2, [{ landed: false, attempts: 1, durationMs: 0 }]]);
});

test("a write that failed and is there all the same is not written again", async () => {
  await using opened = await open((write) => (write === FIRST ? "lands-and-fails" : "lands"));
  const { store, faults, reopened } = opened;
  await append(store, 1, 3);
  const { writes } = faults;
  expect(await labels(store)).toEqual(["1", "2", "3"]);
  expect([writes, reopened.map(({ landed }) => landed)]).toEqual([FIRST, [true]]);
});

test("commits that come while the store is being opened again follow in order", async () => {
  await using opened = await open((write) => (write === FIRST ? "fails" : "lands"));
  const { store, causes } = opened;
  const first = append(store, 1, 2);
  while (causes.length === 0) await new Promise(setImmediate);
  await Promise.all([first, append(store, 3, 6)]);
  expect(await labels(store)).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("whoever reads while the store is being opened again reads afterwards", async () => {
  await using opened = await open((write) => (write === FIRST + 1 ? "fails" : "lands"));
  const { store, causes } = opened;
  await append(store, 1, 1);
  const writing = append(store, 2, 2);
  while (causes.length === 0) await new Promise(setImmediate);
  const read = await store.readLog(1n, 1, 1);
  expect(labelsOf(read).slice(0, 1)).toEqual(["1"]);
  await writing;
});

test("what was acknowledged is there at the next start", async () => {
  await using directory = await temporaryDirectory();
  const faults = new WriteFaults((write) => (write === FIRST + 2 ? "fails" : "lands"));
  {
    await using store = await openLevelStore({ directory: directory.path, wrap: faults.wrap });
    for (let sequence = 1; sequence <= 6; sequence += 1) await append(store, sequence, sequence);
  }
  await using store = await openLevelStore({ directory: directory.path });
  expect(await labels(store)).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("a second write error within a minute is final", async () => {
  const failing = [FIRST, FIRST + 2];
  await using opened = await open((write) => (failing.includes(write) ? "fails" : "lands"));
  const { store, clock } = opened;
  await append(store, 1, 1);
  clock.advance(59_999);
  const position = store.append(commitOf(instanceAppend({ number: 1n, sequence: 2 }, "2")));
  expect(await endOf(store, position)).toBe("the write failed");
  expect(store.durablePosition).toBe(position - 1);
});

test("a write error a minute after the last one is not", async () => {
  const failing = [FIRST, FIRST + 2];
  await using opened = await open((write) => (failing.includes(write) ? "fails" : "lands"));
  const { store, clock } = opened;
  await append(store, 1, 1);
  clock.advance(60_000);
  await append(store, 2, 2);
  expect(await labels(store)).toEqual(["1", "2"]);
});

test("a store that is not the same when it is opened again is not trusted", async () => {
  await using directory = await temporaryDirectory();
  let inner: OrderedBytes | undefined;
  const faults = new WriteFaults((write) => (write === FIRST + 1 ? "fails" : "lands"));
  await using store = await openLevelStore({
    directory: directory.path,
    wrap(bytes) {
      inner = bytes;
      return faults.wrap(bytes);
    },
  });
  await append(store, 1, 1);
  // The acknowledged group loses its record, as if it had never been written.
  await inner?.writeDurably([{ type: "del", key: groupKey(FIRST) }]);
  const position = store.append(commitOf(instanceAppend({ number: 1n, sequence: 2 }, "2")));
  expect(await endOf(store, position)).toContain("the newest commit group is 1");
});

test("a store that has failed shows only what is on the disk", async () => {
  await using opened = await open((write) => (write >= FIRST ? "fails" : "lands"));
  const { store } = opened;
  store.append(commitOf(instanceAppend({ number: 1n, sequence: 1 }, "1")));
  await store.failed;
  expect(await labels(store)).toEqual([]);
});
