/** What a sweep of retention has passed, and what it must not pass over. */
import { expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import type { RetentionAges } from "../../sidecar/scheduler/retention-policy.ts";
import type { Store } from "../../sidecar/store/store.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { failed, startChild } from "../support/worker-actions.ts";
import { memoryDisk, type TestDisk } from "./kit/test-disk.ts";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function openKeeping(ages: RetentionAges, disk = memoryDisk()): Promise<TestHub> {
  return openHub({ disk, started: { retention: { ages, lowSpaceAges: {} } } });
}

async function terminateNew(hub: TestHub, ...ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => hub.start(id)));
  await Promise.all(ids.map((id) => hub.terminate(id)));
}

function others(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `other${at}`);
}

async function present(hub: TestHub, ...ids: readonly string[]): Promise<readonly string[]> {
  const statuses = await Promise.all(ids.map((id) => hub.status(id)));
  return ids.filter((_, at) => statuses[at] !== undefined);
}

it("what ended at the very moment that a sweep has passed goes too, whatever its id", async () => {
  await using hub = await openKeeping({ terminated: DAY });
  await terminateNew(hub, "z");
  await hub.pass(DAY);
  expect(await present(hub, "z")).toEqual([]);
  hub.clock.advance(-DAY);
  await terminateNew(hub, "a");
  await hub.pass(DAY);
  await hub.pass(MINUTE);
  expect(await present(hub, "a")).toEqual([]);
});

it.each([0, 1])(
  "what ends before it while slice %i of a process is under way goes too",
  async (slicesBefore) => {
    let meanwhile = async () => {};
    const inner = memoryDisk();
    const disk: TestDisk = {
      async mount() {
        const { store, ...mounted } = await inner.mount();
        const readCompleted: Store["readCompleted"] = async (...query) => {
          const rows = await store.readCompleted(...query);
          if (rows.length > 0) await meanwhile();
          return rows;
        };
        const ofTest = { readCompleted: { value: readCompleted } };
        return { ...mounted, store: Object.create(store, ofTest) };
      },
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
    await using hub = await openKeeping({ terminated: DAY }, disk);
    for (let count = 0; count < slicesBefore; count += 1) {
      await terminateNew(hub, `earlier${count}`);
      await hub.pass(DAY);
    }
    await terminateNew(hub, "late");
    meanwhile = async () => {
      meanwhile = async () => {};
      hub.clock.advance(-10 * DAY);
      await terminateNew(hub, "early");
    };
    await hub.pass(DAY);
    await hub.pass(2 * DAY);
    expect(await present(hub, "late", "early")).toEqual([]);
  },
);

/** A child that has failed, and whose parent goes on. */
async function failChild(hub: TestHub, child: string): Promise<void> {
  const worker = hub.worker();
  await hub.start(`${child}'s parent`);
  await worker.complete(await worker.turn(`${child}'s parent`), [startChild(1, child)]);
  await worker.complete(await worker.turn(child), [failed("broken")]);
  await worker.close();
  await hub.settled();
  await hub.pass(MINUTE);
}

it("children that were kept for their parents are all looked at again, of whatever slice", async () => {
  await using hub = await openKeeping({ failed: DAY });
  await failChild(hub, "first");
  await terminateNew(hub, ...others(LIMITS.purgeSliceMax));
  await hub.pass(MINUTE);
  await failChild(hub, "second");
  await hub.pass(DAY);
  await hub.pass(MINUTE);
  expect(await present(hub, "first", "second")).toEqual(["first", "second"]);
  await hub.terminate("first's parent");
  await hub.terminate("second's parent");
  await hub.pass(HOUR);
  await hub.pass(HOUR);
  expect(await present(hub, "first", "second")).toEqual([]);
});

it("what has ended before such a child goes too, though that is looked at again", async () => {
  await using hub = await openKeeping({ failed: DAY });
  await terminateNew(hub, ...others(LIMITS.purgeSliceMax));
  await hub.pass(MINUTE);
  await failChild(hub, "kept");
  await hub.pass(DAY);
  await hub.pass(MINUTE);
  hub.clock.advance(-3 * DAY);
  await failChild(hub, "early");
  await hub.terminate("early's parent");
  await hub.pass(5 * DAY);
  await hub.pass(MINUTE);
  await hub.pass(DAY);
  expect(await present(hub, "early", "kept")).toEqual(["kept"]);
});

it("what stands behind a whole slice of others goes in its time, also behind a restart", async () => {
  await using hub = await openKeeping({ failed: DAY });
  await terminateNew(hub, ...others(LIMITS.purgeSliceMax));
  await hub.pass(MINUTE);
  const worker = hub.worker();
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [failed("broken")]);
  await worker.close();
  await hub.crash();
  await hub.pass(DAY + MINUTE);
  await hub.pass(DAY);
  expect(await present(hub, "a")).toEqual([]);
});
