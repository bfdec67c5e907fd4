import { crc32 } from "node:zlib";

/** CRC-32 of a text in UTF-8: tells texts apart that nobody keeps. */
export function checksumOf(text: string): number {
  return crc32(text);
}
