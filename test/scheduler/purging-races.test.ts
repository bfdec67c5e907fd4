/** What happens to instances between the moment when a purge finds them and that of their end. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { growBy } from "../support/long-history.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, startChild } from "../support/worker-actions.ts";
import { failSecond, rewind } from "./kit/rewinding.ts";
import { memoryDisk, type TestDisk } from "./kit/test-disk.ts";

/** A disk that lets something happen when rows of a query index have been read. */
function diskWith(meanwhile: () => Promise<void>): TestDisk {
  const inner = memoryDisk();
  return {
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
}

/** A rewind leaves the instance its storage number: by that it is still the one that was found. */
it.each([false, true])(
  "a purge by filter leaves an instance that was rewound since it was found (recursive: %s)",
  async (recursive) => {
    let rewindIt = async () => {};
    await using hub: TestHub = await openHub({ disk: diskWith(() => rewindIt()) });
    const worker = hub.worker();
    await failSecond(hub, worker);
    rewindIt = () => rewind(hub, "a");
    const filter = { created: {}, endings: ["failed"] } as const;
    const wish = { recursive, timeoutMs: undefined };
    expect(await hub.hub.purging.byFilter(filter, wish)).toEqual({ deleted: 0, isComplete: true });
    expect(await hub.status("a")).toBe("RUNNING");
    await worker.complete(await worker.turn("a"), [completed("well")]);
    expect(await hub.status("a")).toBe("COMPLETED");
  },
);

it("a purge of a tree leaves an instance that has the id of a child that was purged", async () => {
  await using hub = await openHub();
  const worker = hub.worker();
  await hub.start("root");
  await worker.complete(await worker.turn("root"), [startChild(1, "c"), startChild(2, "d")]);
  for (const id of ["c", "d"]) await worker.complete(await worker.turn(id), [completed()]);
  await worker.complete(await worker.turn("root"), [completed()]);
  await worker.close();
  await hub.settled();
  await hub.purge("c");
  await hub.start("c");
  await hub.terminate("c");
  expect(await hub.purge("root", true)).toBe(2);
  expect(await hub.status("c")).toBe("TERMINATED");
});

describe("mail of a finished instance that is still on its way", () => {
  /** Its parent is not in memory, so that the result travels in a commit of its own. */
  async function finishChild(hub: TestHub): Promise<void> {
    const worker = hub.worker();
    await hub.start("parent");
    await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
    const turn = await worker.turn("child");
    await worker.close();
    await hub.settled();
    hub.bytes.hold(1);
    await worker.complete(turn, [completed("well")]);
  }

  it("is waited for by a purge", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await finishChild(hub);
    const call = watch(hub.purge("child"));
    await hub.settled();
    expect(call.state).toBe("pending");
    hub.bytes.release();
    await hub.settled();
    expect(call).toMatchObject({ state: "done", value: 1 });
    expect(newEvents(await hub.worker().turn("parent")).slice(1)).toEqual([
      "subOrchestrationInstanceCompleted 1",
    ]);
  });

  it("gives another life the time to take the id, which a purge by filter leaves", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await finishChild(hub);
    const filter = { created: {}, endings: ["completed"] } as const;
    const wish = { recursive: false, timeoutMs: undefined };
    const call = watch(hub.hub.purging.byFilter(filter, wish));
    await hub.settled();
    const again = [watch(hub.start("child")), watch(hub.terminate("child"))];
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    expect([call, ...again].map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(await hub.status("child")).toBe("TERMINATED");
  });
});

it("a purge of a tree finds the children that every entry of a long history names", async () => {
  await using hub = await openHub();
  await hub.start("root");
  const ids = Array.from({ length: 50 }, (_, at) => `c${at}`);
  for (const [at, id] of ids.entries()) {
    // So that pages of the log end at entries of every kind.
    for (let more = 0; more <= at % 3; more += 1) await hub.raise("root", "Go");
    const worker = hub.worker();
    await worker.complete(await worker.turn("root"), [startChild(100 + at, id)]);
    await worker.close();
    await hub.terminate(id);
  }
  await hub.raise("root", "Go");
  await growBy(hub, "root", LIMITS.streamedHistoryBytes + 100_000);
  await hub.terminate("root");
  await hub.crash();
  expect(await hub.purge("root", true)).toBe(1 + ids.length);
});
