/** One thing to put into a field, and what must come of it. */

/**
 * Malformed, which is refused whatever else the request says; refused for its value, as too large, or as not there yet; taken: whatever the method says of such an instance; or
 * either, because what the bytes mean depends on how they are read.
 */
export type Expected =
  | "malformed"
  | "refused"
  | "too large"
  | "not served"
  | "taken"
  | "refused or taken";

export interface HostileCase {
  readonly what: string;
  /** Goes behind a valid request: of a field that comes twice the last one counts. */
  readonly bytes: Buffer;
  readonly expected: Expected;
  /** It does not set the field. */
  readonly isElsewhere?: boolean;
}

export function broken(what: string, bytes: Buffer): HostileCase {
  return { what: what.replace(/, $/, ""), bytes, expected: "malformed" };
}

export function taken(what: string, bytes: Buffer): HostileCase {
  return { what, bytes, expected: "taken" };
}

export function either(what: string, bytes: Buffer): HostileCase {
  return { what, bytes, expected: "refused or taken" };
}
