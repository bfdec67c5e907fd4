/** What is left of an import that does not succeed: nothing. */
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BackupWriter } from "../../sidecar/store/backup/format.ts";
import { KIND } from "../../sidecar/store/ordered/key-parts.ts";
import {
  Death,
  EntrySchema,
  HubEntrySchema,
  LogRecordSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { BackupEntry } from "../../sidecar/wire/gen/taskhub/v1/backup_pb.ts";
import { exported, importFile, opened, partsOf } from "../support/backup-files.ts";
import { ALL, finishAll, populatedFile, startOf, storedIn } from "../support/backup-world.ts";
import { hubHolds, releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { readyIds } from "./kit/stored-instances.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

/** Made once: it is only read. */
const whole = populatedFile();

it("a sidecar that stops takes no more parts, and leaves the hub empty", async () => {
  const disk = memoryDisk();
  await using hub = await openHub({ disk });
  const { hubs } = hub;
  const id = await hubs.imports.begin("default");
  await hubs.imports.add("default", id, 1n, (await whole).subarray(0, 3_000));
  await hubs.drain(AbortSignal.abort());
  expect(() => hubs.imports.add("default", id, 2n, Buffer.alloc(1))).toThrow(/shutting down/);
  await hub.pass(600_000);
  await hub.crash();
  expect(await storedIn(hub)).toEqual([]);
});

describe("an import that does not succeed leaves nothing", () => {
  async function begun(hub: TestHub): Promise<string> {
    const id = await hub.hubs.imports.begin("default");
    for (const [part, data] of [...partsOf(await whole, 1_000)].slice(0, -2)) {
      await hub.hubs.imports.add("default", id, part, data);
    }
    return id;
  }

  it("when it is given up", async () => {
    await using hub = await openHub();
    const id = await begun(hub);
    expect(await storedIn(hub)).not.toEqual([]);
    await hub.hubs.imports.abort("default", id);
    await hub.settled();
    expect(await storedIn(hub, [KIND.due])).toEqual([]);
    await importFile(hub.hubs, await whole);
  });

  it("when its next part does not come for a minute, and then the hub is served again", async () => {
    await using hub = await openHub();
    await hub.hub.create();
    await begun(hub);
    await hub.pass(59_000);
    expect(() => hub.hub).toThrow(/being imported/);
    await hub.pass(1_000);
    expect(await hub.status("pending")).toBeUndefined();
    await hub.start("a");
    await hub.crash();
    expect(await readyIds(hub.store)).toEqual(["a"]);
    expect(await storedIn(hub, [KIND.due, KIND.log])).toHaveLength(4);
  });

  it("when the file is cut off", async () => {
    await using hub = await openHub();
    const id = await begun(hub);
    await expect(hub.hubs.imports.finish("default", id)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(
        /^the backup is damaged: it is cut off .*; nothing was imported$/,
      ),
    });
    await hub.settled();
    expect(await storedIn(hub, [KIND.due])).toEqual([]);
    expect(await hub.store.listHubs()).toEqual([]);
  });

  it.each<[string, (entry: BackupEntry) => void]>([
    [
      "an instance without its beginning",
      (entry) => {
        const record = create(LogRecordSchema, { entries: [create(EntrySchema, { header: {} })] });
        if (entry.instanceId === "again") entry.entry = toBinary(LogRecordSchema, record);
      },
    ],
    [
      "an entry of a hub in an instance",
      (entry) => {
        const hub = create(LogRecordSchema, { hubEntries: [create(HubEntrySchema)] });
        if (entry.instanceId === "child") entry.entry = toBinary(LogRecordSchema, hub);
      },
    ],
    [
      "an instance under the id of another",
      (entry) => {
        if (entry.instanceId === "done") entry.instanceId = "dona";
      },
    ],
    [
      "a life that is over",
      (entry) => {
        const dead = create(EntrySchema, { header: {}, death: Death.PURGED });
        const record = create(LogRecordSchema, { entries: [dead] });
        if (entry.instanceId === "timer" && entry.sequence > 2n) {
          entry.entry = toBinary(LogRecordSchema, record);
        }
      },
    ],
    [
      "bytes that are no entry",
      (entry) => {
        if (entry.instanceId === "parent") entry.entry = Buffer.from("nonsense");
      },
    ],
    [
      "another generation",
      (entry) => {
        if (entry.instanceId === "fanOut") entry.generation = 7;
      },
    ],
  ])("when checksums are right and an entry does not fit: %s", async (_what, change) => {
    await using hub = await openHub();
    const { header, entries } = opened(await whole);
    const writer = new BackupWriter(header);
    const pieces = [writer.begin()];
    for (const value of entries) {
      change(value);
      pieces.push(writer.add({ case: "entry", value }));
    }
    const file = Buffer.concat([...pieces, writer.end(12)]);
    await expect(importFile(hub.hubs, file)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/does not fit; nothing was imported$/),
    });
    await hub.settled();
    expect(await storedIn(hub, [KIND.due])).toEqual([]);
    await hub.start("a");
  });

  it("when a bit is flipped anywhere", async () => {
    const file = await whole;
    await using hub = await openHub();
    for (let at = 0; at < file.length; at += Math.ceil(file.length / 60)) {
      const flipped = Buffer.from(file);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await expect(importFile(hub.hubs, flipped), `byte ${at}`).rejects.toMatchObject({
        code: "invalid-argument",
      });
      await hub.settled();
      expect(await hub.store.listHubs()).toEqual([]);
    }
    await hub.pass(600_000);
    expect(await storedIn(hub)).toEqual([]);
  });
});

describe.each([
  ["memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("on %s", (kind, newDisk) => {
  it("a process that is killed at any commit of an import leaves an empty hub or the whole one", async () => {
    const file = await whole;
    await using hub = await openHub({ disk: await newDisk() });
    await hub.hubs.get("other").instances.start(startOf("x"));
    const before = await storedIn(hub);
    const partBytes = kind === "memory" ? 2_000 : 6_000;
    let kills = 0;
    // Ends: with each round one commit more gets through, and their number is that of the parts.
    for (let commits = 0; ; commits += 1) {
      hub.bytes.hold(commits);
      const call = watch(importFile(hub.hubs, file, { partBytes }));
      await hub.settled();
      if (call.state === "done") break;
      expect(call.state).toBe("pending");
      kills += 1;
      await hub.crash();
      expect(await hub.store.listHubs()).toHaveLength(1);
      expect(await hub.store.listImports()).toEqual([]);
      expect(await storedIn(hub, [KIND.due])).toEqual(before);
      await expect(exported(hub.hubs)).rejects.toMatchObject({ code: "instance-not-found" });
    }
    expect(kills).toBeGreaterThan(file.length / partBytes);
    hub.bytes.release();
    await hub.crash();
    expect(hubHolds(hub)).toEqual(["tree", "window", "import"]);
    await releaseHub(hub, undefined, "import");
    await finishAll(hub);
    for (const id of ALL) expect(await hub.status(id), id).toBe("COMPLETED");
  });
});
