/** One buffer in which messages are written, nested ones in place. It grows and is used again. */

const SHORT_TEXT = 40;

const KEPT_BYTES_MAX = 1024 * 1024;

function newBytes(): Buffer {
  return Buffer.allocUnsafeSlow(64 * 1024);
}

export class EncodeTarget {
  #bytes: Buffer = newBytes();
  #at = 0;

  get at(): number {
    return this.#at;
  }

  /** Goes back: what was written behind `at` is over, or was no good. */
  rewind(at: number): void {
    this.#at = at;
    // One huge message must not keep its room for ever.
    if (at === 0 && this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = newBytes();
  }

  /** A copy of what was written from `start` on. */
  bytesFrom(start: number): Uint8Array {
    // Not of a pool: events live for long, and would keep their neighbours in memory.
    const bytes = new Uint8Array(this.#at - start);
    bytes.set(this.#bytes.subarray(start, this.#at));
    return bytes;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  /** A number from 0 to 2^53. */
  varint(value: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    while (rest >= 0x80) {
      bytes[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 128);
    }
    bytes[at] = rest;
    this.#at = at + 1;
  }

  /** Any 64-bit number, negative ones in ten bytes. */
  varint64(value: bigint): void {
    if (value >= 0n && value <= MAX_SAFE) {
      this.varint(Number(value));
      return;
    }
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.byte(Number(rest));
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeInt32LE(value | 0, this.#at);
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.#at);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeFloatLE(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** Bytes behind their length. */
  delimited(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Text as UTF-8 behind its length. */
  text(value: string): void {
    const { length } = value;
    if (length <= SHORT_TEXT && this.#shortAscii(value)) return;
    this.varint(Buffer.byteLength(value));
    this.#reserve(length * 3);
    this.#at += this.#bytes.write(value, this.#at, "utf8");
  }

  /** Begins something whose length is not known yet; `close` writes it. */
  open(): number {
    this.byte(0);
    return this.#at;
  }

  close(start: number): void {
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const sizeBytes = length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
    this.#reserve(sizeBytes);
    this.#bytes.copyWithin(start - 1 + sizeBytes, start, start + length);
    this.#at = start - 1;
    this.varint(length);
    this.#at += length;
  }

  /** False, and nothing written, when a character is not ASCII. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = length;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return false;
      bytes[at + 1 + index] = code;
    }
    this.#at = at + 1 + length;
    return true;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
