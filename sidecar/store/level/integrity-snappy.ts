/** Undoes the compression of LevelDB's blocks. */
import { VarintReader } from "./integrity-manifest.ts";

/** @throws Error when the bytes are not what the compression makes */
export function unsnappied(compressed: Buffer): Buffer {
  const reader = new VarintReader(compressed);
  const contents = Buffer.alloc(reader.number());
  let { at } = reader;
  let written = 0;
  while (at < compressed.length) {
    const tag = compressed.readUInt8(at);
    at += 1;
    if ((tag & 3) === 0) {
      // Bytes as they are. Lengths above 60 stand in 1 to 4 bytes of their own.
      const extra = Math.max(0, (tag >> 2) - 59);
      const length = 1 + (extra === 0 ? tag >> 2 : compressed.readUIntLE(at, extra));
      at += extra;
      compressed.copy(contents, written, at, at + length);
      at += length;
      written += length;
      continue;
    }
    // Bytes that were there before.
    const [length, distance, bytes] = copyAt(compressed, at, tag);
    at += bytes;
    if (distance === 0 || distance > written) throw new Error("has a block that cannot be read");
    for (const end = written + length; written < end; written += 1) {
      contents[written] = contents.readUInt8(written - distance);
    }
  }
  if (written !== contents.length) throw new Error("has a block that cannot be read");
  return contents;
}

/** Length, distance, and in how many more bytes they stand. */
function copyAt(compressed: Buffer, at: number, tag: number): [number, number, number] {
  switch (tag & 3) {
    case 1:
      return [4 + ((tag >> 2) & 7), ((tag >> 5) << 8) | compressed.readUInt8(at), 1];
    case 2:
      return [1 + (tag >> 2), compressed.readUInt16LE(at), 2];
    default:
      return [1 + (tag >> 2), compressed.readUInt32LE(at), 4];
  }
}
