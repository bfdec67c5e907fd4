/** Bytes of protobuf that no library would write. */
import type { DescField } from "@bufbuild/protobuf";

export const VARINT = 0;
export const I64 = 1;
export const LEN = 2;
export const I32 = 5;

export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(bytes);
}

export function tag(number: number, wireType: number): Buffer {
  return varint((BigInt(number) << 3n) | BigInt(wireType));
}

/** A record with a length. */
export function lengthDelimited(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([tag(number, LEN), varint(content.byteLength), content]);
}

export function varintField(number: number, value: bigint | number): Buffer {
  return Buffer.concat([tag(number, VARINT), varint(value)]);
}

export function doubleField(number: number, value: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeDoubleLE(value);
  return Buffer.concat([tag(number, I64), content]);
}

/**
 * Bytes of a message, put where a path of fields leads. Maps are lists of entries.
 *
 * @param elementBase what a message on the way needs besides, so that the rest is looked at
 */
export function nested(
  path: readonly DescField[],
  content: Uint8Array,
  elementBase: (field: DescField) => Uint8Array = () => Buffer.alloc(0),
): Buffer {
  let bytes: Buffer = Buffer.from(content);
  for (const field of path.toReversed()) {
    bytes = Buffer.concat([elementBase(field), bytes]);
    // The value of an entry is its second field.
    if (field.fieldKind === "map") bytes = lengthDelimited(2, bytes);
    bytes = lengthDelimited(field.number, bytes);
  }
  return bytes;
}
