import { crc32 } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { assert, describe, expect, test } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { unseal } from "../../../sidecar/store/envelope.ts";
import { groupKey } from "../../../sidecar/store/ordered/keys.ts";
import type { Store } from "../../../sidecar/store/store.ts";
import { GroupRecordSchema } from "../../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";
import {
  addressOf,
  commitOf,
  instanceAppend,
  instanceAppends,
  instanceChange,
  labelsOf,
  readyChange,
} from "../../support/store-builders.ts";
import { commit, type OpenStore, openWatched } from "./open-store.ts";

export function describeDurability(open: OpenStore): void {
  describe("durability", () => {
    describeReads(open);
    describePositions(open);
    describeGroups(open);
    describeClosing(open);
  });
}

const FIRST = commitOf(
  instanceAppend({ number: 7n, sequence: 1 }, "first"),
  instanceChange(1n, "a", 7n),
  readyChange(7n, addressOf(1n, "a")),
);

async function readEverything(store: Store): Promise<unknown> {
  const entries = await store.readLog(7n, 1, 1);
  const instance = await store.findInstance(1n, "a");
  const ready = await store.readReady(undefined, 10);
  return [labelsOf(entries), instance?.number, ready.map((row) => row.number)];
}

function describeReads(open: OpenStore): void {
  test("a commit can be read once it is durable", async () => {
    await using opened = await openWatched(open);
    await commit(opened.store, FIRST);
    expect(await readEverything(opened.store)).toEqual([["first"], 7n, [7n]]);
  });

  test("reads see nothing of a commit that is not durable", async () => {
    await using opened = await openWatched(open);
    opened.bytes.hold();
    const position = opened.store.append(FIRST);
    await new Promise(setImmediate);
    expect(await readEverything(opened.store)).toEqual([[], undefined, []]);
    expect(opened.store.durablePosition).toBe(0);

    opened.bytes.release();
    await opened.store.whenDurable(position);
    expect(await readEverything(opened.store)).toEqual([["first"], 7n, [7n]]);
  });

  test("what is stored is what a row was when it was appended", async () => {
    await using opened = await openWatched(open);
    const address = addressOf(1n, "before");
    const position = opened.store.append(commitOf(readyChange(1n, address)));
    address.instanceId = "after";
    await opened.store.whenDurable(position);
    const [row] = await opened.store.readReady(undefined, 1);
    expect(row?.address.instanceId).toBe("before");
  });

  test("what a reader does to an entry does not change what is stored", async () => {
    await using opened = await openWatched(open);
    await commit(opened.store, FIRST);
    const [read] = await opened.store.readLog(7n, 1, 1);
    if (read?.entry.header !== undefined) read.entry.header.requestId = "changed";
    expect(labelsOf(await opened.store.readLog(7n, 1, 1))).toEqual(["first"]);
  });
}

function describePositions(open: OpenStore): void {
  test("positions count the commits since the store was opened", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    expect(store.durablePosition).toBe(0);
    const positions = [store.append(FIRST), store.append(commitOf()), store.append(commitOf())];
    expect(positions).toEqual([1, 2, 3]);
    await store.whenDurable(3);
    expect(store.durablePosition).toBe(3);
  });

  test("commits become durable in the order of appending, whoever asks first", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const seen: number[] = [];
    const waits: Promise<void>[] = [];
    bytes.hold();
    for (let sequence = 1; sequence <= 4; sequence += 1) {
      const position = store.append(commitOf(instanceAppend({ number: 1n, sequence }, "x")));
      waits.unshift(store.whenDurable(position).then(() => void seen.push(position)));
      await new Promise(setImmediate);
    }
    bytes.release();
    await Promise.all(waits);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("a position is at most the durable one when its wait resolves", async () => {
    await using opened = await openWatched(open);
    const { store } = opened;
    const durableAt = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const position = store.append(commitOf());
        await store.whenDurable(position);
        return store.durablePosition - position;
      }),
    );
    expect(Math.min(...durableAt)).toBeGreaterThanOrEqual(0);
  });

  test("waiting for a position that was never given out is a bug", async () => {
    await using opened = await openWatched(open);
    expect(() => opened.store.whenDurable(1)).toThrow("never given out");
  });

  test("storage numbers differ and grow", async () => {
    await using opened = await openWatched(open);
    const numbers = Array.from({ length: 100 }, () => opened.store.allocateNumber());
    expect(new Set(numbers).size).toBe(100);
    expect(numbers).toEqual(numbers.toSorted((a, b) => Number(a - b)));
  });
}

function describeGroups(open: OpenStore): void {
  test("a burst of commits leaves in one batch", async () => {
    await using opened = await openWatched(open);
    await commit(opened.store, FIRST, commitOf(), commitOf());
    expect(opened.bytes.batches.length).toBe(1);
  });

  test("what is appended during a flush joins one next group", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    bytes.hold();
    store.append(commitOf(instanceAppend({ number: 1n, sequence: 1 }, "1")));
    await new Promise(setImmediate);
    for (let sequence = 2; sequence <= 10; sequence += 1) {
      store.append(commitOf(instanceAppend({ number: 1n, sequence }, String(sequence))));
      await new Promise(setImmediate);
    }
    bytes.release();
    await store.whenDurable(10);
    expect(bytes.batches.length).toBe(2);
    expect((await store.readLog(1n, 1, 1)).length).toBe(10);
  });

  test("each group ends with a record, numbered densely", async () => {
    await using opened = await openWatched(open);
    for (let round = 0; round < 3; round += 1) await commit(opened.store, FIRST);
    const last = opened.bytes.batches.map((batch) => Buffer.from(batch.at(-1)?.key ?? []));
    const first = last[0]?.readUInt32BE(5) ?? 0;
    expect(last).toEqual([first, first + 1, first + 2].map(groupKey));
  });

  test("the record of a group counts its puts, and has the CRC-32 of their values", async () => {
    await using opened = await openWatched(open);
    await commit(opened.store, FIRST, commitOf(readyChange(8n, undefined)));
    const writes = [...(opened.bytes.batches[0] ?? [])];
    const record = writes.pop();
    const values = writes.flatMap((write) => (write.type === "put" ? [write.value] : []));
    expect([writes.length, values.length]).toEqual([4, 3]);
    assert(record?.type === "put", "a group ends with a put");
    expect(fromBinary(GroupRecordSchema, unseal(record.value, "the record"))).toMatchObject({
      puts: 3,
      crc32: crc32(Buffer.concat(values)),
    });
  });

  test("the writes of a group are bounded, and no commit is split", async () => {
    await using opened = await openWatched(open);
    const { store, bytes } = opened;
    const perCommit = Math.floor(LIMITS.groupWritesMax / 3);
    const commits = Array.from({ length: 7 }, (_, index) =>
      commitOf(...instanceAppends({ number: BigInt(index) }, 1, 1), ...readyRows(index, perCommit)),
    );
    await commit(store, ...commits);
    const puts = bytes.batches.map((batch) => batch.length - 1);
    expect(puts).toEqual([2, 2, 2, 1].map((count) => count * (perCommit + 1)));
  });

  test("a commit with more writes than a group may have is still one batch", async () => {
    await using opened = await openWatched(open);
    const rows = readyRows(0, LIMITS.groupWritesMax + 1);
    await commit(opened.store, commitOf(...rows));
    expect(opened.bytes.batches.length).toBe(1);
    expect((await opened.store.readReady(undefined, 10_000)).length).toBe(rows.length);
  });
}

function readyRows(block: number, length: number) {
  return Array.from({ length }, (_, index) =>
    readyChange(BigInt(block * 100_000 + index), addressOf(1n, String(index))),
  );
}

function describeClosing(open: OpenStore): void {
  test("closing makes durable what was appended", async () => {
    const { store, bytes } = await openWatched(open);
    const position = store.append(FIRST);
    await store[Symbol.asyncDispose]();
    expect([store.durablePosition, bytes.batches.length]).toEqual([position, 1]);
  });

  test("a store may be closed twice", async () => {
    const { store } = await openWatched(open);
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    await store[Symbol.asyncDispose]();
  });

  test("appending to a closed store is a bug", async () => {
    const { store } = await openWatched(open);
    await store[Symbol.asyncDispose]();
    expect(() => store.append(FIRST)).toThrow("closed");
  });
}
