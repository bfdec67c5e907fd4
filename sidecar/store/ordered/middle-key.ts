/** Halving a range of keys. */
import type { KeyRange } from "./bytes.ts";

/** Bytes of keys that tell the halves apart: kind, hub or number, class, time. */
const BYTES = 32;

/** A key about halfway between two; undefined when there is none that differs in the bytes that count. */
export function middleOf({ from, to }: KeyRange): Uint8Array | undefined {
  const first = fractionOf(from);
  const middle = (first + fractionOf(to)) / 2n;
  if (middle <= first) return undefined;
  return Buffer.from(middle.toString(16).padStart(2 * BYTES, "0"), "hex");
}

function fractionOf(key: Uint8Array): bigint {
  const head = Buffer.alloc(BYTES);
  head.set(key.subarray(0, BYTES));
  return BigInt(`0x${head.toString("hex")}`);
}
