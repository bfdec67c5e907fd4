/** Random damage to bytes, the same for the same seed. */

export interface Random {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** Mulberry32: small, fast, and good enough to spread damage. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number) => Math.floor(next() * end);
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (from) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error("nothing to pick from");
      return picked;
    },
  };
}

/** Bytes that mean something in protobuf: tags, long varints, broken UTF-8, lengths. */
const interesting = ["00", "ff", "7f", "80", "c328", "eda080", "ffffffffff01", "0a", "12", "0b0c"];

const ways: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes) => bytes,
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    const at = random.below(copy.byteLength);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    return copy;
  },
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    copy[random.below(copy.byteLength)] = random.below(256);
    return copy;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength)),
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    const more = Buffer.from(random.pick(interesting), "hex");
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    const end = at + random.below(bytes.byteLength - at);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
  },
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    const part = bytes.subarray(at, at + 1 + random.below(32));
    return Buffer.concat([bytes, part, part]);
  },
];

/** The bytes with up to two kinds of damage. */
export function damaged(bytes: Buffer, random: Random): Buffer {
  let result = bytes;
  for (let count = random.below(3); count > 0; count -= 1) {
    if (result.byteLength === 0) return Buffer.from(random.pick(interesting), "hex");
    result = random.pick(ways)(result, random);
  }
  return result;
}
