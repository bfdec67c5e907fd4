import { assert } from "../foundation/assert.ts";

/**
 * A message that is put together from finished parts: its size is known before it is written, so it
 * is written once, into one buffer. The general encoder grows a buffer by doubling and copies each
 * nested message once more.
 *
 * Only fields below 16 and only what is length-delimited: text, bytes, messages.
 */
export class Splice {
  readonly #fields: number[] = [];
  readonly #values: (Uint8Array | string | Splice)[] = [];
  readonly #sizes: number[] = [];
  readonly #before: Uint8Array;
  #length: number;

  /** @param before encoded fields that the message begins with */
  constructor(before: Uint8Array = nothing) {
    this.#before = before;
    this.#length = before.length;
  }

  get length(): number {
    return this.#length;
  }

  add(field: number, value: Uint8Array | string | Splice): this {
    assert(field < 16, "the tag of a spliced field is one byte");
    const size = typeof value === "string" ? Buffer.byteLength(value) : value.length;
    this.#fields.push(field);
    this.#values.push(value);
    this.#sizes.push(size);
    this.#length += 1 + varintSize(size) + size;
    return this;
  }

  finish(): Buffer {
    const target = Buffer.allocUnsafe(this.#length);
    this.#write(target, 0);
    return target;
  }

  #write(target: Buffer, start: number): void {
    target.set(this.#before, start);
    let at = start + this.#before.length;
    for (const [index, value] of this.#values.entries()) {
      const size = this.#sizes[index] ?? 0;
      target[at] = ((this.#fields[index] ?? 0) << 3) | lengthDelimited;
      at = writeVarint(target, at + 1, size);
      if (typeof value === "string") target.write(value, at, "utf8");
      else if (value instanceof Splice) value.#write(target, at);
      else target.set(value, at);
      at += size;
    }
  }
}

/**
 * The length-delimited fields of an encoded message, in order; other fields are passed over.
 *
 * @throws RangeError when the bytes are no message
 */
export function* delimitedFields(bytes: Uint8Array): Generator<[field: number, value: Uint8Array]> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at];
      if (byte === undefined) throw new RangeError("the message ends within a number");
      at += 1;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case lengthDelimited: {
        const size = varint();
        if (at + size > bytes.length) throw new RangeError("the message ends within a field");
        yield [field, bytes.subarray(at, at + size)];
        at += size;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError(`wire type ${tag % 8} is not in use`);
    }
  }
}

const lengthDelimited = 2;

const nothing = new Uint8Array();

/** Bytes of a number below 2^35. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

function writeVarint(target: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    target[at] = (rest & 0x7f) | 0x80;
    at += 1;
    rest = Math.floor(rest / 128);
  }
  target[at] = rest;
  return at + 1;
}
