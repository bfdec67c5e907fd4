/**
 * What can go wrong by somebody else's doing. Closed: rpc/error-mapping.ts knows what each means on
 * the wire.
 */
export type HubErrorCode =
  | "invalid-argument"
  | "instance-not-found"
  | "instance-exists"
  | "failed-precondition"
  | "limit-exceeded"
  | "unavailable"
  | "unimplemented"
  | "cancelled"
  | "deadline-exceeded"
  /** The stored data cannot be trusted: the process ends with 74. */
  | "store-distrusted"
  /** Another process has the data directory: exit 75. */
  | "store-in-use"
  /** The directory is not ours, of another format, or not writable: exit 78. */
  | "store-refused";

/**
 * An expected failure. The message is for users: it says what was wrong in words they can act on.
 */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: HubErrorCode;

  constructor(code: HubErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whoever asks a process that is about to end. */
export function shuttingDown(): HubError {
  return new HubError("unavailable", "the task hub is shutting down");
}

/** What was thrown, as an error: anything can be thrown. */
export function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause), { cause });
}
