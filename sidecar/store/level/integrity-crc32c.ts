/** CRC-32C, which LevelDB keeps of each block and of each record. */

const POLYNOMIAL = 0x82f63b78;

/** 8 times 256: entry 256 k + b is what byte b contributes when k more bytes follow it. */
const TABLE = makeTable();

function makeTable(): Uint32Array {
  const table = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at += 1) {
    const before = table[at - 256] ?? 0;
    table[at] = (table[before & 0xff] ?? 0) ^ (before >>> 8);
  }
  return table;
}

/** Of the bytes from `from` up to and without `to`. Eight bytes a step: about 0.6 GB a second. */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  const t = TABLE;
  let crc = 0xffffffff;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const low = crc ^ bytes.readUInt32LE(at);
    const high = bytes.readUInt32LE(at + 4);
    crc =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (high & 0xff)] as number) ^
      (t[512 + ((high >>> 8) & 0xff)] as number) ^
      (t[256 + ((high >>> 16) & 0xff)] as number) ^
      (t[high >>> 24] as number);
  }
  for (; at < to; at += 1) {
    crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** LevelDB stores checksums so that a checksum of bytes that contain one is not a simple value. */
export function unmasked(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
