import { expect, test } from "vitest";
import { createMemoryStore } from "../../sidecar/store/memory/store.ts";
import { kindRange } from "../../sidecar/store/ordered/keys.ts";
import { commitOf, instanceAppend } from "../support/store-builders.ts";
import { describeStore } from "./store-suite.ts";
import { describeFailure } from "./suite/failure-suite.ts";
import { commit, openWatched } from "./suite/open-store.ts";

describeStore("memory store", async (wrap) => createMemoryStore({ wrap }));

// What cannot be opened again fails for good at the first error.
describeFailure(async (wrap) => createMemoryStore({ wrap }));

test("a memory store becomes durable exactly when its schedule says so", async () => {
  const flushes: (() => void)[] = [];
  const store = createMemoryStore({ schedule: (flush) => flushes.push(flush) });
  const position = store.append(commitOf(instanceAppend({ number: 1n, sequence: 1 }, "a")));

  await new Promise(setImmediate);
  expect(store.durablePosition).toBe(0);

  flushes[0]?.();
  await store.whenDurable(position);
  expect([flushes.length, store.durablePosition]).toEqual([1, 1]);
});

test("the group records of a memory store do not gather for ever", async () => {
  const { store, bytes } = await openWatched(async (wrap) => createMemoryStore({ wrap }));
  for (let count = 0; count < 10_000; count += 1) await commit(store, commitOf());
  expect((await bytes.keys(kindRange("group"))).length).toBeLessThan(5_000);
});
