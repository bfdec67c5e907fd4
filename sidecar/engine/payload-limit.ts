import { LIMITS } from "../foundation/limits.ts";

export function exceedsPayloadLimit(text: string | undefined): boolean {
  return exceedsBytes(text, LIMITS.payloadBytesMax);
}

/** Counts bytes only when the text might be too long: UTF-8 takes at most three a UTF-16 unit. */
export function exceedsBytes(text: string | undefined, bytesMax: number): boolean {
  if (text === undefined || text.length * 3 <= bytesMax) return false;
  return Buffer.byteLength(text) > bytesMax;
}
