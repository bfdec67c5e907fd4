/** An export shows one moment of a hub, costs nothing when nobody reads it, and always ends. */
import { describe, expect, it } from "vitest";
import { comparable, exported, opened } from "../support/backup-files.ts";
import { startOf } from "../support/backup-world.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";
import { levelDisk, memoryDisk } from "./kit/test-disk.ts";

const NEVER = new AbortController().signal;
const CHUNK = 256 * 1024;

/** More than fits into what an export reads ahead. */
async function startMany(hub: TestHub, count: number): Promise<void> {
  const input = JSON.stringify("x".repeat(20_000));
  await Promise.all(
    Array.from({ length: count }, (_, at) =>
      hub.start(`id-${String(at).padStart(3, "0")}`, { input }),
    ),
  );
}

describe.each([
  ["memory", async () => memoryDisk()],
  ["LevelDB", levelDisk],
])("on %s", (_name, newDisk) => {
  it("what is written while it is read is not in it", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await startMany(hub, 60);
    const before = await exported(hub.hubs);
    const reading = hub.hubs.exports.export("default", NEVER);
    const chunks = [await reading.next()].map(({ value }) => value ?? new Uint8Array());
    const worker = hub.worker();
    await hub.terminate("id-058");
    await hub.purge("id-058");
    await hub.start("id-000-new");
    for (const id of ["id-057", "id-056"]) {
      await worker.complete(await worker.turn(id), [scheduleTask(1), completed()]);
    }
    await hub.suspend("id-055");
    await hub.settled();
    for await (const chunk of reading) chunks.push(chunk);
    const during = Buffer.concat(chunks);
    expect(comparable(during)).toEqual(comparable(before));
    expect(comparable(await exported(hub.hubs))).not.toEqual(comparable(before));
    expect(chunks.length).toBeGreaterThan(3);
    expect(chunks.slice(0, -1).every(({ length }) => length === CHUNK)).toBe(true);
    expect(hub.hubs.exports.open).toBe(0);
  });

  it("it says which commit it shows", async () => {
    await using hub = await openHub({ disk: await newDisk() });
    await hub.start("a");
    const first = opened(await exported(hub.hubs)).header;
    await hub.start("b");
    const second = opened(await exported(hub.hubs)).header;
    expect(second.commitSequence).toBe(first.commitSequence + 1n);
    expect(second.incarnation).toBe(first.incarnation);
  });
});

describe("an export", () => {
  it("of a hub that does not exist is refused", async () => {
    await using hub = await openHub();
    await expect(exported(hub.hubs, "never")).rejects.toMatchObject({
      code: "instance-not-found",
      message: 'task hub "never" does not exist',
    });
    expect(hub.hubs.exports.open).toBe(0);
  });

  it("of one hub has nothing of the others", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.hubs.get("other").instances.start(startOf("b"));
    const { entries } = opened(await exported(hub.hubs));
    expect(entries.map(({ instanceId }) => instanceId)).toEqual(["", "a"]);
  });

  it("whose reader stops early, or is cut off, holds nothing open", async () => {
    await using hub = await openHub();
    await startMany(hub, 60);
    for await (const _chunk of hub.hubs.exports.export("default", NEVER)) break;
    expect(hub.hubs.exports.open).toBe(0);
    const call = new AbortController();
    const reading = hub.hubs.exports.export("default", call.signal);
    await reading.next();
    call.abort(new Error("gone"));
    await expect(reading.next()).rejects.toThrow("gone");
    expect(hub.hubs.exports.open).toBe(0);
  });

  it("that nobody goes on reading for a minute gives up its snapshot", async () => {
    await using hub = await openHub({ disk: await levelDisk() });
    await startMany(hub, 60);
    const reading = hub.hubs.exports.export("default", NEVER);
    await reading.next();
    await hub.pass(59_000);
    await reading.next();
    await hub.pass(60_000);
    await expect(reading.next()).rejects.toMatchObject({ code: "deadline-exceeded" });
    expect(hub.hubs.exports.open).toBe(0);
  });

  it("is one of at most four", async () => {
    await using hub = await openHub();
    await startMany(hub, 60);
    const readings = Array.from({ length: 4 }, () => hub.hubs.exports.export("default", NEVER));
    for (const reading of readings) await reading.next();
    await expect(exported(hub.hubs)).rejects.toMatchObject({ code: "limit-exceeded" });
    for (const reading of readings) await reading.return();
    await exported(hub.hubs);
  });

  it("shows what is durable, and nothing that is not", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const starting = watch(hub.start("b"));
    await hub.settled();
    expect(opened(await exported(hub.hubs)).trailer.instances).toBe(1n);
    hub.bytes.release();
    await starting.promise;
    expect(opened(await exported(hub.hubs)).trailer.instances).toBe(2n);
  });
});
