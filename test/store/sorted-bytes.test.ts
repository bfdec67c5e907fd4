import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import type { Write } from "../../sidecar/store/ordered/bytes.ts";

/** Of few different bytes, so that keys come back, but of both halves of what a byte can be. */
const arbitraryKey = fc
  .array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: 1, maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes));

const arbitraryWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 3, arbitrary: arbitraryKey.map((key) => ({ type: "put" as const, key, value: key })) },
  arbitraryKey.map((key) => ({ type: "del" as const, key })),
);

test("ranges of sorted bytes are those of a sorted list, forwards and backwards", async () => {
  const writes = fc.array(fc.array(arbitraryWrite, { maxLength: 60, size: "max" }), {
    maxLength: 3,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(
      writes,
      arbitraryKey,
      arbitraryKey,
      fc.integer({ min: 1, max: 30 }),
      async (...args) => {
        const [batches, from, to, limit] = args;
        const bytes = new SortedBytes(4);
        for (const batch of batches) await bytes.writeDurably(batch);
        const expected = sortedKeys(batches.flat()).filter(
          (key) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0,
        );
        const range = { from, to };
        expect(await bytes.keys(range)).toEqual(expected);
        expect(await bytes.keys(range, { limit })).toEqual(expected.slice(0, limit));
        expect(await bytes.keys(range, { limit, reverse: true })).toEqual(
          expected.toReversed().slice(0, limit),
        );
        expect(await bytes.rows(range)).toEqual(expected.map((key) => [key, new Uint8Array(key)]));
      },
    ),
    { numRuns: 300 },
  );
});

function sortedKeys(writes: readonly Write[]): Buffer[] {
  const keys = new Map<string, Buffer>();
  for (const { type, key } of writes) {
    const text = Buffer.from(key).toString("hex");
    if (type === "put") keys.set(text, Buffer.from(key));
    else keys.delete(text);
  }
  return [...keys.values()].toSorted(Buffer.compare);
}
