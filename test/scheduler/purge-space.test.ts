/** What was purged takes no room on the disk any more. */
import { randomBytes } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { defaultTimes } from "../../sidecar/scheduler/options.ts";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import { TaskHubs } from "../../sidecar/scheduler/task-hubs.ts";
import { encodeEntry } from "../../sidecar/store/entry-codec.ts";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { countedIds, FakeHubClock, FakeSteadyClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MIB = 1024 * 1024;
const instances = 600;
const inputBytes = 64 * 1024;

/** They do not end, and stand between those that go. */
const survivors = new Set(["i7", "i100", "i333", "i599"]);

/** What cannot be compressed takes the room that it seems to. */
function incompressible(): string {
  return randomBytes((inputBytes * 3) / 4).toString("base64");
}

/** Bytes of all files in the directory of the database. */
async function sizeOf(directory: string): Promise<number> {
  const database = join(directory, "db");
  let bytes = 0;
  for (const name of await readdir(database)) {
    // LevelDB deletes files at any time.
    bytes += await stat(join(database, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

async function startAndEnd(hub: TaskHub, instanceId: string, input: string): Promise<void> {
  await hub.instances.start({
    instanceId,
    name: "Main",
    version: undefined,
    input,
    tags: {},
    parentTraceContext: undefined,
    scheduledStartAt: undefined,
    executionId: undefined,
    idReusePolicy: undefined,
    fingerprint: undefined,
  });
  if (survivors.has(instanceId)) return;
  const command = { instanceId, output: undefined, recurse: false, ignoreFinished: true };
  await hub.instances.terminate(command, noReply);
}

it("gives the disk back what purged instances took, by itself", { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory();
  await using store = await openLevelStore({ directory: directory.path });
  const hubs = await TaskHubs.open({
    store,
    hubClock: new FakeHubClock("2026-01-01T10:00:00Z"),
    steadyClock: new FakeSteadyClock(),
    ids: countedIds("i"),
    times: defaultTimes,
  });
  await hubs.recover();
  const hub = hubs.get("default");
  const inputs = new Map<string, string>();
  for (let at = 0; at < instances; at += 1) inputs.set(`i${at}`, incompressible());
  const started = [...inputs];
  for (let at = 0; at < instances; at += 100) {
    await Promise.all(
      started.slice(at, at + 100).map(([id, input]) => startAndEnd(hub, id, input)),
    );
  }
  const filled = await sizeOf(directory.path);
  expect(filled).toBeGreaterThan(instances * inputBytes * 0.9);

  const filter = { created: {}, endings: ["terminated"] } as const;
  const wish = { recursive: false, timeoutMs: undefined };
  const purged = await hub.purging.byFilter(filter, wish);
  expect(purged).toEqual({ deleted: instances - survivors.size, isComplete: true });

  await vi.waitFor(async () => expect(await sizeOf(directory.path)).toBeLessThan(2 * MIB), {
    timeout: 20_000,
    interval: 50,
  });
  for (const id of survivors) {
    const life = await store.findInstance(hub.number ?? 0n, id);
    const [first] = await store.readLog(life?.number ?? 0n, 1, 1, 1);
    const stored = first === undefined ? new Uint8Array() : encodeEntry(first.entry);
    expect(Buffer.from(stored).includes(inputs.get(id) ?? "no input")).toBe(true);
  }
  await hubs.drain(AbortSignal.abort());
});
