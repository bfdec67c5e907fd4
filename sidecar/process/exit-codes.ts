/** How the program ends: one table of exit codes, and one line for people for each error. */
import { HubError, type HubErrorCode } from "../foundation/errors.ts";
import { escapeControls } from "./safe-text.ts";

/**
 * The numbers of sysexits.h, where it has one, those of shells for what was interrupted or took
 * too long, and small ones for answers that scripts tell apart. A supervisor may start `serve`
 * again after 1, 69, 70, 74 and 75; after 64 and 78 somebody has to change something first.
 */
export const EXIT = {
  ok: 0,
  /**
   * `healthcheck`: not serving. `serve`: the end was forced before everything was closed. Others:
   * the answer is no, one of several failed, or the call failed for a reason without a number.
   */
  failure: 1,
  /** There is no such instance, hub, window or schema. */
  notFound: 2,
  /** It exists already, or has finished, or is otherwise not in a state for this. */
  failedPrecondition: 3,
  /** The sidecar does not accept a value. */
  refused: 4,
  /** EX_USAGE: a flag, a value or a command that does not exist. */
  usage: 64,
  /** EX_UNAVAILABLE: the address to listen on is in use. */
  addressInUse: 69,
  /** EX_UNAVAILABLE: no sidecar answers, or it is shutting down. */
  unreachable: 69,
  /** EX_SOFTWARE: a bug. */
  internal: 70,
  /** EX_IOERR: the stored data cannot be trusted. */
  storeDistrusted: 74,
  /** EX_TEMPFAIL: another process has the data directory. */
  storeInUse: 75,
  /** EX_CONFIG: environment, address or data directory are not usable as they are. */
  config: 78,
  /** As `timeout` of the shell. */
  timedOut: 124,
  /** As a shell says SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For `--help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0   done; serve: stopped as asked
  1   the answer is no, the call failed, or it failed for one of several instances;
      healthcheck: not serving; serve: the end was forced
  2   not found
  3   it exists already, or is not in a state for this
  4   the sidecar does not accept a value
  64  a flag, a value or a command is wrong
  69  no sidecar answers; serve: the address is in use
  70  a bug; the log has the details
  74  the stored data cannot be trusted, or could not be written
  75  another process uses the data directory
  78  the environment, an address or the data directory has to be changed first
  124 the time was up
  130 interrupted`;

/** A failure whose exit code is known where it is found. The message is for users, on one line. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** What the process says on stderr, and with what it ends. */
export interface Exit {
  readonly code: ExitCode;
  readonly line: string;
}

/** How the program ends because of an error. Whatever is not expected here is a bug. */
export function exitFor(error: unknown): Exit {
  if (error instanceof ExitError) return { code: error.exitCode, line: lineOf(error.message) };
  if (error instanceof HubError) {
    const code = storeExits.get(error.code);
    if (code !== undefined) return { code, line: lineOf(error.message) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: EXIT.internal, line: lineOf(`internal error: ${message}`) };
}

/** The other codes answer calls. */
const storeExits: ReadonlyMap<HubErrorCode, ExitCode> = new Map([
  ["store-distrusted", EXIT.storeDistrusted],
  ["store-in-use", EXIT.storeInUse],
  ["store-refused", EXIT.config],
]);

/** How the program ends because an address could not be listened on. */
export function listenError(address: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return new ExitError(
        EXIT.addressInUse,
        `${address} is in use: stop the other process or choose another --listen`,
        { cause: error },
      );
    case "EACCES":
      return new ExitError(
        EXIT.config,
        `not permitted to listen on ${address}: choose a port above 1023 with --listen`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return new ExitError(
        EXIT.config,
        `${address} is not an address of this machine: choose another --listen`,
        { cause: error },
      );
    default:
      return error;
  }
}

function lineOf(message: string): string {
  return escapeControls(message.trim().replace(/\s*[\r\n]+\s*/g, " "));
}
