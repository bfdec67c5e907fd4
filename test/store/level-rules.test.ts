/**
 * Which directories a store is not opened in, and what of a damaged one an operator may give up.
 * Whatever is refused stays as it is.
 */
import {
  chmod,
  chown,
  lchown,
  mkdir,
  readFile,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jsonLog } from "../../sidecar/foundation/log.ts";
import { refuseNetworkDisk } from "../../sidecar/store/level/disk-kind.ts";
import { type LevelStoreOptions, openLevelStore } from "../../sidecar/store/level/store.ts";
import { runProgramToEnd, startSidecar } from "../support/sidecar-process.ts";
import { commitOf, instanceAppends } from "../support/store-builders.ts";
import { digestOf, writeAheadLogOf } from "../support/store-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { commit } from "./suite/open-store.ts";

const DISTRUSTED = { code: "store-distrusted" };
const SOMEBODY = 12_345;

async function open(directory: string, options: Partial<LevelStoreOptions> = {}): Promise<void> {
  await using _store = await openLevelStore({ directory, ...options });
}

async function expectRefused(directory: string, message: RegExp): Promise<void> {
  const opening = open(directory);
  await expect(opening).rejects.toMatchObject({ code: "store-refused" });
  await expect(opening).rejects.toThrow(message);
}

test("a directory that every user may write to is refused, and stays as it is", async () => {
  await using parent = await temporaryDirectory();
  const directory = join(parent.path, "data");
  await open(directory);
  await chmod(directory, 0o777);
  const before = await digestOf(parent.path);
  await expectRefused(directory, /every user may write to .*chmod o-w/);
  expect(await digestOf(parent.path)).toBe(before);
  await chmod(directory, 0o775);
  await open(directory);
});

test("a link to a directory of one's own is followed, one that leads nowhere is refused", async () => {
  await using parent = await temporaryDirectory();
  const [real, link] = [join(parent.path, "real"), join(parent.path, "link")];
  await symlink(real, link);
  await expectRefused(link, /is a link that leads nowhere/);
  await mkdir(real, { mode: 0o700 });
  await open(link);
  expect(await readFile(join(real, "TASKHUB"), "utf8")).toContain('"format"');
});

test.runIf(process.getuid?.() === 0)(
  "a link of another user, or to a directory of another user, is refused",
  async () => {
    await using parent = await temporaryDirectory();
    const [real, link] = [join(parent.path, "real"), join(parent.path, "link")];
    await mkdir(real, { mode: 0o700 });
    await symlink(real, link);
    await lchown(link, SOMEBODY, SOMEBODY);
    await expectRefused(link, /is a link that belongs, or leads to .*, to another user/);
    await lchown(link, 0, 0);
    await chown(real, SOMEBODY, SOMEBODY);
    await expectRefused(link, /is a link that belongs, or leads to .*, to another user/);
  },
);

test.each([
  [0x6969, "NFS"],
  [-11_317_950, "CIFS"],
  [0x01021997, "9P"],
])("a directory on a disk of type %i is refused: %s", async (type, name) => {
  await expect(refuseNetworkDisk("/data", async () => ({ type }))).rejects.toThrow(
    `/data is on a network disk (${name})`,
  );
});

test("what will be created on a network disk is refused before it is created", async () => {
  const asked: string[] = [];
  const kind = async (path: string) => {
    asked.push(path);
    if (path !== "/mnt") throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return { type: 0x6969 };
  };
  await expect(refuseNetworkDisk("/mnt/a/b", kind)).rejects.toMatchObject({
    code: "store-refused",
  });
  expect(asked).toEqual(["/mnt/a/b", "/mnt/a", "/mnt"]);
  await refuseNetworkDisk("/data", async () => ({ type: 0xef53 }));
});

test("a directory that another process uses is refused, and stays as it is", async () => {
  await using directory = await temporaryDirectory();
  const args = ["--disk-reserve", "0"];
  await using sidecar = await startSidecar({ dataDirectory: directory.path, args });
  await sidecar.logged("sidecar.ready");
  const before = await digestOf(directory.path);
  await expect(open(directory.path)).rejects.toMatchObject({ code: "store-in-use" });
  // Not even LevelDB's diary: a process that is refused the lock would have begun a new one.
  expect(await digestOf(directory.path)).toBe(before);
});

/** A closed store with a hundred groups, the last of which are then damaged. */
async function damagedAtTheEnd(how: "flip" | "cut"): Promise<TemporaryDirectory> {
  const directory = await temporaryDirectory();
  {
    await using store = await openLevelStore({ directory: directory.path });
    for (const append of instanceAppends({ number: 1n }, 1, 100)) {
      await commit(store, commitOf(append));
    }
  }
  const log = await writeAheadLogOf(directory.path);
  const bytes = await readFile(log);
  const at = Math.floor(bytes.length * 0.97);
  if (how === "cut") await truncate(log, at);
  else await writeFile(log, bytes.with(at, (bytes[at] ?? 0) ^ 1));
  return directory;
}

/** The figure that a refusal names. */
async function figureOf(directory: string): Promise<number> {
  const error: unknown = await open(directory).catch((caught: unknown) => caught);
  expect(error).toMatchObject(DISTRUSTED);
  return Number(/--accept-dropped-tail (\d+)$/.exec(String(error))?.[1]);
}

test.each(["flip", "cut"] as const)(
  "an end that is lost (%s) is given up only for the figure that was refused, and only once",
  async (how) => {
    await using directory = await damagedAtTheEnd(how);
    const figure = await figureOf(directory.path);
    expect(figure).toBeGreaterThan(0);
    const before = await digestOf(directory.path);
    const wrong = open(directory.path, { acceptedLoss: figure + 1 });
    await expect(wrong).rejects.toMatchObject(DISTRUSTED);
    if (how === "flip") expect(await digestOf(directory.path)).toBe(before);
    const lines: string[] = [];
    const log = jsonLog("info", { write: (line) => void lines.push(line) });
    {
      const options = { directory: directory.path, acceptedLoss: figure, log };
      await using store = await openLevelStore(options);
      const entries = await store.readLog(1n, 1, 1);
      expect(entries.length).toBeGreaterThan(90);
      expect(entries.length).toBeLessThan(100);
    }
    expect(lines.filter((line) => line.includes("store.loss_accepted"))).toHaveLength(1);
    expect(await readFile(join(directory.path, "ACCEPTED_LOSSES"), "utf8")).not.toBe("");
    // With the flag or without it: there is nothing more to give up.
    await open(directory.path);
    await open(directory.path, { acceptedLoss: figure, log });
    expect(lines.filter((line) => line.includes("store.loss_accepted"))).toHaveLength(1);
  },
);

test("an accepted loss of which a power cut has left half a line in the diary is no new one", async () => {
  await using directory = await damagedAtTheEnd("flip");
  const figure = await figureOf(directory.path);
  await open(directory.path, { acceptedLoss: figure });
  const diary = join(directory.path, "db", "LOG.old");
  const text = await readFile(diary, "utf8");
  const told = `dropping ${figure} bytes`;
  expect(text).toContain(told);
  await truncate(diary, text.indexOf(told) + told.length + 3);
  await open(directory.path);
});

test("a hole in the middle cannot be given up", async () => {
  // LevelDB's log has blocks of 32 KiB, and goes on with the one behind a damaged one.
  await using directory = await temporaryDirectory();
  {
    await using store = await openLevelStore({ directory: directory.path });
    for (const append of instanceAppends({ number: 1n }, 1, 600)) {
      await commit(store, commitOf(append));
    }
  }
  const log = await writeAheadLogOf(directory.path);
  const bytes = await readFile(log);
  expect(bytes.length).toBeGreaterThan(32 * 1024);
  await writeFile(log, bytes.with(16_000, (bytes[16_000] ?? 0) ^ 1));
  const figure = await figureOf(directory.path);
  await expect(open(directory.path, { acceptedLoss: figure })).rejects.toThrow(
    /are missing, later/,
  );
});

test("serve takes the figure as a flag", async () => {
  await using directory = await damagedAtTheEnd("flip");
  const args = ["serve", "--listen", "127.0.0.1:0", "--data", directory.path];
  const refused = await runProgramToEnd(args);
  expect(refused.end).toBe(74);
  const [, figure = ""] = /--accept-dropped-tail (\d+)\n$/.exec(refused.stderr) ?? [];
  await using sidecar = await startSidecar({
    dataDirectory: directory.path,
    args: ["--accept-dropped-tail", figure],
  });
  expect(await sidecar.logged("store.loss_accepted")).toMatchObject({
    level: "warn",
    droppedBytes: Number(figure),
  });
});
