/**
 * Brings ready work and worker streams of one task hub together. Nothing is claimed without credit,
 * and nothing is claimed before the stream asks.
 */
import type { SteadyClock } from "../foundation/clock.ts";
import type { GetWorkItemsRequest } from "../wire/gen/orchestrator_service_pb.ts";
import type { Lease } from "./leases.ts";
import type { SchedulerOptions } from "./options.ts";
import { type ReadyItem, type ReadyName, ReadyQueue } from "./ready-queue.ts";
import { suitsWorker } from "./worker-fit.ts";
import { type WorkerConnection, WorkerStream } from "./worker-stream.ts";

/** What the dispatcher asks of whoever knows the instances. */
export interface WorkOwner {
  /**
   * Grants a lease and encodes the item; undefined when the item is void, held or not yet durable,
   * or ends because no stream can be sent it.
   */
  handOut(item: ReadyItem, stream: WorkerStream): Uint8Array | undefined;
  /** The item is of a life that is over, or of work that is no longer queued. */
  isVoid(item: ReadyItem): boolean;
  streamClosed(stream: WorkerStream): void;
  /**
   * Little or nothing is left in memory that the stream would take; next to nothing at all when it
   * is hungry.
   */
  runningOut(stream: WorkerStream, isHungry: boolean): void;
}

/** Below this many items in memory more are fetched. */
const fewItems = 64;

/** Below this many items a queue is not looked through for void ones. */
const sweepItemsMin = 1_024;

export class Dispatcher {
  readonly #queues: Readonly<Record<Lease["kind"], ReadyQueue>>;
  readonly #sweepAt: Record<Lease["kind"], number> = {
    turn: sweepItemsMin,
    activity: sweepItemsMin,
    batch: sweepItemsMin,
  };
  /** In the order in which they get work: whoever got some goes to the end. */
  readonly #streams = new Set<WorkerStream>();
  readonly #owner: WorkOwner;
  readonly #clock: SteadyClock;
  readonly #pingMs: number;
  #connected = 0;
  #closing: Error | undefined;

  constructor(
    owner: WorkOwner,
    {
      steadyClock,
      times,
      readyBudget,
    }: Pick<SchedulerOptions, "steadyClock" | "times" | "readyBudget">,
  ) {
    this.#owner = owner;
    this.#clock = steadyClock;
    this.#pingMs = times.pingMs;
    this.#queues = {
      turn: new ReadyQueue(readyBudget),
      activity: new ReadyQueue(readyBudget),
      batch: new ReadyQueue(readyBudget),
    };
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Open streams, in the order of their connecting. */
  allStreams(): readonly WorkerStream[] {
    return [...this.#streams].sort((left, right) => left.ordinal - right.ordinal);
  }

  /**
   * Work that waits for a stream, by kind, name and version. Looks through all of it: what is void
   * waits for nobody.
   */
  *readyNames(): Generator<ReadyName> {
    for (const queue of Object.values(this.#queues)) {
      queue.dropVoid((item) => this.#owner.isVoid(item));
      yield* queue.names();
    }
  }

  *readyItems(): Generator<ReadyItem> {
    for (const queue of Object.values(this.#queues)) yield* queue.items();
  }

  connect(request: GetWorkItemsRequest, connection: WorkerConnection): WorkerStream {
    if (this.#closing !== undefined) throw this.#closing;
    const source = {
      claim: (stream: WorkerStream) => this.#claim(stream),
      closed: (stream: WorkerStream) => this.#closed(stream),
    };
    this.#connected += 1;
    const stream = new WorkerStream(request, connection, source, {
      clock: this.#clock,
      pingMs: this.#pingMs,
      ordinal: this.#connected,
    });
    this.#streams.add(stream);
    return stream;
  }

  offer(item: ReadyItem): void {
    this.#enqueue(item);
    for (const stream of this.#streams) {
      if (!stream.waiting || !stream.hasCredit(item.kind) || !stream.accepts(item)) continue;
      if (!stream.feed()) continue;
      this.#streams.delete(stream);
      this.#streams.add(stream);
      return;
    }
  }

  /** A stream waits for such work this moment. */
  isWanted(work: Pick<ReadyItem, "kind" | "name" | "version">): boolean {
    for (const stream of this.#streams) {
      if (stream.waiting && stream.hasCredit(work.kind) && stream.accepts(work)) return true;
    }
    return false;
  }

  /** Streams that wait get what there is for them, or have more fetched. */
  feedAll(): void {
    for (const stream of [...this.#streams]) stream.feed();
  }

  /** Nothing is handed out any more; open streams stay open for what they have. */
  stopClaims(reason: Error): void {
    this.#closing = reason;
  }

  /** Ends all streams with the reason given to `stopClaims`. */
  endStreams(): void {
    for (const stream of [...this.#streams]) stream.end(this.#closing);
  }

  /** Marks the streams of a connection that is gone: their leases need no grace. */
  connectionClosed(connection: string): void {
    for (const stream of this.#streams) {
      if (stream.connection === connection) stream.connectionLost = true;
    }
  }

  /**
   * Takes out what may not be handed out any more, without waiting for a stream that would take it.
   *
   * @param isHeld sets aside what it says true of
   */
  setAside(isHeld: (item: ReadyItem) => boolean): void {
    for (const queue of Object.values(this.#queues)) {
      queue.dropVoid((item) => this.#owner.isVoid(item) || isHeld(item));
    }
  }

  clear(): void {
    for (const queue of Object.values(this.#queues)) queue.clear();
  }

  /** Looking for void items each time the queue has doubled costs a constant for each item. */
  #enqueue(item: ReadyItem): void {
    const queue = this.#queues[item.kind];
    queue.push(item);
    if (queue.size < this.#sweepAt[item.kind]) return;
    queue.dropVoid((queued) => this.#owner.isVoid(queued));
    this.#sweepAt[item.kind] = Math.max(sweepItemsMin, queue.size * 2);
  }

  #claim(stream: WorkerStream): Uint8Array | undefined {
    if (this.#closing !== undefined) return undefined;
    for (const kind of kindsAfter[stream.lastKind]) {
      while (stream.hasCredit(kind)) {
        const item = this.#queues[kind].take((next) => this.#suits(next, stream));
        if (item === undefined) break;
        const bytes = this.#owner.handOut(item, stream);
        if (bytes === undefined) continue;
        stream.lastKind = kind;
        if (this.#queues[kind].size < fewItems) this.#runningOut(stream);
        return bytes;
      }
    }
    this.#runningOut(stream);
    return undefined;
  }

  #runningOut(stream: WorkerStream): void {
    const { turn, activity, batch } = this.#queues;
    this.#owner.runningOut(stream, turn.size + activity.size + batch.size < fewItems);
  }

  /**
   * A stream that gave the item back gets it again only if no other one would take it now (trap
   * T37). One that does not read, or has enough, must not keep it from running.
   */
  #suits(item: ReadyItem, stream: WorkerStream): boolean {
    if (!stream.accepts(item)) return false;
    if (!canBeSent(stream, item)) return !this.#isForAnother(item);
    if (item.avoid !== stream) return true;
    for (const other of this.#streams) {
      if (other === stream || !other.waiting) continue;
      if (other.hasCredit(item.kind) && other.accepts(item) && canBeSent(other, item)) return false;
    }
    return true;
  }

  /** A stream can be sent it, now or later. What nobody can be sent is for its owner to end. */
  #isForAnother(item: ReadyItem): boolean {
    for (const other of this.#streams) {
      if (other.accepts(item) && canBeSent(other, item)) return true;
    }
    return false;
  }

  #closed(stream: WorkerStream): void {
    this.#streams.delete(stream);
    this.#owner.streamClosed(stream);
  }
}

function canBeSent(stream: WorkerStream, { size }: ReadyItem): boolean {
  return size === undefined || suitsWorker(stream, size);
}

/** The kind that a stream got last comes last. */
const kindsAfter: Readonly<Record<Lease["kind"], readonly Lease["kind"][]>> = {
  turn: ["activity", "batch", "turn"],
  activity: ["batch", "turn", "activity"],
  batch: ["turn", "activity", "batch"],
};
