/**
 * An impossible state: a bug of ours. It ends the process; nothing may go on from a state that
 * cannot be.
 */
export class AssertionFailed extends Error {
  override readonly name = "AssertionFailed";
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** For a `default` that the compiler knows to be unreachable. */
export function assertNever(value: never, what: string): never {
  throw new AssertionFailed(`unexpected ${what}: ${String(value)}`);
}
