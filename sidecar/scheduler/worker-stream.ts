/**
 * One open GetWorkItems call. Its consumer pulls: asking for the next item is what says that
 * everything before it was written and drained, so nothing is claimed for a worker that does not
 * read.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type GetWorkItemsRequest, WorkerCapability } from "../wire/gen/orchestrator_service_pb.ts";
import { healthPing } from "../wire/work-item-bytes.ts";
import type { Lease } from "./leases.ts";
import { type WorkFilter, workFilterOf } from "./work-filter.ts";
import { messageBytesMaxOf } from "./worker-fit.ts";

export interface WorkerConnection {
  /** Identity of the transport connection. */
  readonly connection: string;
  /** Network address of the worker. */
  readonly peer: string;
  /** SDK or library, as it says; may be empty. */
  readonly userAgent: string;
  /** The gRPC library, as it says; may be empty. */
  readonly library: string;
  /** What the worker calls itself. */
  readonly workerId: string | undefined;
  /** Hub time at which the stream was opened. */
  readonly connectedAt: Timestamp;
  readonly signal: AbortSignal;
}

interface WorkerStreamOptions {
  readonly clock: SteadyClock;
  readonly pingMs: number;
  readonly ordinal: number;
}

/** What the stream asks of whoever has the work. */
export interface WorkSource {
  /** The next item for this stream, encoded, or undefined when there is none now. */
  claim(stream: WorkerStream): Uint8Array | undefined;
  closed(stream: WorkerStream): void;
}

export class WorkerStream {
  readonly worker: WorkerConnection;
  /** Counts the streams of a hub in the order of their connecting. */
  readonly ordinal: number;
  /** What it declared to accept; undefined means everything. */
  readonly declared: GetWorkItemsRequest["workItemFilters"];
  readonly accepts: WorkFilter;
  /** It fetches a long history itself when it is told to. */
  readonly streamsHistory: boolean;
  /** The largest message that it takes. */
  readonly messageBytesMax: number;
  /** What this stream has, also after it closed, until it is answered or given up. */
  readonly leases = new Set<Lease>();
  /** How many of them there are of each kind. */
  readonly inFlight: Record<Lease["kind"], number> = { turn: 0, activity: 0, batch: 0 };
  connectionLost = false;
  open = true;

  readonly #source: WorkSource;
  readonly #clock: SteadyClock;
  readonly #pingMs: number;
  readonly credit: Readonly<Record<Lease["kind"], number>>;
  #waiting: PromiseWithResolvers<Uint8Array> | undefined;
  #ping: Alarm | undefined;
  #endReason: unknown;
  /** Kinds of work take turns, so that a flood of one does not starve the others. */
  lastKind: Lease["kind"] = "activity";

  constructor(
    request: GetWorkItemsRequest,
    worker: WorkerConnection,
    source: WorkSource,
    options: WorkerStreamOptions,
  ) {
    this.worker = worker;
    this.ordinal = options.ordinal;
    this.declared = request.workItemFilters;
    this.accepts = workFilterOf(request, worker);
    // Capabilities that are not known here are for others.
    this.streamsHistory = request.capabilities.includes(WorkerCapability.HISTORY_STREAMING);
    this.messageBytesMax = messageBytesMaxOf(worker);
    this.credit = {
      turn: creditOf(request.maxConcurrentOrchestrationWorkItems),
      activity: creditOf(request.maxConcurrentActivityWorkItems),
      batch: creditOf(request.maxConcurrentEntityWorkItems),
    };
    this.#source = source;
    this.#clock = options.clock;
    this.#pingMs = options.pingMs;
  }

  /** Identity of the transport connection. */
  get connection(): string {
    return this.worker.connection;
  }

  /** A consumer waits for an item. */
  get waiting(): boolean {
    return this.#waiting !== undefined;
  }

  hasCredit(kind: Lease["kind"]): boolean {
    return this.inFlight[kind] < this.credit[kind];
  }

  /** Hands an item to the waiting consumer if the source has one now. True when it did. */
  feed(): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined) return false;
    const item = this.#source.claim(this);
    if (item === undefined) return false;
    this.#waiting = undefined;
    waiting.resolve(item);
    return true;
  }

  /** Encoded work items, until the call ends. */
  async *items(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stop = () => this.end(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) stop();
      while (this.open) yield await this.#next();
      throw this.#endReason;
    } finally {
      signal.removeEventListener("abort", stop);
      this.end(new HubError("cancelled", "the stream was closed"));
    }
  }

  /** Ends the stream with `reason`. Idempotent. */
  end(reason: unknown): void {
    if (!this.open) return;
    this.open = false;
    this.#endReason = reason;
    this.#ping?.cancel();
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
    this.#source.closed(this);
  }

  #next(): Promise<Uint8Array> {
    const waiting = Promise.withResolvers<Uint8Array>();
    this.#waiting = waiting;
    if (!this.feed()) this.#pingLater();
    return waiting.promise;
  }

  #pingLater(): void {
    this.#ping?.cancel();
    this.#ping = this.#clock.after(this.#pingMs, () => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(healthPing);
    });
  }
}

/** 0 means "not stated", never "none" (trap T17). */
function creditOf(stated: number): number {
  return Math.min(stated === 0 ? LIMITS.streamCreditDefault : stated, LIMITS.streamCreditMax);
}
