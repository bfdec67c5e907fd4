/**
 * Leases: work items that a worker has. One unguessable token for each dispatch; a token that is
 * not here is stale.
 *
 * A turn, and a batch of entity operations, has a lease of minutes. An activity has one as long as
 * its stream lives, because it may run for hours and there is no heartbeat (trap T18). When a stream closes, its leases stay valid
 * for a grace period: SDKs cancel their stream first and finish what they have afterwards (trap
 * T32).
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { BegunTurn } from "../engine/turn/begin.ts";
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import type { OrchestratorResponse } from "../wire/gen/orchestrator_service_pb.ts";
import type { Head } from "./head.ts";
import type { WorkerStream } from "./worker-stream.ts";

interface LeaseBase {
  readonly token: string;
  readonly head: Head;
  /** Storage number of the life that the item belongs to. */
  readonly number: bigint;
  readonly stream: WorkerStream;
  readonly grantedAtMs: number;
  /** Hub time, for readers. */
  readonly grantedAt: Timestamp;
}

export interface TurnLease extends LeaseBase {
  readonly kind: "turn";
  readonly begun: BegunTurn;
  /** They did not go with it: the worker fetches them. */
  readonly isStreamed: boolean;
  /** Parts of a chunked answer, by index: a repeated chunk replaces itself (trap T33). */
  readonly chunks: Map<number, { readonly part: OrchestratorResponse; readonly bytes: number }>;
  /** Their encoded size, also of parts that were too much to keep. */
  chunkBytes: number;
}

export interface ActivityLease extends LeaseBase {
  readonly kind: "activity";
  readonly workId: bigint;
  readonly taskId: number;
  readonly name: string;
}

/** Operations of an entity: at most one batch of it is out at any time. */
export interface BatchLease extends LeaseBase {
  readonly kind: "batch";
  /** How many items at the head of the queue went with it. */
  readonly taken: number;
}

export type Lease = TurnLease | ActivityLease | BatchLease;

/**
 * How a lease ended without an answer. "rejected": there was one, and it could not be taken;
 * "needs-history": there was one, which asks for the same turn again.
 */
export type LossReason = "stream-lost" | "expired" | "abandoned" | "rejected" | "needs-history";

export interface LeaseTimes {
  readonly turnLeaseMs: number;
  readonly graceMs: number;
}

export class Leases {
  readonly #byToken = new Map<string, Lease>();
  readonly #graces = new Map<WorkerStream, Alarm>();
  readonly #clock: SteadyClock;
  readonly #times: LeaseTimes;
  readonly #onLost: (lease: Lease, reason: LossReason) => void;
  readonly #onEnded: (lease: Lease) => void;
  #sweep: Alarm | undefined;
  #none: PromiseWithResolvers<void> | undefined;

  constructor(
    clock: SteadyClock,
    times: LeaseTimes,
    listener: {
      /** It ended without an answer. */
      readonly lost: (lease: Lease, reason: LossReason) => void;
      /** It ended, whatever way. */
      readonly ended: (lease: Lease) => void;
    },
  ) {
    this.#clock = clock;
    this.#times = times;
    this.#onLost = listener.lost;
    this.#onEnded = listener.ended;
  }

  /** Resolves when there is no lease. */
  none(): Promise<void> {
    if (this.#byToken.size === 0) return Promise.resolve();
    this.#none ??= Promise.withResolvers();
    return this.#none.promise;
  }

  /** All that workers have, the oldest first. */
  all(): IterableIterator<Lease> {
    return this.#byToken.values();
  }

  get count(): number {
    return this.#byToken.size;
  }

  grant(lease: Lease): void {
    this.#byToken.set(lease.token, lease);
    lease.stream.leases.add(lease);
    lease.stream.inFlight[lease.kind] += 1;
    if (lease.kind !== "activity") this.#sweepLater(this.#times.turnLeaseMs);
  }

  find<K extends Lease["kind"]>(token: string, kind: K): Extract<Lease, { kind: K }> | undefined {
    const lease = this.#byToken.get(token);
    return lease?.kind === kind ? (lease as Extract<Lease, { kind: K }>) : undefined;
  }

  /** Ends a lease: its token is stale from now on. False when it already was. */
  end(lease: Lease): boolean {
    if (!this.#byToken.delete(lease.token)) return false;
    const { stream } = lease;
    stream.leases.delete(lease);
    stream.inFlight[lease.kind] -= 1;
    if (stream.leases.size === 0) this.#endGrace(stream);
    if (this.#byToken.size === 0) this.#none?.resolve();
    this.#onEnded(lease);
    // Its credit is back. Asked behind the decision that is being made, which may end more leases.
    queueMicrotask(() => stream.feed());
    return true;
  }

  /**
   * The stream is closed. What it has stays valid for the grace, or ends now if its connection is
   * gone too.
   */
  streamClosed(stream: WorkerStream): void {
    if (stream.leases.size === 0) return;
    if (stream.connectionLost) {
      this.#loseAll(stream);
      return;
    }
    const grace = this.#clock.after(this.#times.graceMs, () => this.#loseAll(stream));
    this.#graces.set(stream, grace);
  }

  /** Nothing of the connection is left: closed streams of it need no grace any more. */
  connectionClosed(connection: string): void {
    for (const stream of [...this.#graces.keys()]) {
      if (stream.connection === connection) this.#loseAll(stream);
    }
  }

  /** Nothing is lost any more: what workers have stays theirs until the process ends. */
  close(): void {
    this.#sweep?.cancel();
    for (const grace of this.#graces.values()) grace.cancel();
    this.#graces.clear();
    this.#none?.resolve();
  }

  #loseAll(stream: WorkerStream): void {
    this.#endGrace(stream);
    for (const lease of [...stream.leases]) {
      if (this.end(lease)) this.#onLost(lease, "stream-lost");
    }
  }

  #endGrace(stream: WorkerStream): void {
    this.#graces.get(stream)?.cancel();
    this.#graces.delete(stream);
  }

  #sweepLater(delayMs: number): void {
    this.#sweep ??= this.#clock.after(delayMs, () => {
      this.#sweep = undefined;
      this.#expire();
    });
  }

  /**
   * Leases stand in order of granting, and all turns and batches have the same time: the first one
   * left is the next.
   */
  #expire(): void {
    const nowMs = this.#clock.nowMs();
    const expired: Lease[] = [];
    for (const lease of this.#byToken.values()) {
      if (lease.kind === "activity") continue;
      const leftMs = lease.grantedAtMs + this.#times.turnLeaseMs - nowMs;
      if (leftMs > 0) {
        // Before anything is lost: what comes back may be granted at once, and would sweep later.
        this.#sweepLater(leftMs);
        break;
      }
      expired.push(lease);
    }
    for (const lease of expired) if (this.end(lease)) this.#onLost(lease, "expired");
  }
}
