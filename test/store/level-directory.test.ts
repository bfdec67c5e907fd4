import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { commitOf, instanceAppend, labelsOf } from "../support/store-builders.ts";
import { WatchedBytes } from "../support/store-bytes.ts";
import { digestOf } from "../support/store-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { commit } from "./suite/open-store.ts";

async function createIn(directory: string): Promise<void> {
  await using store = await openLevelStore({ directory, createdBy: "taskhub 1.2.3" });
  await commit(store, commitOf(instanceAppend({ number: 1n, sequence: 1 }, "kept")));
}

async function expectRefused(directory: string, message: RegExp): Promise<void> {
  const opening = openLevelStore({ directory });
  await expect(opening).rejects.toMatchObject({ code: "store-refused" });
  await expect(opening).rejects.toThrow(message);
}

async function changeMarker(directory: string, change: (text: string) => string): Promise<void> {
  const path = join(directory, "TASKHUB");
  await writeFile(path, change(await readFile(path, "utf8")));
}

test("a new store creates its directory for its owner alone, with a marker", async () => {
  await using parent = await temporaryDirectory();
  const directory = join(parent.path, "deep", "data");
  await createIn(directory);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await readdir(directory)).toSorted()).toEqual(["ACKNOWLEDGED", "TASKHUB", "db"]);
  const marker: unknown = JSON.parse(await readFile(join(directory, "TASKHUB"), "utf8"));
  expect(marker).toEqual({
    format: 3,
    minReader: 3,
    features: [],
    createdBy: "taskhub 1.2.3",
    incarnation: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test("reopening leaves the marker as it is", async () => {
  await using directory = await temporaryDirectory();
  await createIn(directory.path);
  const before = await readFile(join(directory.path, "TASKHUB"), "utf8");
  await using _store = await openLevelStore({ directory: directory.path });
  expect(await readFile(join(directory.path, "TASKHUB"), "utf8")).toBe(before);
});

test("the fresh root of a volume counts as empty", async () => {
  await using directory = await temporaryDirectory();
  await mkdir(join(directory.path, "lost+found"));
  await createIn(directory.path);
});

test("a directory with anything else in it is refused untouched", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, "notes.txt"), "not ours");
  const before = await digestOf(directory.path);
  await expectRefused(directory.path, /not empty and has no TASKHUB file/);
  expect(await digestOf(directory.path)).toBe(before);
});

test("a store that lost its marker is refused untouched", async () => {
  await using directory = await temporaryDirectory();
  await createIn(directory.path);
  await rm(join(directory.path, "TASKHUB"));
  const before = await digestOf(directory.path);
  await expectRefused(directory.path, /not empty and has no TASKHUB file/);
  expect(await digestOf(directory.path)).toBe(before);
});

test.each([
  ["a newer format", (text: string) => text.replace(/"minReader": 3/, '"minReader": 4')],
  ["a newer format of another shape", () => '{ "format": 9, "minReader": 9 }'],
  ["an unknown feature", (text: string) => text.replace("[]", '["sealed"]')],
])("a store with %s is refused untouched", async (_, change) => {
  await using directory = await temporaryDirectory();
  await createIn(directory.path);
  await changeMarker(directory.path, change);
  const before = await digestOf(directory.path);
  await expectRefused(directory.path, /needs a newer version/);
  expect(await digestOf(directory.path)).toBe(before);
});

test("a store of a newer format that this version can still read is opened", async () => {
  await using directory = await temporaryDirectory();
  await createIn(directory.path);
  await changeMarker(directory.path, (text) => text.replace(/"format": 3/, '"format": 4'));
  await using store = await openLevelStore({ directory: directory.path });
  expect(labelsOf(await store.readLog(1n, 1, 1))).toEqual(["kept"]);
});

test.each([
  ["cut short", (text: string) => text.slice(0, 20)],
  ["empty", () => ""],
  ["no object", () => "1"],
  ["without its fields", () => '{ "format": 2, "minReader": 2 }'],
])("a store whose marker is %s is refused untouched", async (_, change) => {
  await using directory = await temporaryDirectory();
  await createIn(directory.path);
  await changeMarker(directory.path, change);
  const before = await digestOf(directory.path);
  await expectRefused(directory.path, /TASKHUB is damaged/);
  expect(await digestOf(directory.path)).toBe(before);
});

test("a path that cannot be a directory is refused", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "file");
  await writeFile(file, "");
  await expectRefused(file, /cannot use/);
  await expectRefused(join(file, "below"), /cannot use/);
});

test("a creation that did not finish is begun again", async () => {
  await using directory = await temporaryDirectory();
  const full = openLevelStore({
    directory: directory.path,
    wrap(inner) {
      const bytes = new WatchedBytes(inner);
      bytes.failBatch(1, new Error("the write failed"));
      return bytes;
    },
  });
  await expect(full).rejects.toThrow("the write failed");
  await expect(full).rejects.toMatchObject({ code: "store-refused" });
  expect((await readdir(directory.path)).toSorted()).toEqual(["TASKHUB.unfinished", "db"]);
  await createIn(directory.path);
  expect((await readdir(directory.path)).toSorted()).toEqual(["ACKNOWLEDGED", "TASKHUB", "db"]);
});
