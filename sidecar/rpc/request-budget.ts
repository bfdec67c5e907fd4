/** Memory for requests that are arriving or being answered, over all connections. */
import { LIMITS } from "../foundation/limits.ts";
import { MemoryBudget } from "../scheduler/memory-budget.ts";

/** Memory for what is on its way between the sidecar and its callers. */
export interface WireBudgets {
  readonly requests: RequestBudget;
  /** What streams have written and the network has not taken. */
  readonly outbound: MemoryBudget;
}

/** Budgets of the size that `LIMITS` has for one process. */
export function wireBudgets(): WireBudgets {
  return { requests: new RequestBudget(), outbound: new MemoryBudget(LIMITS.outboundBytesMax) };
}

/** Bounds of a `RequestBudget`, in bytes. */
export interface RequestBudgetLimits {
  /** All requests together. */
  readonly bytesMax: number;
  /** A request of at most so many bytes is small. */
  readonly smallBytes: number;
  /** What small requests may take on top, so that a few large ones do not keep them all out. */
  readonly smallReserveBytes: number;
}

const defaultLimits: RequestBudgetLimits = {
  bytesMax: LIMITS.requestsBytesMax,
  smallBytes: LIMITS.smallRequestBytesMax,
  smallReserveBytes: LIMITS.smallRequestsReserveBytes,
};

/**
 * The account. What a request will take is taken when its length is known, before its bytes are
 * read; so one that was let in is never refused half-way because of others.
 */
export class RequestBudget {
  readonly bytesMax: number;
  readonly #smallBytes: number;
  readonly #smallReserveBytes: number;
  #bytes = 0;
  #refused = 0;

  constructor(limits: Partial<RequestBudgetLimits> = {}) {
    const { bytesMax, smallBytes, smallReserveBytes } = { ...defaultLimits, ...limits };
    this.bytesMax = bytesMax;
    this.#smallBytes = smallBytes;
    this.#smallReserveBytes = smallReserveBytes;
  }

  /** What is taken now. Completions may take it above the bounds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many requests were refused because too many bytes were taken. */
  get refused(): number {
    return this.#refused;
  }

  /** What one call takes. */
  share({ isNeverRefused }: { readonly isNeverRefused: boolean }): RequestShare {
    return new RequestShare(this, isNeverRefused);
  }

  /** @param had what the same message has taken before */
  admits(bytes: number, had: number): boolean {
    const { bytesMax } = this;
    if (this.#bytes + bytes <= bytesMax) return true;
    const isSmall = had + bytes <= this.#smallBytes;
    if (isSmall && this.#bytes + bytes <= bytesMax + this.#smallReserveBytes) return true;
    // A message that is larger than all that there is: it has its turn when it is as good as alone.
    if (this.#bytes - had <= this.#smallReserveBytes) return true;
    this.#refused += 1;
    return false;
  }

  /** Takes so many bytes; negative: gives them back. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** What the request of one call takes, or its requests if it has many. */
export class RequestShare {
  readonly #budget: RequestBudget;
  readonly #isNeverRefused: boolean;
  #bytes = 0;
  #isClosed = false;

  constructor(budget: RequestBudget, isNeverRefused: boolean) {
    this.#budget = budget;
    this.#isNeverRefused = isNeverRefused;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * False when there is no room: then the call is to be refused. Also when the call is over.
   *
   * @param had what the same message has taken before
   */
  take(bytes: number, had = 0): boolean {
    if (this.#isClosed) return false;
    if (!this.#isNeverRefused && !this.#budget.admits(bytes, had)) return false;
    this.#bytes += bytes;
    this.#budget.take(bytes);
    return true;
  }

  /** Before the call is over. */
  giveBack(bytes: number): void {
    if (this.#isClosed) return;
    this.#bytes -= bytes;
    this.#budget.take(-bytes);
  }

  /** The call is over: gives back what is left. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#budget.take(-this.#bytes);
    this.#bytes = 0;
  }
}

/** What callers are told who are refused. */
export const NO_ROOM_FOR_REQUEST =
  "too many bytes of requests are on their way to the sidecar: nothing new is accepted for the moment";

/**
 * Methods that are never refused: completions and abandons free what is short, and most workers
 * never repeat one that was refused.
 *
 * @param name without its service
 */
export function isNeverRefused(name: string): boolean {
  return name.startsWith("Complete") || name.startsWith("Abandon");
}
