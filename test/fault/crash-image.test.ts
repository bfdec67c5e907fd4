/** The images of T-POWER are those that a disk may leave, and all of them. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Random } from "./kill/random.ts";
import { makeCrashImage } from "./power/crash-image.ts";
import type { Trace } from "./shim/trace.ts";

const IMAGES = 200;

test("an image has what was synced, some of the rest, and names changed in their order", async () => {
  await using scratch = await temporaryDirectory();
  const at = (...names: string[]) => join(scratch.path, ...names);
  await mkdir(at("crashed"));
  await mkdir(at("trash"));
  await writeFile(at("crashed", "log"), "synced, and not");
  await writeFile(at("crashed", "CURRENT"), "new");
  await writeFile(at("crashed", "never synced"), "anything");
  await writeFile(at("crashed", "hole"), "12345678");
  await writeFile(at("trash", "1"), "old");
  await writeFile(at("trash", "2"), "deleted behind the rename");
  const nodeOf = async (...names: string[]) => (await stat(at(...names), { bigint: true })).ino;
  const trace: Trace = {
    syncedBytes: new Map([
      [await nodeOf("crashed", "log"), 6],
      [await nodeOf("crashed", "CURRENT"), 3],
      [await nodeOf("crashed", "hole"), 8],
    ]),
    forgottenBytes: new Map([[await nodeOf("crashed", "hole"), { from: 2, to: 4 }]]),
    nameChanges: [
      { path: at("crashed", "CURRENT"), from: at("crashed", "unfinished"), kept: "1" },
      { path: at("crashed", "gone"), from: undefined, kept: "2" },
      { path: at("crashed", "never synced"), created: true, from: undefined, kept: undefined },
      { path: at("crashed", "log"), created: true, from: undefined, kept: undefined },
    ],
    durableNameChanges: 0,
    faults: [],
  };
  const baseline = new Map([
    [await nodeOf("trash", "1"), 3],
    [await nodeOf("trash", "2"), 25],
  ]);
  const seen = new Set<string>();
  for (let seed = 0; seed < IMAGES; seed += 1) {
    const random = new Random(seed);
    const options = { crashed: at("crashed"), image: at("image"), trash: at("trash"), baseline };
    await makeCrashImage({ ...options, trace, random });
    const read = (name: string) => readFile(at("image", name), "utf8").catch(() => undefined);
    expect("synced, and not".startsWith((await read("log")) ?? "nothing")).toBe(true);
    expect(await read("log")).toMatch(/^synced/);
    expect(await read("hole")).toBe("12\0\x005678");
    const names = { current: await read("CURRENT"), gone: await read("gone") };
    expect(["new", "old"]).toContain(names.current);
    // The deletion came second: it cannot have happened without the rename.
    if (names.current === "old") expect(names.gone).toBe("deleted behind the rename");
    expect(await read("unfinished")).toBe(names.current === "old" ? "new" : undefined);
    seen.add(`${names.current}, ${names.gone === undefined ? "deleted" : "still there"}`);
    seen.add(`never synced: ${await read("never synced")}`);
    seen.add(`tail: ${(await read("log"))?.length}`);
    await rm(at("image"), { recursive: true });
  }
  expect(seen).toContain("new, deleted");
  expect(seen).toContain("new, still there");
  expect(seen).toContain("old, still there");
  expect(seen).toContain("never synced: undefined");
  expect(seen).toContain("never synced: ");
  expect(seen).toContain("never synced: any");
  expect(seen).toContain("tail: 6");
  expect(seen).toContain("tail: 15");
  // What has crashed can be made an image of again.
  expect((await readdir(at("crashed"))).length).toBe(4);
});
