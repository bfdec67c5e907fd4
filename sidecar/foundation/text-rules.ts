import { LIMITS } from "./limits.ts";

/**
 * What is wrong with a text that names something, or undefined when nothing is. Names end up in
 * keys, log lines and terminals.
 */
export function nameProblem(text: string, bytesMax: number): string | undefined {
  if (Buffer.byteLength(text) > bytesMax) return `is longer than ${bytesMax} bytes`;
  return /\p{Cc}/u.test(text) ? "contains a control character" : undefined;
}

/** The same for an instance id, which may contain anything else, and anything that is not empty. */
export function instanceIdProblem(instanceId: string): string | undefined {
  return instanceId === "" ? "is empty" : nameProblem(instanceId, LIMITS.instanceIdBytesMax);
}
