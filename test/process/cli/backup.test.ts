/** export, import and verify, as operators type them. */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { comparable, recordPlaces } from "../../support/backup-files.ts";
import { taskhub } from "../../support/command-line.ts";
import { RunningSidecar } from "../../support/running-app.ts";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";

let directory: TemporaryDirectory;
let sidecar: RunningSidecar;

beforeEach(async () => {
  directory = await temporaryDirectory();
  sidecar = await RunningSidecar.start();
});

afterEach(async () => {
  await sidecar[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** Runs a command in the folder of the test that has to end so, and gives what it wrote. */
async function ran(
  code: number,
  args: readonly string[],
  where: { readonly address: string } = sidecar,
): Promise<string> {
  const { address } = where;
  const result = await taskhub(args, { address, workingDirectory: directory.path });
  expect(result, args.join(" ")).toMatchObject({ code });
  return result.out + result.err;
}

const start = (id: string, ...more: readonly string[]) =>
  ran(0, ["start", "Order", "--id", id, ...more]);

async function exportedFile(name = "hub.backup"): Promise<Buffer> {
  await ran(0, ["export", name]);
  return readFile(join(directory.path, name));
}

describe("a backup", () => {
  test("is exported, verified and imported, and goes on when it is released", async () => {
    await start("a");
    await start("b");
    await ran(0, ["suspend", "b", "--reason", "books"]);
    expect(await ran(0, ["export", "hub.backup"])).toMatch(
      /^task hub: +default\nexported: +\S+Z\ninstances: +2\nrecords: +5\nformat: +1\nsha-256: +[0-9a-f]{64}\n$/,
    );
    expect(await ran(0, ["verify", "hub.backup"])).toMatch(/instances: +2/);
    expect(JSON.parse(await ran(0, ["verify", "hub.backup", "-o", "json"]))).toMatchObject({
      taskHub: "default",
      instances: "2",
      format: 1,
    });
    expect(await ran(0, ["import", "hub.backup", "--taskhub", "copy"])).toBe(
      'imported 2 instances into task hub "copy"\n' +
        'held by selector "import": taskhub hub resume import lets it go on\n',
    );
    const listed = JSON.parse(await ran(0, ["list", "--taskhub", "copy", "-o", "json"]));
    expect(listed).toMatchObject([
      { instanceId: "a", holds: [{ name: "import" }] },
      { instanceId: "b", status: "INSTANCE_STATUS_SUSPENDED" },
    ]);
    expect(await ran(0, ["hub", "resume", "import", "--taskhub", "copy"])).toBe(
      'released selector "import"\n',
    );
  });

  test("is a file that only its user may read, and has nothing beside it", async () => {
    await start("a");
    await exportedFile();
    expect((await stat(join(directory.path, "hub.backup"))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory.path)).toEqual(["hub.backup"]);
  });

  test("never takes the place of another file", async () => {
    await start("a");
    await writeFile(join(directory.path, "hub.backup"), "mine");
    expect(await ran(3, ["export", "hub.backup"])).toBe(
      "taskhub: hub.backup exists already; it was not changed\n",
    );
    expect(await readFile(join(directory.path, "hub.backup"), "utf8")).toBe("mine");
    expect(await readdir(directory.path)).toEqual(["hub.backup"]);
  });

  test("of a hub that does not exist, or into a folder that does not, leaves no file", async () => {
    expect(await ran(2, ["export", "hub.backup"])).toMatch(/"default" does not exist/);
    await ran(74, ["export", "nowhere/hub.backup"]);
    await ran(64, ["import", "nowhere/hub.backup"]);
    await ran(64, ["verify", "nowhere/hub.backup"]);
    await ran(64, ["export"]);
    expect(await readdir(directory.path)).toEqual([]);
  });

  test("does not go into a hub that has an instance", async () => {
    await start("a");
    await exportedFile();
    expect(await ran(3, ["import", "hub.backup"])).toMatch(/"default" is not empty/);
    expect(JSON.parse(await ran(0, ["list", "-o", "json"]))).toMatchObject([{ instanceId: "a" }]);
  });

  test("that is damaged, cut off or too new is refused before a sidecar hears of it", async () => {
    await start("a");
    const file = await exportedFile();
    const flipped = Buffer.from(file);
    flipped[file.length >> 1] = (flipped[file.length >> 1] ?? 0) ^ 1;
    const cut = file.subarray(0, recordPlaces(file).at(-2));
    const newer = Buffer.from(file.toString("latin1").replace("backup 1", "backup 2"), "latin1");
    const nobody = { address: "127.0.0.1:1" };
    for (const [name, bytes, code, problem] of [
      ["flipped", flipped, 74, /^taskhub: flipped: the backup is damaged: record \d+ /],
      ["cut", cut, 74, /^taskhub: cut: the backup is damaged: it is cut off behind \d+ records\n$/],
      ["newer", newer, 78, /^taskhub: newer: the backup needs a newer version: .* format 2\n$/],
    ] as const) {
      await writeFile(join(directory.path, name), bytes);
      for (const command of ["verify", "import"]) {
        expect(await ran(code, [command, name], nobody)).toMatch(problem);
      }
    }
    await ran(0, ["verify", "hub.backup"], nobody);
    await ran(69, ["import", "hub.backup"], nobody);
  });

  test("that is empty is refused", async () => {
    await writeFile(join(directory.path, "hub.backup"), "");
    expect(await ran(74, ["import", "hub.backup"])).toMatch(/cut off behind 0 records/);
    expect(await ran(74, ["verify", "hub.backup"])).toMatch(/cut off behind 0 records/);
  });
});

describe("two sidecars on disks of their own", () => {
  const served = (name: string): Promise<SidecarProcess> =>
    startSidecar({ dataDirectory: join(directory.path, name) });

  test("hand a hub over, which outlives both of them", async () => {
    await using first = await served("first");
    for (const id of ["a", "b", "c"]) {
      await ran(0, ["start", "Order", "--id", id, "--input", '"x"'], first);
    }
    await ran(0, ["terminate", "c"], first);
    await ran(0, ["export", "one"], first);
    await first.kill();
    {
      await using second = await served("second");
      await ran(0, ["import", "one"], second);
      await second.kill();
    }
    await using again = await served("second");
    await again.logged("sidecar.ready");
    await ran(0, ["export", "two"], again);
    const [one, two] = await Promise.all(
      ["one", "two"].map((name) => readFile(join(directory.path, name))),
    );
    const records = comparable(two ?? Buffer.alloc(0));
    expect(records.filter((record) => !JSON.stringify(record).includes('"import"'))).toEqual(
      comparable(one ?? Buffer.alloc(0)),
    );
    expect(await ran(0, ["hub", "info"], again)).toMatch(/selector "import"/);
  });
});
