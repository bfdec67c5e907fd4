/** A hub that was exported and imported is the same hub, held until somebody lets it go on. */
import { describe, expect, it } from "vitest";
import { comparable, exported, importFile, opened } from "../support/backup-files.ts";
import { ALL, finishAll, populate, resultOf, startOf } from "../support/backup-world.ts";
import { hubHolds, releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { dueRows, readyIds } from "./kit/stored-instances.ts";
import { levelDisk, memoryDisk, type TestDisk } from "./kit/test-disk.ts";

/** What everybody can see of all instances, but for the times of changes. */
async function shown(hub: TestHub): Promise<unknown> {
  const facts = [...ALL, "done", "gone"].map(async (id) => ({
    id,
    live: await hub.live(id).then(withoutNumbers),
    status: await hub.status(id),
    history: (await hub.stored(id))?.history.map(({ kind, length }) => [kind, length]),
  }));
  return Promise.all(facts);
}

function withoutNumbers(live: unknown): unknown {
  return JSON.parse(
    JSON.stringify(live ?? null, (key, value) => {
      if (/^(number|ancestors|sender)$/.test(key)) return undefined;
      return typeof value === "bigint" ? `${value}` : value;
    }),
  );
}

const disks: Readonly<Record<string, () => TestDisk | Promise<TestDisk>>> = {
  memory: memoryDisk,
  level: levelDisk,
};

async function openOn(kind: string): Promise<TestHub> {
  return openHub({ disk: await (disks[kind] ?? memoryDisk)() });
}

/** The hold that the import adds is the only record that the file did not have. */
function withoutImportHold(records: readonly unknown[]): readonly unknown[] {
  const isOfImport = (record: unknown) => JSON.stringify(record).includes('"name":"import"');
  expect(records.filter(isOfImport)).toHaveLength(1);
  return records.filter((record) => !isOfImport(record));
}

describe.each([
  ["memory", "memory"],
  ["memory", "level"],
  ["level", "memory"],
])("from %s to %s", (from, to) => {
  it("a hub comes back as it was, in a store with other storage numbers", async () => {
    await using source = await openOn(from);
    await using target = await openOn(to);
    await populate(source);
    await target.hubs.get("other").instances.start({ ...startOf("x") });
    const file = await exported(source.hubs);
    const imported = await importFile(target.hubs, file);
    expect(imported).toMatchObject({ instances: 12, hold: "import" });
    const again = await exported(target.hubs);
    expect(withoutImportHold(comparable(again))).toEqual(comparable(file));
    expect(opened(again).entries[0]?.number).not.toBe(opened(file).entries[0]?.number);
    expect(opened(again).header.incarnation).toBe(imported.incarnation);
    expect(imported.incarnation).not.toBe(opened(file).header.incarnation);
    expect(await shown(target)).toEqual(await shown(source));
    expect(await readyIds(target.store)).toEqual([...(await readyIds(source.store)), "x"].sort());
    expect(await dueRows(target.store)).toEqual(await dueRows(source.store));
  });

  it("everything waits for its release, and then finishes with the right result", async () => {
    await using source = await openOn(from);
    await using target = await openOn(to);
    await populate(source);
    await importFile(target.hubs, await exported(source.hubs));
    const worker = target.worker();
    await target.pass(60_000);
    expect(await worker.waiting()).toEqual([]);
    expect(hubHolds(target)).toEqual(["tree", "window", "import"]);
    await releaseHub(target, undefined, "import");
    await worker.close();
    await finishAll(target);
    for (const id of ALL) {
      expect(await target.hub.read(id, resultOf), id).toBe(`"end of ${id}"`);
    }
    expect(await target.hub.read("done", resultOf)).toBe('"result"');
    expect(await target.status("gone")).toBeUndefined();
  });

  it("a restart in between changes nothing", async () => {
    await using source = await openOn(from);
    await using target = await openOn(to);
    await populate(source);
    await importFile(target.hubs, await exported(source.hubs));
    const before = await shown(target);
    await target.crash();
    expect(await shown(target)).toEqual(before);
    expect(hubHolds(target)).toEqual(["tree", "window", "import"]);
    await releaseHub(target, undefined, "import");
    await finishAll(target);
    for (const id of ALL) expect(await target.status(id), id).toBe("COMPLETED");
  });
});
