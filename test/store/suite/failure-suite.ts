import { describe, expect, test } from "vitest";
import type { Store } from "../../../sidecar/store/store.ts";
import {
  commitOf,
  instanceAppend,
  instanceChange,
  labelsOf,
} from "../../support/store-builders.ts";
import { commit, type OpenStore, openWatched, type WatchedStore } from "./open-store.ts";

const DISK_FULL = new Error("no space left on device");

export function describeFailure(open: OpenStore): void {
  describe("failure", () => {
    test("a write error is told, with its cause, and nothing is acknowledged", async () => {
      await using opened = await openWatched(open);
      opened.bytes.failBatch(1, DISK_FULL);
      const acknowledged = acknowledgements(opened.store, 1);
      expect(await opened.store.failed).toBe(DISK_FULL);
      await new Promise(setImmediate);
      expect([acknowledged, opened.store.durablePosition]).toEqual([[], 0]);
    });

    test("nothing is written behind a write error", async () => {
      await using opened = await openWatched(open);
      const { store, bytes } = opened;
      bytes.failBatch(1, DISK_FULL);
      const acknowledged = acknowledgements(store, 3);
      await store.failed;
      acknowledged.push(...acknowledgements(store, 3));
      await new Promise(setImmediate);
      expect([acknowledged, bytes.batches.length]).toEqual([[], 1]);
    });

    test("a store that failed can be closed", async () => {
      const { store, bytes } = await openWatched(open);
      bytes.failBatch(1, DISK_FULL);
      store.append(commitOf(instanceAppend({ number: 1n, sequence: 1 }, "a")));
      await store.failed;
      await store[Symbol.asyncDispose]();
    });

    test("whichever write fails, only the commits before it are acknowledged", async () => {
      for (let failing = 1; failing <= 6; failing += 1) {
        await using opened = await openWatched(open);
        opened.bytes.failBatch(failing, DISK_FULL);
        const acknowledged = await commitUntilFailure(opened);
        const expected = Array.from({ length: failing - 1 }, (_, index) => String(index + 1));
        expect(acknowledged).toEqual(expected);
        expect(labelsOf(await opened.store.readLog(1n, 1, 1))).toEqual(expected);
        const row = await opened.store.findInstance(1n, "a");
        expect(row?.generation ?? 0).toBe(failing - 1);
      }
    });
  });
}

/** The positions of `length` commits that are acknowledged, as they are. */
function acknowledgements(store: Store, length: number): number[] {
  const acknowledged: number[] = [];
  for (let count = 0; count < length; count += 1) {
    const position = store.append(commitOf());
    void store.whenDurable(position).then(() => acknowledged.push(position));
  }
  return acknowledged;
}

/** Commits one entry at a time; the labels of the entries that were acknowledged. */
async function commitUntilFailure({ store }: WatchedStore): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let sequence = 1; ; sequence += 1) {
    const label = String(sequence);
    const next = commitOf(
      instanceAppend({ number: 1n, sequence }, label),
      instanceChange(1n, "a", 1n, sequence),
    );
    const outcome = await Promise.race([commit(store, next), store.failed]);
    if (outcome !== undefined) return acknowledged;
    acknowledged.push(label);
  }
}
