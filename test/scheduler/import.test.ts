/** What an import does to the hub that it is for. */
import { describe, expect, it } from "vitest";
import { comparable, exported, importFile, partsOf } from "../support/backup-files.ts";
import { ALL, finishAll, populatedFile, startOf, storedIn } from "../support/backup-world.ts";
import { hubHolds, releaseHub } from "../support/hold-calls.ts";
import { openHub, watch } from "../support/scheduler-harness.ts";
import { completed, createTimer } from "../support/worker-actions.ts";
import { dueRows } from "./kit/stored-instances.ts";

/** Made once: it is only read. */
const whole = populatedFile();

describe("a hub that is not empty", () => {
  it("is refused, and what is attached to it notices nothing", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const before = await storedIn(hub);
    await expect(importFile(hub.hubs, await whole)).rejects.toMatchObject({
      code: "failed-precondition",
      message: 'task hub "default" is not empty: purge or delete it first',
    });
    expect(await storedIn(hub)).toEqual(before);
    await worker.complete(await worker.turn("a"), [completed()]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("is refused though its only instance is not durable yet", async () => {
    await using hub = await openHub();
    await hub.hub.create();
    hub.bytes.hold();
    const starting = watch(hub.start("a"));
    await hub.settled();
    const beginning = watch(hub.hubs.imports.begin("default"));
    await hub.settled();
    expect(beginning.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(beginning).toMatchObject({ state: "failed", error: { code: "failed-precondition" } });
    expect(starting.state).toBe("done");
    expect(await hub.status("a")).toBe("PENDING");
    expect(await hub.worker().turn("a")).toBeDefined();
  });

  it("is refused at the end of the import, when it was used once more after its beginning", async () => {
    await using hub = await openHub();
    await hub.hub.create();
    const late = hub.hub;
    const id = await hub.hubs.imports.begin("default");
    // A call that had found its hub before it was taken out.
    await late.instances.start(startOf("late"));
    for (const [part, data] of partsOf(await whole, 10_000)) {
      await hub.hubs.imports.add("default", id, part, data);
    }
    await expect(hub.hubs.imports.finish("default", id)).rejects.toThrow(/is not empty/);
    await hub.settled();
    expect(await hub.status("late")).toBe("PENDING");
    expect(await hub.status("pending")).toBeUndefined();
    await hub.crash();
    expect(await hub.status("late")).toBe("PENDING");
  });
});

describe("an empty hub", () => {
  it("that exists is replaced by the imported one, with all that it had", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [completed()]);
    await hub.purge("a");
    const before = hub.hub.number;
    await importFile(hub.hubs, await whole);
    await hub.crash();
    expect(hub.hub.number).not.toBe(before);
    expect(hubHolds(hub)).toEqual(["tree", "window", "import"]);
    expect(await hub.store.listHubs()).toHaveLength(1);
    expect(await hub.store.readHubLog(before ?? 0n)).toEqual([]);
  });

  it("is not served while it is being imported: streams and waits end, calls are refused", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const wait = watch(hub.waitForEnd("done"));
    await hub.settled();
    const id = await hub.hubs.imports.begin("default");
    await hub.settled();
    expect(worker.ended).toBeDefined();
    expect(wait).toMatchObject({ state: "failed", error: { code: "unavailable" } });
    expect(() => hub.hubs.get("default")).toThrow(/"default" is being imported/);
    await hub.hubs.get("other").instances.start(startOf("x"));
    await expect(hub.hubs.imports.begin("default")).rejects.toMatchObject({
      code: "failed-precondition",
    });
    await hub.hubs.imports.abort("default", id);
    await hub.start("a");
    expect(await hub.status("a")).toBe("PENDING");
  });

  it("may have another name than the one that was exported", async () => {
    await using hub = await openHub();
    await importFile(hub.hubs, await whole, { name: "copy" });
    expect(comparable(await exported(hub.hubs, "copy"))).toHaveLength(
      comparable(await whole).length + 1,
    );
    expect(hub.hubs.get("copy").state?.name).toBe("copy");
    await importFile(hub.hubs, await whole);
    expect((await hub.store.listHubs()).map(({ name }) => name)).toEqual(["copy", "default"]);
  });

  it("is held by the boot window too in a sidecar that was started suspended", async () => {
    await using hub = await openHub({ started: { suspended: true } });
    await importFile(hub.hubs, await whole);
    expect(hubHolds(hub)).toEqual(["tree", "window", "boot", "import"]);
  });

  it("that was imported and not yet released is held again when it is moved once more", async () => {
    await using first = await openHub();
    await using second = await openHub();
    await importFile(first.hubs, await whole);
    await releaseHub(first, { instancesPerSecond: 1 }, "import");
    await importFile(second.hubs, await exported(first.hubs));
    const worker = second.worker();
    await second.pass(120_000);
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(second, undefined, "import");
    await worker.close();
    await finishAll(second);
    for (const id of ALL) expect(await second.status(id), id).toBe("COMPLETED");
  });
});

it("a timer that falls due while its hub is being imported fires when it is released", async () => {
  await using source = await openHub();
  const worker = source.worker();
  await source.start("a");
  await worker.complete(await worker.turn("a"), [createTimer(1, source.clock.in(90_000))]);
  // The rows of an instance are written when the next one comes.
  await source.start("b");
  const file = await exported(source.hubs);
  await using target = await openHub();
  const id = await target.hubs.imports.begin("default");
  for (const [part, data] of partsOf(file, 10_000)) {
    await target.hubs.imports.add("default", id, part, data);
  }
  // Past the minute that was read ahead, so that the row is found. A repeated part is a sign of life.
  for (let at = 0; at < 4; at += 1) {
    await target.pass(30_000);
    await target.hubs.imports.add("default", id, 1n, Buffer.alloc(0));
  }
  expect(await dueRows(target.store)).toHaveLength(1);
  await target.hubs.imports.finish("default", id);
  await target.settled();
  await releaseHub(target, undefined, "import");
  expect(await target.worker().turn("a")).toBeDefined();
});

describe("parts", () => {
  it("that are repeated change nothing, also at the same time, and the end may be repeated", async () => {
    await using hub = await openHub();
    const { imports } = hub.hubs;
    const id = await imports.begin("default");
    for (const [part, data] of partsOf(await whole, 3_000)) {
      await Promise.all([1, 2].map(() => imports.add("default", id, part, data)));
      if (part > 1n) await imports.add("default", id, part - 1n, Buffer.from("anything"));
    }
    const [first, second] = await Promise.allSettled([
      imports.finish("default", id),
      imports.finish("default", id),
    ]);
    expect(first.status).toBe("fulfilled");
    expect(second).toEqual(first);
    expect(await imports.finish("default", id)).toMatchObject({ instances: 12 });
    const again = comparable(await exported(hub.hubs));
    expect(again.slice(0, -1)).toHaveLength(comparable(await whole).length);
  });

  it("must come in their order; one that is missing can still come", async () => {
    await using hub = await openHub();
    const { imports } = hub.hubs;
    const id = await imports.begin("default");
    const parts = [...partsOf(await whole, 3_000)];
    await expect(imports.add("default", id, 2n, Buffer.alloc(1))).rejects.toMatchObject({
      code: "failed-precondition",
      message: "part 1 is missing",
    });
    for (const [part, data] of parts) await imports.add("default", id, part, data);
    expect(await imports.finish("default", id)).toMatchObject({ instances: 12 });
  });

  it("of an import that nobody knows, or that is over, are refused", async () => {
    await using hub = await openHub();
    const { imports } = hub.hubs;
    const unknown = { code: "instance-not-found" };
    expect(() => imports.add("default", "x", 1n, Buffer.alloc(1))).toThrow(/no such import/);
    const id = await imports.begin("default");
    expect(() => imports.add("other", id, 1n, Buffer.alloc(1))).toThrow(/no such import/);
    await imports.abort("default", id);
    expect(() => imports.finish("default", id)).toThrow(expect.objectContaining(unknown));
    await imports.abort("default", id);
  });
});
