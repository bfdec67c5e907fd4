/**
 * The disk of T-NTH: every call of a store is counted over all openings, and the N-th one goes wrong
 * in one of six ways. The disk outlives the processes that use it.
 */
import { HubError } from "../../../sidecar/foundation/errors.ts";
import type { OrderedBytes, Write } from "../../../sidecar/store/ordered/bytes.ts";

export type CallKind = "write" | "get" | "rows" | "keys" | "snapshot" | "close" | "open";

export const MODES = [
  "fails",
  "takes effect and fails",
  "fails for ever",
  "delayed",
  "crash before",
  "crash after",
] as const;

export type Mode = (typeof MODES)[number];

/** A read has no effect: it comes back, or it does not. Those that take no time cannot be late. */
export function modesOf(kind: CallKind): readonly Mode[] {
  switch (kind) {
    case "write":
    case "close":
    case "open":
      return MODES;
    case "get":
    case "snapshot":
      return ["fails", "fails for ever", "crash before"];
    default:
      return ["fails", "fails for ever", "delayed", "crash before"];
  }
}

export interface Plan {
  readonly mode: Mode;
  /** The call that goes wrong, counted from 1. */
  readonly nth: number;
  /** Only these are counted; all of them when it is left out. */
  readonly kinds?: readonly CallKind[];
  /** This write fails in any case, before it has an effect, and counting begins behind it. */
  readonly failedWrite?: number | undefined;
  /** With the write that fails, the disk loses the acknowledged one before it. */
  readonly losesOneBefore?: boolean;
}

export class InjectedError extends Error {
  override readonly name = "InjectedError";
}

/** Whether an error says in any way that the disk did what the plan says. */
export function isInjected(error: unknown): boolean {
  if (error instanceof InjectedError) return true;
  return error instanceof Error && isInjected(error.cause);
}

type Fate = Mode | undefined;

/** What happens to the calls of all processes of one run. */
export class Faults {
  readonly plan: Plan;
  writes = 0;
  /** The call that went wrong; undefined as long as none did. */
  injected: CallKind | undefined;
  /** All calls that were counted, in order. */
  readonly kinds: CallKind[] = [];
  /** Writes that failed, in the order in which they did: those of the plan and no others. */
  failedWrites = 0;
  #isCounting: boolean;
  #forEver: CallKind | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#isCounting = plan.failedWrite === undefined;
  }

  /** How many calls were counted so far. */
  get calls(): number {
    return this.kinds.length;
  }

  /** What is to become of the next call. */
  next(kind: CallKind): Fate {
    const { mode, nth, kinds, failedWrite } = this.plan;
    if (kind === "write") {
      this.writes += 1;
      if (this.writes === failedWrite) {
        this.#isCounting = true;
        return "fails";
      }
    }
    if (this.#forEver === kind) return "fails for ever";
    if (!this.#isCounting || (kinds !== undefined && !kinds.includes(kind))) return undefined;
    this.kinds.push(kind);
    if (this.calls !== nth) return undefined;
    this.injected = kind;
    if (mode === "fails for ever") this.#forEver = kind;
    return mode;
  }

  /** A new process finds a disk that works. */
  heal(): void {
    this.#forEver = undefined;
  }
}

/** As LevelDB's errors come out of the seam: reads say that the store cannot be trusted. */
export function injectedError(kind: CallKind): Error {
  const cause = new InjectedError(`this ${kind} was to fail`);
  if (kind === "write" || kind === "close") return cause;
  return new HubError("store-distrusted", `stored data cannot be read: ${kind}`, { cause });
}

/** Undoes a batch that is about to be written. */
export function undoOf(bytes: OrderedBytes, writes: readonly Write[]): readonly Write[] {
  return writes.map(({ key }) => {
    const value = bytes.get(key);
    return value === undefined ? { type: "del", key } : { type: "put", key, value };
  });
}
