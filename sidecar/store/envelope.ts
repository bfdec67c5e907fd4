/** The frame around every stored value: a damaged value is refused, never believed. */
import { crc32 } from "node:zlib";
import { HubError } from "../foundation/errors.ts";

const VERSION = 1;
const NO_FLAGS = 0;
const CRC_OFFSET = 2;
const HEADER_BYTES = 6;

/**
 * Frames a payload, given whole or in parts: version (1) | flags (1) | crc32 (4, big endian) |
 * payload.
 *
 * The checksum covers the version, the flags and the payload. LevelDB checks its own blocks, but
 * not on every path that we depend on (RELIABILITY.md, S5 and S6), and a store without blocks
 * checks nothing.
 */
export function seal(...parts: readonly Uint8Array[]): Uint8Array {
  let length = HEADER_BYTES;
  for (const part of parts) length += part.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = VERSION;
  bytes[1] = NO_FLAGS;
  let offset = HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  bytes.writeUInt32BE(checksum(bytes), CRC_OFFSET);
  return bytes;
}

/**
 * The payload of a sealed value, as a view of it. `what` names the value in the error.
 *
 * @throws HubError "store-distrusted"
 */
export function unseal(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length < HEADER_BYTES) throw distrusted(what, `holds only ${bytes.length} bytes`);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.readUInt32BE(CRC_OFFSET) !== checksum(view))
    throw distrusted(what, "fails its checksum");
  if (view[0] !== VERSION || view[1] !== NO_FLAGS) {
    throw distrusted(what, `has the unknown version ${view[0]} or flags ${view[1]}`);
  }
  return view.subarray(HEADER_BYTES);
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CRC_OFFSET)));
}

function distrusted(what: string, problem: string): HubError {
  return new HubError("store-distrusted", `stored data is damaged: ${what} ${problem}`);
}
