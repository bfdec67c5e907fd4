import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, test } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { groupKey, instanceKey, logKey } from "../../sidecar/store/ordered/keys.ts";
import { commitOf, instanceAppends, instanceChange } from "../support/store-builders.ts";
import { digestOf, tamper, writeAheadLogOf } from "../support/store-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { commit } from "./suite/open-store.ts";

const ENTRIES = 100;
const DISTRUSTED = { code: "store-distrusted" };

/** A closed store with a hundred groups behind the one that begins the run. */
async function newStore(): Promise<TemporaryDirectory> {
  const directory = await temporaryDirectory();
  await using store = await openLevelStore({ directory: directory.path });
  for (const append of instanceAppends({ number: 1n }, 1, ENTRIES)) {
    await commit(store, commitOf(append, instanceChange(1n, "a", 1n, append.sequence)));
  }
  return directory;
}

function flipByte(bytes: Buffer, offset: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[offset] = (flipped[offset] ?? 0) ^ 1;
  return flipped;
}

test("a flipped bit in a value is found when the value is read", async () => {
  await using directory = await newStore();
  await tamper(directory.path, logKey(1n, 1, 50), (value) => flipByte(value, value.length - 1));
  await tamper(directory.path, instanceKey(1n, "a"), (value) => flipByte(value, 6));
  await using store = await openLevelStore({ directory: directory.path });
  await expect(store.readLog(1n, 1, 1)).rejects.toMatchObject(DISTRUSTED);
  await expect(store.findInstance(1n, "a")).rejects.toMatchObject(DISTRUSTED);
  expect((await store.readLog(1n, 1, 51)).length).toBe(ENTRIES - 50);
});

test("a missing group record is found at opening", async () => {
  await using directory = await newStore();
  await tamper(directory.path, groupKey(50), () => undefined);
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    "group 50 is missing",
  );
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
});

test("a damaged group record is found at opening", async () => {
  await using directory = await newStore();
  await tamper(directory.path, groupKey(50), (value) => flipByte(value, 3));
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    "group record 50 fails its checksum",
  );
});

test("S5: a flipped bit in the write-ahead log is found at opening, and each time again", async () => {
  await using directory = await newStore();
  const log = await writeAheadLogOf(directory.path);
  const bytes = await readFile(log);
  await writeFile(log, flipByte(bytes, Math.floor(bytes.length * 0.3)));
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    /dropped \d+ damaged bytes/,
  );
  const refused = await digestOf(directory.path);
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
  expect(await digestOf(directory.path)).toBe(refused);
});

test("S16: damage at the very end of the write-ahead log is found, though no hole shows", async () => {
  await using directory = await newStore();
  const log = await writeAheadLogOf(directory.path);
  const bytes = await readFile(log);
  await writeFile(log, flipByte(bytes, bytes.length - 1));
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    /dropped \d+ damaged bytes/,
  );
});

test("S4: a write-ahead log that was cut short is refused: more was acknowledged", async () => {
  await using directory = await newStore();
  const log = await writeAheadLogOf(directory.path);
  await truncate(log, Math.floor((await readFile(log)).length * 0.6));
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    /the end of the data in .* is missing: \d+ commit groups behind \d+ were acknowledged/,
  );
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
});

test("S4: what a power loss cuts off was not acknowledged, and a whole prefix is served", async () => {
  await using directory = await newStore();
  // The mark is not flushed: behind a power loss it is an older one, or none.
  await rm(join(directory.path, "ACKNOWLEDGED"));
  const log = await writeAheadLogOf(directory.path);
  await truncate(log, Math.floor((await readFile(log)).length * 0.6));
  await using store = await openLevelStore({ directory: directory.path });
  const entries = await store.readLog(1n, 1, 1);
  expect(entries.length).toBeGreaterThan(ENTRIES / 2);
  expect((await store.findInstance(1n, "a"))?.generation).toBe(entries.length);
});

test.each(["db", join("db", "CURRENT")])(
  "S9: a store without its %s is not taken for a new one",
  async (name) => {
    await using directory = await newStore();
    await rm(join(directory.path, name), { recursive: true });
    await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
    await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
  },
);

test("S9: a store whose database was replaced by an empty one is refused", async () => {
  await using directory = await newStore();
  const database = join(directory.path, "db");
  await rm(database, { recursive: true });
  const empty = new ClassicLevel(database);
  await empty.open();
  await empty.close();
  await expect(openLevelStore({ directory: directory.path })).rejects.toMatchObject(DISTRUSTED);
});
