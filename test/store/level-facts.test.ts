/**
 * What our durability rests on, found out about LevelDB by measuring (RELIABILITY.md, section 2): S1
 * to S16. Where it is weak, what we do about it; what it does then by itself is in
 * `level-itself.test.ts`. More of them: S3 in `test/fault/power.test.ts`, S4, S5, S9 and S16 in
 * `level-damage.test.ts`, S8 and S11 in `level-reopen.test.ts`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { openLevelBytes } from "../../sidecar/store/level/level-bytes.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { compiledShim } from "../fault/shim/shim.ts";
import { addressOf, commitOf, instanceAppends, readyChange } from "../support/store-builders.ts";
import { writeAheadLogOf } from "../support/store-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { commit, openWatched } from "./suite/open-store.ts";

const DISTRUSTED = { code: "store-distrusted" };
const child = join(import.meta.dirname, "syncing-child.ts");

interface Watched {
  readonly lines: readonly string[];
  /** Flushes of write-ahead logs between its lines "begin" and "end", and of the whole run. */
  readonly syncs: number;
}

/**
 * Lets the child write with every flush watched, and kills it; undefined where there is no compiler,
 * which `compiledShim` says, and does not forgive in CI.
 */
async function watched(
  scratch: string,
  [way, count]: readonly [string, number],
  rules = "",
): Promise<Watched | undefined> {
  const shim = await compiledShim(scratch);
  if (shim === undefined) return undefined;
  const [data, trace] = [join(scratch, "data"), join(scratch, "trace")];
  await mkdir(data, { mode: 0o700 });
  await writeFile(join(scratch, "rules"), rules);
  const env = {
    ...process.env,
    LD_PRELOAD: shim,
    FAULTS_ROOT: data,
    FAULTS_TRACE: trace,
    FAULTS_RULES: join(scratch, "rules"),
  };
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const process_ = spawn(process.execPath, [child, data, way, String(count)], {
    env,
    stdio: [...stdio],
  });
  const syncsSoFar = async () => {
    const lines = (await readFile(trace, "utf8").catch(() => "")).split("\n");
    return lines.filter((line) => line.startsWith("sync\t") && line.endsWith(".log")).length;
  };
  const lines: string[] = [];
  let before = 0;
  for await (const line of createInterface({ input: process_.stdout })) {
    lines.push(line);
    if (line === "begin") before = await syncsSoFar();
    if (line === "end") break;
  }
  const syncs = (await syncsSoFar()) - before;
  process_.kill("SIGKILL");
  await once(process_, "exit");
  return { lines, syncs };
}

test("S1: each commit that is waited for has a flush of its own, and without sync there is none", async ({
  skip,
}) => {
  await using scratch = await temporaryDirectory();
  const stored = await watched(scratch.path, ["one by one", 50]);
  if (stored === undefined) return skip("no compiler");
  // The first ones may be over before they are counted.
  expect(stored.syncs).toBeGreaterThanOrEqual(45);
  await using other = await temporaryDirectory();
  const lazy = await watched(other.path, ["lazy", 50]);
  expect(lazy?.syncs).toBeLessThan(5);
});

test("S2: commits that are made together share a flush", async ({ skip }) => {
  await using scratch = await temporaryDirectory();
  const stored = await watched(scratch.path, ["together", 200]);
  if (stored === undefined) return skip("no compiler");
  expect(stored.syncs).toBeLessThan(10);
  // LevelDB alone puts together what its threads have at a time.
  await using other = await temporaryDirectory();
  const alone = await watched(other.path, ["parallel", 200]);
  expect(alone?.syncs).toBeGreaterThan(20);
  expect(alone?.syncs).toBeLessThan(190);
});

test("S7: behind a flush that failed all writes fail, and what failed may be there", async ({
  skip,
}) => {
  await using scratch = await temporaryDirectory();
  const failing = await watched(scratch.path, ["synced", 10], "eio sync before 5 5 *.log\n");
  if (failing === undefined) return skip("no compiler");
  const outcomes = failing.lines.filter((line) => line !== "end").map((line) => line.split(" ")[0]);
  expect(outcomes).toEqual([...Array(4).fill("ok"), ...Array(6).fill("failed")]);
  const database = new ClassicLevel(join(scratch.path, "data", "db"));
  expect((await database.keys().all()).slice(0, 5)).toEqual(
    Array.from({ length: 5 }, (_, at) => `key ${at}`),
  );
  await database.close();
});

/** A closed store with a hundred groups, all of them in a table, and others in the log. */
async function newStore(): Promise<TemporaryDirectory> {
  const directory = await temporaryDirectory();
  for (const from of [1, 101]) {
    await using store = await openLevelStore({ directory: directory.path });
    for (const append of instanceAppends({ number: 1n }, from, 100)) {
      await commit(store, commitOf(append));
    }
  }
  return directory;
}

async function fileIn(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(join(directory, "db"))).find((each) => pattern.test(each));
  if (name === undefined) throw new Error(`there is no ${pattern}`);
  return join(directory, "db", name);
}

test("S5: a page of zeros in the write-ahead log is refused, whatever LevelDB makes of it", async () => {
  await using directory = await newStore();
  const log = await writeAheadLogOf(directory.path);
  const bytes = await readFile(log);
  await writeFile(log, bytes.fill(0, 1_000, 5_096));
  const opening = openLevelStore({ directory: directory.path });
  await expect(opening).rejects.toMatchObject(DISTRUSTED);
});

test("S6: each flipped bit in a table is found before the table is used", async () => {
  await using directory = await newStore();
  const path = await fileIn(directory.path, /\.ldb$/);
  const table = await readFile(path);
  for (let at = 7; at < table.length - 48; at += 331) {
    await writeFile(path, table.with(at, (table[at] ?? 0) ^ (1 << (at % 8))));
    const opening = openLevelStore({ directory: directory.path });
    await expect(opening, `byte ${at}`).rejects.toThrow(/LevelDB's table \d+\.ldb fails its check/);
  }
  await writeFile(path, table);
  await using store = await openLevelStore({ directory: directory.path });
  expect(await store.readLog(1n, 1, 1)).toHaveLength(200);
});

test("S6: a page that is read around a damaged block of a table fails, however short it is", async () => {
  await using directory = await temporaryDirectory();
  const database = join(directory.path, "db");
  const keys = Array.from({ length: 4_000 }, (_, at) => Buffer.from(`key ${at + 10_000}`));
  for (const part of [keys, []]) {
    await using bytes = await disposable(openLevelBytes(database, { createIfMissing: true }));
    const value = Buffer.alloc(40, "text that can be compressed ");
    if (part.length > 0) await bytes.writeDurably(part.map((key) => ({ type: "put", key, value })));
  }
  const path = await fileIn(directory.path, /\.ldb$/);
  const table = await readFile(path);
  // Nothing that compression can undo, among the first thousand rows.
  const [from, to] = [Math.floor(table.length * 0.1), Math.floor(table.length * 0.2)];
  await writeFile(path, table.fill(0xff, from, to));
  await using bytes = await disposable(openLevelBytes(database, { createIfMissing: false }));
  const all = { from: Buffer.of(0), to: Buffer.of(255) };
  for (const limit of [2_000, 3_001, 4_000, Number.POSITIVE_INFINITY]) {
    for (const way of ["rows", "keys"] as const) {
      const length = bytes[way](all, { limit }).then((rows) => rows.length);
      await expect(length, `limit ${limit}`).rejects.toMatchObject(DISTRUSTED);
    }
  }
});

async function disposable<T extends { close(): Promise<void> }>(
  opening: Promise<T>,
): Promise<T & AsyncDisposable> {
  const opened = await opening;
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() });
}

test("S9: a manifest that was cut, a missing table and a missing log are refused", async () => {
  for (const pattern of [/^MANIFEST/, /\.ldb$/, /\.log$/]) {
    await using directory = await newStore();
    const path = await fileIn(directory.path, pattern);
    if (pattern.test("MANIFEST")) await truncate(path, 40);
    else await rm(path);
    for (const _ of ["at once", "and again"]) {
      const opening = openLevelStore({ directory: directory.path });
      await expect(opening, String(pattern)).rejects.toMatchObject(DISTRUSTED);
    }
  }
});

test("S10: reading the lock file drops the lock of this process, so nobody reads it", async () => {
  await using directory = await temporaryDirectory();
  const database = new ClassicLevel(join(directory.path, "db"));
  await database.open();
  const elsewhere = async () => {
    const script = `
      import { ClassicLevel } from "classic-level";
      await new ClassicLevel(${JSON.stringify(join(directory.path, "db"))}).open();`;
    const args = ["--input-type=module", "-e", script];
    const opening = spawn(process.execPath, args, { stdio: "ignore" });
    const [code] = await once(opening, "exit");
    return code === 0 ? "opened" : "refused";
  };
  expect(await elsewhere()).toBe("refused");
  await readFile(join(directory.path, "db", "LOCK"));
  expect(await elsewhere()).toBe("opened");
  await database.close();
});

test("S12: what was appended before closing is durable when the store is closed", async () => {
  await using directory = await temporaryDirectory();
  {
    await using store = await openLevelStore({ directory: directory.path });
    for (const append of instanceAppends({ number: 1n }, 1, 500)) store.append(commitOf(append));
  }
  await using store = await openLevelStore({ directory: directory.path });
  expect(await store.readLog(1n, 1, 1)).toHaveLength(500);
});

test("S13: a snapshot shows what was there, whatever is written meanwhile", async () => {
  await using directory = await temporaryDirectory();
  const database = join(directory.path, "db");
  await using bytes = await disposable(openLevelBytes(database, { createIfMissing: true }));
  const write = (value: string) =>
    bytes.writeDurably(
      Array.from({ length: 2_000 }, (_, at) => ({
        type: "put",
        key: Buffer.from(`key ${at}`),
        value: Buffer.from(value),
      })),
    );
  await write("old");
  const snapshot = bytes.snapshot();
  await write("new");
  const seen = new Map<string, number>();
  for await (const [, value] of snapshot.each({ from: Buffer.of(0), to: Buffer.of(255) })) {
    const text = Buffer.from(value).toString();
    seen.set(text, (seen.get(text) ?? 0) + 1);
  }
  await snapshot.close();
  expect([...seen]).toEqual([["old", 2_000]]);
});

test("S14: what is appended at once leaves in groups that do not block the event loop", async () => {
  await using directory = await temporaryDirectory();
  await using opened = await openWatched((wrap) =>
    openLevelStore({ directory: directory.path, wrap }),
  );
  const row = addressOf(1n, "x");
  const changes = Array.from({ length: 200 }, (_, at) =>
    Array.from({ length: 50 }, (_each, of) => readyChange(BigInt(50 * at + of + 1), row)),
  );
  await commit(opened.store, ...changes.map((each) => commitOf(...each)));
  const sizes = opened.bytes.batches.map((batch) => batch.length);
  expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(10_000);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.groupWritesMax + 1);
});

test("S15: durability is claimed for Linux only, and the README says so", async () => {
  const page = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
  expect(page.replace(/\s+/g, " ")).toMatch(/Durability needs storage .* the claim is for Linux/);
});

test("S16: LevelDB tells of a damaged log, and not of one that was cut or goes on with zeros", async () => {
  const diaryOf = async (change: (bytes: Buffer) => Buffer) => {
    await using directory = await newStore();
    const log = await writeAheadLogOf(directory.path);
    await writeFile(log, change(await readFile(log)));
    const database = new ClassicLevel(join(directory.path, "db"));
    await database.open();
    await database.close();
    return readFile(join(directory.path, "db", "LOG"), "utf8");
  };
  expect(await diaryOf((bytes) => bytes.subarray(0, 3_000))).not.toContain("dropping");
  const zeros = Buffer.alloc(8_192);
  expect(await diaryOf((bytes) => Buffer.concat([bytes, zeros]))).not.toContain("dropping");
  expect(await diaryOf((bytes) => Buffer.from(bytes).fill(0, 1_000, 1_100))).toMatch(
    /dropping \d+ bytes/,
  );
});
