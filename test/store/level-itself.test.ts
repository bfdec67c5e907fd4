/**
 * What LevelDB does when nobody looks after it: the weak spots of RELIABILITY.md, 0.1 and section 2,
 * that our store has cures for. Only its package is used here, so that a version that behaves
 * otherwise is noticed. More of them: S1, S2, S7, S10 and S16 in `level-facts.test.ts`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { type Command, run } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const child = join(import.meta.dirname, "filling-child.ts");
const KIB = 1024;

type Database = ClassicLevel<string, string>;
type Options = ConstructorParameters<typeof ClassicLevel<string, string>>[1];

async function opened(path: string, options?: Options): Promise<Database & AsyncDisposable> {
  const database: Database = new ClassicLevel(path, options);
  await database.open();
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close() });
}

/** What a limited process may not write to a file any more. */
function limited(bytes: number): Command {
  return ["prlimit", `--fsize=${bytes}:unlimited`, "--"];
}

async function pathOf(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((each) => pattern.test(each));
  if (name === undefined) throw new Error(`there is no ${pattern}`);
  return join(directory, name);
}

/** Many batches of two rows each, in the write-ahead log. */
const BATCHES = 300;

async function writeBatches(directory: string): Promise<void> {
  await using database = await opened(directory);
  for (let at = 0; at < BATCHES; at += 1) {
    const value = randomText(200);
    await database.batch(
      ["a", "b"].map((half) => ({ type: "put", key: `${at + 1_000}${half}`, value })),
      { sync: true },
    );
  }
}

/** Which batches are there, wholly. */
async function batchesIn(directory: string): Promise<readonly number[]> {
  await using database = await opened(directory);
  const keys = new Set(await database.keys().all());
  const all = Array.from({ length: BATCHES }, (_, at) => at);
  const found = all.filter((at) => keys.has(`${at + 1_000}a`));
  expect(found.filter((at) => !keys.has(`${at + 1_000}b`))).toEqual([]);
  expect(keys.size).toBe(2 * found.length);
  return found;
}

function randomText(length: number): string {
  let text = "";
  while (text.length < length) text += Math.random().toString(36).slice(2);
  return text.slice(0, length);
}

test.each([600, 6_000])(
  "0.1, S11: behind a write of %i bytes that had no room it acknowledges what the next opening drops",
  async (bytes) => {
    await using scratch = await temporaryDirectory();
    const directory = join(scratch.path, "db");
    const [file, ...args] = [...limited(256 * KIB), process.execPath, child];
    const process_ = spawn(file, [...args, directory, String(bytes)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: process_.stdout })) {
      lines.push(line);
      if (line.startsWith("acknowledged")) break;
      expect(line).toMatch(/File too large/);
      // There is room again: the same handle goes on.
      await run(["prlimit", "--pid", String(process_.pid), "--fsize=unlimited:unlimited"]);
      process_.stdin.write("go on\n");
    }
    process_.kill("SIGKILL");
    await once(process_, "exit");
    expect(lines.at(-1)).toBe("acknowledged 100");
    await using database = await opened(directory);
    const keys = await database.keys().all();
    expect(keys.filter((key) => key.startsWith("before")).length).toBeGreaterThan(10);
    expect(keys.filter((key) => key.startsWith("behind")).length).toBeLessThan(100);
  },
);

test("S4: a write-ahead log that was cut short opens with what was before the cut", async () => {
  await using scratch = await temporaryDirectory();
  await writeBatches(scratch.path);
  const log = await pathOf(scratch.path, /\.log$/);
  await truncate(log, Math.floor((await readFile(log)).length * 0.6));
  const found = await batchesIn(scratch.path);
  expect(found.length).toBeLessThan(BATCHES);
  expect(found).toEqual(Array.from({ length: found.length }, (_, at) => at));
});

test.each([
  ["a flipped bit", 1, (byte: number) => byte ^ 1],
  ["a page of zeros", 4 * KIB, () => 0],
])(
  "S5: %s in the write-ahead log opens with a hole in the middle",
  async (_what, length, change) => {
    await using scratch = await temporaryDirectory();
    await writeBatches(scratch.path);
    const log = await pathOf(scratch.path, /\.log$/);
    const bytes = await readFile(log);
    const from = Math.floor(bytes.length * 0.3);
    bytes.set(bytes.subarray(from, from + length).map(change), from);
    await writeFile(log, bytes);
    const found = await batchesIn(scratch.path);
    expect(found).toContain(0);
    expect(found).toContain(BATCHES - 1);
    expect(found.length).toBeLessThan(BATCHES);
  },
);

test("S6: with a flipped bit in a table rows vanish, or have other values", async () => {
  await using scratch = await temporaryDirectory();
  const keys = Array.from({ length: 100 }, (_, at) => `key ${at + 1_000}`);
  {
    await using database = await opened(scratch.path, { compression: false });
    await database.batch(keys.map((key) => ({ type: "put", key, value: `value of ${key}` })));
    await database.compactRange("a", "z");
  }
  const path = await pathOf(scratch.path, /\.ldb$/);
  const table = await readFile(path);
  const seen = new Set<string>();
  for (let at = 0; at < table.length / 2; at += 5) {
    await writeFile(path, table.with(at, (table[at] ?? 0) ^ 1));
    await using database = await opened(scratch.path);
    for (const key of keys) {
      const value = await database.get(key).catch(() => "refused");
      if (value !== `value of ${key}`) seen.add(value === undefined ? "vanished" : "another value");
    }
  }
  expect([...seen].toSorted()).toEqual(["another value", "vanished"]);
});

test("S8: where a table cannot be written it does not open, and opens once it can", async () => {
  await using scratch = await temporaryDirectory();
  await writeBatches(scratch.path);
  const script = `
    import { ClassicLevel } from "classic-level";
    await new ClassicLevel(${JSON.stringify(scratch.path)}).open();`;
  const command = [process.execPath, "--input-type=module", "-e", script] as const;
  const { end, stderr } = await run([...limited(16 * KIB), ...command]);
  expect(end).not.toBe(0);
  expect(stderr).toContain("File too large");
  expect(await batchesIn(scratch.path)).toHaveLength(BATCHES);
});

test("S9: without its CURRENT it makes a new database, if it may, and what was in tables is gone", async () => {
  await using scratch = await temporaryDirectory();
  await writeBatches(scratch.path);
  // An opening puts what is in the log into a table.
  expect(await batchesIn(scratch.path)).toHaveLength(BATCHES);
  await rm(join(scratch.path, "CURRENT"));
  await expect(opened(scratch.path, { createIfMissing: false })).rejects.toThrow();
  expect(await batchesIn(scratch.path)).toEqual([]);
});

test("S12: closing waits for the writes that are under way", async () => {
  await using scratch = await temporaryDirectory();
  const database = await opened(scratch.path);
  const writes = Array.from({ length: 500 }, (_, at) =>
    database.put(`key ${at}`, "value", { sync: true }),
  );
  await database.close();
  await Promise.all(writes);
  await using again = await opened(scratch.path);
  expect(await again.keys().all()).toHaveLength(500);
});

test("S14: all rows of a batch are taken in before the event loop goes on", async () => {
  await using scratch = await temporaryDirectory();
  await using database = await opened(scratch.path);
  let encoded = 0;
  const counting = {
    name: "counting",
    format: "utf8" as const,
    encode: (value: string) => {
      encoded += 1;
      return value;
    },
    decode: (value: string) => value,
  };
  const rows = Array.from({ length: 50_000 }, (_, at) => ({
    type: "put" as const,
    key: `key ${at}`,
    value: "value",
  }));
  const written = database.batch(rows, { valueEncoding: counting });
  expect(encoded).toBe(rows.length);
  await written;
});
