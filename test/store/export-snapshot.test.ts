/** A snapshot shows one moment, whatever is written behind it, until it is closed. */
import { describe, expect, test } from "vitest";
import { openLevelBytes } from "../../sidecar/store/level/level-bytes.ts";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import type {
  BytesSnapshot,
  KeyRange,
  OrderedBytes,
  ReadableBytes,
} from "../../sidecar/store/ordered/bytes.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ALL: KeyRange = { from: Buffer.of(0), to: Buffer.of(255) };

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

async function put(bytes: OrderedBytes, ...pairs: readonly string[]): Promise<void> {
  await bytes.writeDurably(
    pairs.map((pair) => {
      const [key = "", value] = pair.split("=");
      return value === undefined
        ? { type: "del", key: bytesOf(key) }
        : { type: "put", key: bytesOf(key), value: bytesOf(value) };
    }),
  );
}

async function contents(bytes: ReadableBytes): Promise<string[]> {
  return (await bytes.rows(ALL)).map(([key, value]) => `${show(key)}=${show(value)}`);
}

async function each(snapshot: BytesSnapshot): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of snapshot.each(ALL)) found.push(`${show(key)}=${show(value)}`);
  return found;
}

function show(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

interface Opened extends AsyncDisposable {
  readonly bytes: OrderedBytes;
}

async function levelBytes(): Promise<Opened> {
  const directory = await temporaryDirectory();
  const bytes = await openLevelBytes(`${directory.path}/db`, { createIfMissing: true });
  return {
    bytes,
    async [Symbol.asyncDispose]() {
      await bytes.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function sortedBytes(): Promise<Opened> {
  const bytes = new SortedBytes(4);
  return { bytes, [Symbol.asyncDispose]: () => bytes.close() };
}

describe.each([
  ["sorted bytes in memory", sortedBytes],
  ["LevelDB", levelBytes],
])("%s", (_name, open) => {
  test("what is put, replaced and deleted later is not in it", async () => {
    await using opened = await open();
    const { bytes } = opened;
    await put(bytes, "a=1", "b=2", "c=3");
    const snapshot = bytes.snapshot();
    await put(bytes, "a", "b=changed", "d=4");
    const before = ["a=1", "b=2", "c=3"];
    expect(await contents(snapshot)).toEqual(before);
    expect(await each(snapshot)).toEqual(before);
    expect(show(snapshot.get(bytesOf("a")) ?? bytesOf(""))).toBe("1");
    expect(snapshot.get(bytesOf("d"))).toBeUndefined();
    const [last] = await snapshot.keys(ALL, { limit: 1, reverse: true });
    expect(show(last ?? bytesOf(""))).toBe("c");
    expect(await contents(bytes)).toEqual(["b=changed", "c=3", "d=4"]);
    await snapshot.close();
  });

  test("all rows of a large range are given, also those that come while it is read", async () => {
    await using opened = await open();
    const { bytes } = opened;
    const wide = "x".repeat(1_000);
    const keys = Array.from({ length: 3_000 }, (_, at) => `k${String(at).padStart(5, "0")}`);
    await put(bytes, ...keys.map((key) => `${key}=${wide}`));
    const snapshot = bytes.snapshot();
    let found = 0;
    for await (const [key] of snapshot.each(ALL)) {
      expect(show(key)).toBe(keys[found]);
      found += 1;
      if (found % 1_000 === 0) await put(bytes, `${show(key)}-more=1`, `${keys.at(-1)}`);
    }
    expect(found).toBe(keys.length);
    await snapshot.close();
  });

  test("two of them show their own moments, and one that is closed shows nothing", async () => {
    await using opened = await open();
    const { bytes } = opened;
    await put(bytes, "a=1");
    const first = bytes.snapshot();
    await put(bytes, "a=2");
    const second = bytes.snapshot();
    await put(bytes, "a=3");
    expect(await contents(first)).toEqual(["a=1"]);
    await first.close();
    await first.close();
    expect(await contents(second)).toEqual(["a=2"]);
    const gone = { code: "unavailable" };
    await expect(contents(first)).rejects.toMatchObject(gone);
    await expect(each(first)).rejects.toMatchObject(gone);
    expect(() => first.get(bytesOf("a"))).toThrow(expect.objectContaining(gone));
    await second.close();
  });

  test("closing it ends whoever reads it", async () => {
    await using opened = await open();
    const { bytes } = opened;
    await put(bytes, ...Array.from({ length: 5_000 }, (_, at) => `k${at}=${"x".repeat(100)}`));
    const snapshot = bytes.snapshot();
    const reading = snapshot.each(ALL);
    await reading.next();
    await snapshot.close();
    await expect(
      (async () => {
        for await (const _row of reading);
      })(),
    ).rejects.toMatchObject({ code: "unavailable" });
  });
});

test("LevelDB: a snapshot of a database that was closed shows nothing", async () => {
  await using directory = await temporaryDirectory();
  const bytes = await openLevelBytes(`${directory.path}/db`, { createIfMissing: true });
  await put(bytes, "a=1");
  const snapshot = bytes.snapshot();
  await bytes.close();
  await expect(contents(snapshot)).rejects.toMatchObject({ code: "unavailable" });
  await expect(each(snapshot)).rejects.toMatchObject({ code: "unavailable" });
  await snapshot.close();
});
