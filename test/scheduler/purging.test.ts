/** Purging many instances: by filter, in batches, and whole trees. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { Ending } from "../../sidecar/scheduler/figures.ts";
import type { FilterPurgeWish, Purged, PurgeFilter } from "../../sidecar/scheduler/purging.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { MIB, streaming, unlimited } from "../support/long-history.ts";
import { MINUTE, openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { completed, sendEvent, startChild } from "../support/worker-actions.ts";
import { memoryDisk, type TestDisk } from "./kit/test-disk.ts";

const SLICE = LIMITS.purgeSliceMax;
const endings: readonly Ending[] = ["completed", "failed", "terminated", "canceled"];
const everything: PurgeFilter = { created: {}, endings };

function purgeAll(
  { hub }: TestHub,
  filter = everything,
  wish: Partial<FilterPurgeWish> = {},
): Promise<Purged> {
  return hub.purging.byFilter(filter, { recursive: false, timeoutMs: undefined, ...wish });
}

/** So many instances that were terminated, by their ids. */
async function terminated(hub: TestHub, count: number, prefix = "i"): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, at) => `${prefix}${at}`);
  await Promise.all(ids.map((id) => hub.start(id)));
  await Promise.all(ids.map((id) => hub.terminate(id)));
  return ids;
}

/** Of how many instances each index knows. */
async function indexed({ hub, store }: TestHub) {
  const { number = 0n } = hub;
  const created = await store.readQuery(number, "terminated", {}, undefined, 5_000);
  const ended = await store.readCompleted(number, {}, undefined, 5_000);
  const ids = created.map(({ instanceId }) => instanceId);
  const rows = await Promise.all(ids.map((id) => store.findInstance(number, id)));
  return { created: ids.length, completed: ended.length, found: rows.filter(Boolean).length };
}

/** Lets one group after the other become durable until the call ends; counts them. */
async function groupsUntil(hub: TestHub, call: { readonly state: string }): Promise<number> {
  let groups = 0;
  while (call.state === "pending") {
    hub.bytes.releaseOne();
    groups += 1;
    await hub.settled();
  }
  hub.bytes.release();
  return groups;
}

describe("a purge by filter", () => {
  it("shares its flushes, and is never more than a slice ahead of the disk", async () => {
    await using hub = await openHub();
    await terminated(hub, SLICE + 100);
    await hub.settled();
    const { figures } = hub.hubs;
    hub.bytes.hold();
    const call = watch(purgeAll(hub));
    await hub.settled();
    expect(figures.purged).toBe(SLICE);
    const groups = await groupsUntil(hub, call);
    expect(call.value).toEqual({ deleted: SLICE + 100, isComplete: true });
    // A slice and what the collector deletes: far from one for each of 600 instances.
    expect(groups).toBeLessThan(20);
  });

  it("leaves nothing of what it has deleted in memory", async () => {
    await using hub = await openHub();
    await terminated(hub, 120);
    await hub.crash();
    expect(await purgeAll(hub)).toEqual({ deleted: 120, isComplete: true });
    await hub.settled();
    expect([...hub.hub.scanned.heads()]).toEqual([]);
  });

  it("stops behind a slice when its time is over, and goes on when it is repeated", async () => {
    await using hub = await openHub();
    await terminated(hub, SLICE + 200);
    await hub.settled();
    hub.bytes.hold();
    const call = watch(purgeAll(hub, everything, { timeoutMs: 1_000 }));
    await hub.settled();
    hub.steady.advance(1_000);
    hub.bytes.release();
    await hub.settled();
    expect(call.value).toEqual({ deleted: SLICE, isComplete: false });
    expect(await purgeAll(hub)).toEqual({ deleted: 200, isComplete: true });
  });

  it("stops behind a slice when nobody waits for it any more", async () => {
    await using hub = await openHub();
    await terminated(hub, SLICE + 200);
    await hub.settled();
    const abort = new AbortController();
    hub.bytes.hold();
    const call = watch(purgeAll(hub, everything, { signal: abort.signal }));
    await hub.settled();
    abort.abort();
    hub.bytes.release();
    await hub.settled();
    expect(call.value).toEqual({ deleted: SLICE, isComplete: false });
    expect(await indexed(hub)).toEqual({ created: 200, completed: 200, found: 200 });
  });

  it.each([0, 1])(
    "that a crash cuts short behind %i groups has deleted each instance wholly or not at all",
    async (groups) => {
      await using hub = await openHub();
      const all = await terminated(hub, SLICE + 100);
      await hub.settled();
      hub.bytes.hold(groups);
      const call = watch(purgeAll(hub));
      await hub.settled();
      expect(call.state).toBe("pending");
      await hub.crash();
      const left = await indexed(hub);
      expect(left).toEqual({ created: left.found, completed: left.found, found: left.found });
      expect(left.found < all.length).toBe(groups > 0);
      expect(await purgeAll(hub)).toEqual({ deleted: left.found, isComplete: true });
      expect(await indexed(hub)).toEqual({ created: 0, completed: 0, found: 0 });
      await hub.crash();
      expect(await hub.status("i0")).toBeUndefined();
    },
  );

  it("does not touch another life that has taken an id meanwhile", async () => {
    let meanwhile = async () => {};
    const inner = memoryDisk();
    const disk: TestDisk = {
      async mount() {
        const { store, ...mounted } = await inner.mount();
        const readQuery: Store["readQuery"] = async (...query) => {
          const rows = await store.readQuery(...query);
          await meanwhile();
          return rows;
        };
        return { ...mounted, store: Object.create(store, { readQuery: { value: readQuery } }) };
      },
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
    await using hub = await openHub({ disk });
    await terminated(hub, 3);
    const old = { created: { to: hub.clock.in(500) }, endings: ["terminated"] } as const;
    hub.clock.advance(1_000);
    meanwhile = async () => {
      await hub.start("i1");
      await hub.terminate("i1");
    };
    expect(await purgeAll(hub, old)).toEqual({ deleted: 2, isComplete: true });
    expect(await hub.status("i1")).toBe("TERMINATED");
  });

  it("ends with the hub that is deleted meanwhile", async () => {
    await using hub = await openHub();
    await terminated(hub, SLICE + 100);
    await hub.settled();
    hub.bytes.hold();
    const call = watch(purgeAll(hub));
    await hub.settled();
    const deletion = hub.hub.delete();
    hub.bytes.release();
    await deletion;
    await hub.settled();
    expect(call.state).toBe("done");
  });

  it("takes descendants with it when it is recursive, whatever the filter says of them", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("parent");
    hub.clock.advance(1_000);
    await worker.complete(await worker.turn("parent"), [startChild(1, "child"), completed()]);
    await worker.complete(await worker.turn("child"), [completed()]);
    await hub.settled();
    const createdAt = await hub.hub.read("parent", (state) => state.createdAt);
    const filter = { created: { to: hub.clock.in(-500) }, endings };
    expect(createdAt).toBeDefined();
    expect(await purgeAll(hub, filter, { recursive: true })).toEqual({
      deleted: 2,
      isComplete: true,
    });
  });
});

describe("a purge of a batch", () => {
  it("counts an id once, and is one slice", async () => {
    await using hub = await openHub();
    const ids = await terminated(hub, 300);
    await hub.settled();
    hub.bytes.hold();
    const named = [...ids, ...ids.slice(0, 100), "nobody"];
    const call = watch(hub.hub.purging.byId(named, { recursive: false }));
    const groups = await groupsUntil(hub, call);
    expect(call.value).toBe(300);
    expect(groups).toBeLessThan(12);
  });
});

describe("a purge of a tree", () => {
  it("of many descendants lets others have their turn", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ turns: 1 });
    await hub.start("root");
    const children = Array.from({ length: 999 }, (_, at) => startChild(at + 1, `c${at}`));
    await worker.complete(await worker.turn("root"), [...children, completed()]);
    await hub.settled();
    await worker.close();
    await Promise.all(children.map((_, at) => hub.terminate(`c${at}`)));
    await hub.pass(MINUTE);
    let turns = 0;
    const count = () => {
      turns += 1;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    const deleted = await hub.purge("root", true);
    clearImmediate(counting);
    expect(deleted).toBe(1_000);
    expect(turns).toBeGreaterThan(50);
  });

  it("goes as deep as the tree, leaves first, so that it can be repeated", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const depth = 200;
    await hub.start("d0");
    for (let at = 0; at < depth; at += 1) {
      const below = at + 1 < depth ? [startChild(1, `d${at + 1}`)] : [];
      await worker.complete(await worker.turn(`d${at}`), [...below, completed()]);
    }
    await hub.crash();
    hub.bytes.hold(1);
    const call = watch(hub.purge("d0", true));
    await hub.settled();
    expect(call.state).toBe("pending");
    await hub.crash();
    const statuses = await Promise.all(
      Array.from({ length: depth }, (_, at) => hub.status(`d${at}`)),
    );
    const left = statuses.filter(Boolean).length;
    expect(statuses.indexOf(undefined)).toBe(left < depth ? left : -1);
    expect(await hub.purge("d0", true)).toBe(left);
  });

  it("does not keep what it only looked at", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child"), completed()]);
    await hub.settled();
    await hub.suspend("child");
    await hub.crash();
    expect(await hub.purge("parent", true)).toBe(1);
    await hub.settled();
    expect(hub.hub.scanned.peek("child")).toBeUndefined();
    expect(await hub.status("child")).toBe("SUSPENDED");
  });
});

describe("purging a tree with a long history", () => {
  it("finds children also where only the disk has it, and in what came since", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ ...unlimited, activities: 1 });
    await hub.start("a");
    const early = Array.from({ length: 40 }, (_, at) => `early${at}`);
    for (const [at, id] of early.entries()) {
      const rest = sendEvent(100 + at, "nobody", "E", "x".repeat(MIB / 32));
      await worker.complete(await worker.turn("a"), [startChild(at, id), rest]);
      await hub.raise("a", "Go");
    }
    await hub.crash();
    const other = hub.worker(streaming);
    await other.complete(await other.turn("a"), [startChild(99, "late"), completed()]);
    await hub.settled();
    const children = [...early, "late"];
    expect(await hub.hub.instances.skipGracefulTerminations(children, undefined)).toEqual([]);
    const head = hub.hub.scanned.peek("a");
    expect(head?.historyFrom, "most of it is on the disk").toBeGreaterThan(0);
    expect(await hub.purge("a", true)).toBe(children.length + 1);
  });
});
