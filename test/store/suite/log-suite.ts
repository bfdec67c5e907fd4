import { describe, expect, test } from "vitest";
import { logKey } from "../../../sidecar/store/ordered/keys.ts";
import {
  baseOf,
  commitOf,
  entryOf,
  hubAppend,
  hubBaseOf,
  instanceAppend,
  instanceAppends,
  labelsOf,
} from "../../support/store-builders.ts";
import { commit, type OpenStore, openWatched } from "./open-store.ts";

export function describeLogs(open: OpenStore): void {
  describe("logs", () => {
    describeReading(open);
    describeGenerations(open);
    describeHoles(open);
  });
}

const DISTRUSTED = { code: "store-distrusted" };

function describeReading(open: OpenStore): void {
  test("a log that was never written is empty", async () => {
    await using opened = await openWatched(open);
    expect(await opened.store.readLog(1n, 1, 1)).toEqual([]);
    expect(await opened.store.readHubLog(1n)).toEqual([]);
  });

  test("entries come back whole, in order, with their sequences", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    for (const append of instanceAppends({ number: 1n }, 1, 300)) {
      await commit(store, commitOf(append));
    }
    const entries = await store.readLog(1n, 1, 1);
    expect(entries).toEqual(
      Array.from({ length: 300 }, (_, index) => ({
        sequence: index + 1,
        entry: entryOf(String(index + 1)),
      })),
    );
  });

  test("entries of one log in one group share a put", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const commits = instanceAppends({ number: 1n }, 1, 5).map((append) => commitOf(append));
    await commit(store, ...commits);
    expect((await bytes.storedRows()).map(([key]) => key)).toEqual([logKey(1n, 1, 1)]);
    expect(labelsOf(await store.readLog(1n, 1, 1))).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("a log can be read from any sequence, also one in the middle of a put", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    for (const from of [1, 4, 7]) {
      await commit(store, commitOf(...instanceAppends({ number: 1n }, from, 3)));
    }
    for (let from = 1; from <= 10; from += 1) {
      const sequences = (await store.readLog(1n, 1, from)).map((stored) => stored.sequence);
      expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].slice(from - 1));
    }
  });

  test("a limit counts entries, wherever the puts begin", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    for (const from of [1, 4, 7]) {
      await commit(store, commitOf(...instanceAppends({ number: 1n }, from, 3)));
    }
    for (const [from, limit] of [
      [1, 1],
      [1, 4],
      [3, 2],
      [6, 9],
      [10, 1],
    ] as const) {
      const sequences = (await store.readLog(1n, 1, from, limit)).map((stored) => stored.sequence);
      expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].slice(from - 1, from - 1 + limit));
    }
  });

  test("entries of one log out of order in one group are a bug", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    store.append(commitOf(instanceAppend({ number: 1n, sequence: 1 }, "1")));
    expect(() => store.append(commitOf(instanceAppend({ number: 1n, sequence: 3 }, "3")))).toThrow(
      "3 after 1",
    );
  });

  test("logs with neighbouring numbers do not mix", async () => {
    await using opened = await openWatched(open);
    const numbers = [1n, 2n, 255n, 256n, 65_536n, 2n ** 32n, 2n ** 48n - 1n];
    await commit(
      opened.store,
      commitOf(...numbers.map((number) => instanceAppend({ number, sequence: 1 }, `${number}`))),
    );
    for (const number of numbers) {
      expect(labelsOf(await opened.store.readLog(number, 1, 1))).toEqual([`${number}`]);
    }
  });
}

function describeGenerations(open: OpenStore): void {
  test("each generation is read by itself", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    await commit(
      store,
      commitOf(...instanceAppends({ number: 1n }, 1, 2)),
      commitOf(
        instanceAppend({ number: 1n, generation: 2, sequence: 3 }, baseOf("3")),
        ...instanceAppends({ number: 1n, generation: 2 }, 4, 2),
      ),
    );
    expect(labelsOf(await store.readLog(1n, 1, 1))).toEqual(["1", "2"]);
    expect(labelsOf(await store.readLog(1n, 2, 1))).toEqual(["3", "4", "5"]);
    expect(labelsOf(await store.readLog(1n, 2, 4))).toEqual(["4", "5"]);
    expect(await store.readLog(1n, 3, 1)).toEqual([]);
  });

  test("the last generation that a number can have is read like the others", async () => {
    await using opened = await openWatched(open);
    const place = { number: 1n, generation: 2 ** 32 - 1, sequence: 1 };
    await commit(opened.store, commitOf(instanceAppend(place, "x")));
    expect(labelsOf(await opened.store.readLog(1n, 2 ** 32 - 1, 1))).toEqual(["x"]);
  });

  test("a hub's log is read in its newest generation", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    await commit(
      store,
      commitOf(hubAppend({ number: 1n, sequence: 1 }, "created")),
      commitOf(hubAppend({ number: 2n, sequence: 1 }, "other")),
    );
    expect(labelsOf(await store.readHubLog(1n))).toEqual(["created"]);
    const place = { number: 1n, generation: 2 };
    await commit(store, commitOf(hubAppend({ ...place, sequence: 2 }, hubBaseOf("base"))));
    await commit(store, commitOf(hubAppend({ ...place, sequence: 3 }, "later")));
    expect(labelsOf(await store.readHubLog(1n))).toEqual(["base", "later"]);
  });
}

function describeHoles(open: OpenStore): void {
  test("a log with a missing put is refused", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    for (const append of instanceAppends({ number: 1n }, 1, 3))
      await commit(store, commitOf(append));
    await bytes.tamper(logKey(1n, 1, 2), undefined);
    await expect(store.readLog(1n, 1, 1)).rejects.toMatchObject(DISTRUSTED);
    expect(labelsOf(await store.readLog(1n, 1, 3))).toEqual(["3"]);
  });

  test("a log without its beginning is refused", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    for (const append of instanceAppends({ number: 1n }, 1, 3))
      await commit(store, commitOf(append));
    await bytes.tamper(logKey(1n, 1, 1), undefined);
    await expect(store.readLog(1n, 1, 1)).rejects.toMatchObject(DISTRUSTED);
    await bytes.tamper(logKey(1n, 1, 2), undefined);
    await expect(store.readLog(1n, 1, 2)).rejects.toMatchObject(DISTRUSTED);
  });

  test("a log value that fails its checksum is refused", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    await commit(store, commitOf(...instanceAppends({ number: 1n }, 1, 3)));
    const [row] = await bytes.storedRows();
    const [key, value] = row ?? [Buffer.of(), Buffer.of()];
    for (let offset = 0; offset < value.length; offset += 1) {
      const flipped = Buffer.from(value);
      flipped[offset] = (flipped[offset] ?? 0) ^ 1;
      await bytes.tamper(key, flipped);
      await expect(store.readLog(1n, 1, 1)).rejects.toMatchObject(DISTRUSTED);
    }
    await bytes.tamper(key, value.subarray(0, 3));
    await expect(store.readLog(1n, 1, 1)).rejects.toMatchObject(DISTRUSTED);
  });
}
