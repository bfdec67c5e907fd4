/** `taskhub check` on real directories. */
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { copyDatabase } from "../../sidecar/store/level/data-directory-copy.ts";
import { checkDirectory, rebuildIndexes } from "../../sidecar/store/level/integrity-check.ts";
import type { OrderedBytes } from "../../sidecar/store/ordered/bytes.ts";
import type { Problem } from "../../sidecar/store/ordered/check-findings.ts";
import { KIND } from "../../sidecar/store/ordered/key-parts.ts";
import { runProgramToEnd, startSidecar } from "../support/sidecar-process.ts";
import { digestOf, writeAheadLogOf } from "../support/store-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";

const INDEXES = [KIND.ready, KIND.due, KIND.query, KIND.completed, KIND.held];

/** A parent directory with a golden data directory in it. */
async function withData(): Promise<TemporaryDirectory & { readonly data: string }> {
  const parent = await temporaryDirectory();
  const data = join(parent.path, "data");
  await cp(join(import.meta.dirname, "golden/format-3/data"), data, { recursive: true });
  await chmod(data, 0o700);
  // LevelDB's, and empty: it need not be in a checkout.
  await writeFile(join(data, "db", "LOCK"), "");
  return { path: parent.path, data, [Symbol.asyncDispose]: () => parent[Symbol.asyncDispose]() };
}

async function problemsIn(directory: string): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  await checkDirectory({ directory, onProblem: (problem) => void problems.push(problem) });
  return problems;
}

/** Takes all index rows away but those that lead to instances, and adds some that are wrong. */
async function ruinIndexes(directory: string): Promise<void> {
  const database = new ClassicLevel<Buffer, Buffer>(join(directory, "db"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  for (const kind of INDEXES) {
    const range = { gte: Buffer.of(kind), lt: Buffer.of(kind + 1) };
    for (const key of await database.keys(range).all()) await database.del(key);
    const wrong = Buffer.concat([Buffer.of(kind), Buffer.alloc(30, 1)]);
    await database.put(wrong, Buffer.from("nothing"), { sync: true });
  }
  await database.close();
}

test("a check changes nothing, leaves nothing behind, and says how much it saw", async () => {
  await using directory = await withData();
  const before = await digestOf(directory.path);
  const { end, stdout, stderr } = await runProgramToEnd(["check", "--data", directory.data]);
  expect({ end, stderr }).toEqual({ end: 0, stderr: "" });
  expect(stdout).toMatch(/^looked at: 1 task hubs, 16 instances, \d+ log entries, \d+ index rows/);
  expect(await digestOf(directory.path)).toBe(before);
});

test("a directory that a sidecar has is refused with 75", async () => {
  await using directory = await withData();
  await using sidecar = await startSidecar({ dataDirectory: directory.data });
  await sidecar.logged("sidecar.ready");
  const database = join(directory.data, "db");
  expect(await runProgramToEnd(["check", "--data", directory.data])).toEqual({
    end: 75,
    stdout: "",
    stderr: `taskhub: another process is using ${database}\n`,
  });
});

test("no sidecar starts on a directory while it is being checked", async () => {
  await using directory = await withData();
  const args = ["serve", "--listen", "127.0.0.1:0", "--data", directory.data];
  await using _copy = await copyDatabase(directory.data, join(directory.data, "db"));
  expect((await runProgramToEnd(args)).end).toBe(75);
});

test("problems are told one a line, a hundred at most, and end with 74", async () => {
  await using directory = await withData();
  const database = new ClassicLevel<Buffer, Buffer>(join(directory.data, "db"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  for (let number = 1; number <= 150; number += 1) {
    const key = Buffer.alloc(9, 0);
    key[0] = KIND.ready;
    key.writeUInt32BE(number, 1);
    await database.put(key, Buffer.from("nothing"));
  }
  await database.close();
  const { end, stdout, stderr } = await runProgramToEnd(["check", "--data", directory.data]);
  expect(end).toBe(74);
  const lines = stdout.split("\n");
  expect(lines.filter((line) => line.startsWith("index: ready row of log"))).toHaveLength(100);
  expect(lines).toContain("... and 50 more problems");
  expect(stderr).toBe(
    "taskhub: problems were found, 0 of damage and 150 of indexes: " +
      "taskhub check --rebuild-indexes puts the indexes right\n",
  );
});

test("indexes are rebuilt from the logs, and then nothing is wrong", async () => {
  await using directory = await withData();
  await ruinIndexes(directory.data);
  const args = ["check", "--data", directory.data, "--rebuild-indexes"];
  const { end, stdout, stderr } = await runProgramToEnd(args);
  expect({ end, stderr }).toEqual({ end: 0, stderr: "" });
  expect(stdout).toMatch(/rows put right: \d\d\n/);
  expect(stdout).toMatch(/problems: 0 of damage, 0 of indexes\n$/);
});

test("whichever write of a rebuild is the last one before a crash, the next one finishes it", async () => {
  let crashes = 0;
  for (let last = 0; ; last += 1) {
    await using directory = await withData();
    await ruinIndexes(directory.data);
    const options = { directory: directory.data, onProblem: () => {} };
    const crashed = rebuildIndexes({ ...options, wrap: (bytes) => crashBehind(bytes, last) });
    const isDone = await crashed.then(
      () => true,
      () => false,
    );
    if (!isDone) await rebuildIndexes(options);
    expect(await problemsIn(directory.data)).toEqual([]);
    if (isDone) break;
    crashes += 1;
  }
  expect(crashes).toBeGreaterThan(1);
});

function crashBehind(bytes: OrderedBytes, writes: number): OrderedBytes {
  const write = bytes.writeDurably.bind(bytes);
  let left = writes;
  bytes.writeDurably = async (batch) => {
    if (left === 0) throw new Error("the process is gone");
    left -= 1;
    await write(batch);
  };
  return bytes;
}

test("damage is told, and indexes are not rebuilt over it", async () => {
  await using directory = await withData();
  const log = await writeAheadLogOf(directory.data);
  const bytes = await readFile(log);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(log, bytes);
  const before = await digestOf(directory.data);
  const args = ["check", "--data", directory.data, "--rebuild-indexes"];
  const { end, stdout, stderr } = await runProgramToEnd(args);
  expect({ end, stderr }).toEqual({
    end: 74,
    stderr: "taskhub: indexes were not rebuilt: what is damaged or missing only a backup has\n",
  });
  expect(stdout).toMatch(/^damage: LevelDB tells: .*dropping \d+ bytes/);
  expect(await digestOf(directory.data)).toBe(before);
});

test.each([
  ["a newer format", /"(format|minReader)": 3/g, '"$1": 4', "needs a newer version"],
  ["format 1", /"(format|minReader)": 3/g, '"$1": 1', "is of format 1: serve it once"],
])("a directory of %s is refused with 78", async (_, from, to, line) => {
  await using directory = await withData();
  const path = join(directory.data, "TASKHUB");
  await writeFile(path, (await readFile(path, "utf8")).replace(from, to));
  const before = await digestOf(directory.path);
  const { end, stderr } = await runProgramToEnd(["check", "--data", directory.data]);
  expect(end).toBe(78);
  expect(stderr).toContain(line);
  expect(await digestOf(directory.path)).toBe(before);
});

test("a place for the copy that cannot be used is refused with 78 and an advice", async () => {
  await using directory = await withData();
  const nowhere = join(directory.path, "nowhere");
  const args = ["check", "--data", directory.data, "--copy-to", nowhere];
  const { end, stderr } = await runProgramToEnd(args);
  expect(end).toBe(78);
  expect(stderr).toMatch(/cannot copy .* choose a place with --copy-to\n$/);
  const empty = join(directory.path, "empty");
  await mkdir(empty);
  expect((await runProgramToEnd(["check", "--data", empty])).end).toBe(78);
});
