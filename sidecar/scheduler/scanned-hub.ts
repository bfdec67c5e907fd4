/** What the scanner of invariants sees of one task hub, and how it makes what is stranded go on. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { freezesNow } from "../engine/hub/hub-freezes.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import type { DueRow, ReadyRow, StorageNumber, Store } from "../store/store.ts";
import { InstanceAddressSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { Head } from "./head.ts";
import type { HubParts } from "./hub-parts.ts";
import { type HeadSurroundings, type Violation, violations } from "./invariants.ts";
import type { Lease } from "./leases.ts";
import type { ReadyName } from "./ready-queue.ts";
import type { WorkerStream } from "./worker-stream.ts";

export interface ScannedHubOptions {
  readonly name: string;
  readonly store: Store;
  readonly steadyClock: SteadyClock;
  readonly now: () => Timestamp;
}

/** Identities of queued work, by head; a turn or batch has 0. */
export type QueuedWork = ReadonlyMap<Head, ReadonlySet<bigint>>;

export class ScannedHub {
  readonly name: string;
  readonly #parts: HubParts;
  readonly #options: ScannedHubOptions;

  constructor(parts: HubParts, options: ScannedHubOptions) {
    this.name = options.name;
    this.#parts = parts;
    this.#options = options;
  }

  get number(): StorageNumber | undefined {
    return this.#parts.log.number;
  }

  get now(): Timestamp {
    return this.#options.now();
  }

  /** In memory, now. What comes into memory meanwhile may be among them. */
  heads(): Iterable<Head> {
    return this.#parts.heads.all();
  }

  peek(instanceId: string): Head | undefined {
    return this.#parts.heads.peek(instanceId);
  }

  /** Calls that wait for an instance, or for one to be still. */
  get waiters(): number {
    const { waiters, stillnesses } = this.#parts;
    return waiters.count + stillnesses.waiting;
  }

  /** Ready instances that wait outside memory. */
  get postponed(): number {
    return this.#parts.desk.postponed;
  }

  /** What workers have, the oldest first. */
  leases(): Iterable<Lease> {
    return this.#parts.desk.leases();
  }

  streams(): readonly WorkerStream[] {
    return this.#parts.desk.streams();
  }

  /** Work that waits for a worker, counted by kind, name and version. */
  readyNames(): Iterable<ReadyName> {
    return this.#parts.desk.readyNames();
  }

  /** Costs as much as there is queued. */
  queuedWork(): QueuedWork {
    const queued = new Map<Head, Set<bigint>>();
    for (const { head, workId } of this.#parts.desk.readyItems()) {
      const ids = queued.get(head);
      if (ids === undefined) queued.set(head, new Set([workId]));
      else ids.add(workId);
    }
    return queued;
  }

  /** @param queued undefined: what says that it is queued is believed */
  surroundings(head: Head, queued: QueuedWork | undefined): HeadSurroundings {
    const { desk, heads } = this.#parts;
    return {
      now: this.now,
      nowMs: this.#options.steadyClock.nowMs(),
      durablePosition: this.#options.store.durablePosition,
      isHeldByHub: this.#isHeldByHub(head),
      isFrozen: this.#isFrozen(head),
      isPostponed: head.state !== undefined && desk.isPostponed(head.state.number),
      isQueued: (workId) => queued?.get(head)?.has(workId) ?? queued === undefined,
      isInForce: (lease) => desk.isInForce(lease),
      peek: (instanceId) => heads.peek(instanceId),
    };
  }

  /**
   * All that is wrong with what is in memory at this moment, by instance id. For simulations: it
   * looks at everything at once. Between two turns of the event loop nothing may be wrong.
   */
  violations(): ReadonlyMap<string, readonly Violation[]> {
    const queued = this.queuedWork();
    const found = new Map<string, readonly Violation[]>();
    for (const head of this.heads()) {
      const wrong = violations(head, this.surroundings(head, queued));
      if (wrong.length > 0) found.set(head.instanceId, wrong);
    }
    return found;
  }

  /** Somebody takes care of what a ready row stands for. */
  isTakenCareOf({ number, address: { instanceId } }: ReadyRow): boolean {
    const { heads, gate, desk } = this.#parts;
    return (
      heads.peek(instanceId) !== undefined ||
      gate.heldBack.has(instanceId) ||
      desk.isPostponed(number)
    );
  }

  /** The time of an instance that is not in memory may stand still. */
  isPerhapsFrozen({ address: { instanceId } }: Pick<DueRow, "address">): boolean {
    if (this.#parts.heads.peek(instanceId) !== undefined) return true;
    const now = this.now;
    return this.#parts.log.holds.some((hold) => freezesNow(hold, now));
  }

  /** Makes what is stranded in a head go on, as if it had just been loaded. */
  repair(head: Head, found: readonly Violation[]): void {
    const { state } = head;
    if (state === undefined) return;
    const activities: bigint[] = [];
    for (const { stranded, workId } of found) {
      switch (stranded) {
        case "turn":
        case "batch":
          head.turn = undefined;
          break;
        case "activity":
          if (workId === undefined) break;
          head.activities.delete(workId);
          activities.push(workId);
          break;
        case "timer":
          this.#fireNow(head);
          break;
        default:
      }
    }
    this.#parts.flow.goOn(head, { number: state.number, activities, released: true });
  }

  /** Not by another alarm: it may be the alarms that are lost. */
  #fireNow({ instanceId, state, indexed }: Head): void {
    const { background, instanceAlarms } = this.#parts;
    if (state === undefined || indexed?.due === undefined) return;
    const address = create(InstanceAddressSchema, { hub: this.number ?? 0n, instanceId });
    background.run(instanceAlarms.due({ due: indexed.due, number: state.number, address }));
  }

  #isHeldByHub(head: Head): boolean {
    const { gate, log } = this.#parts;
    if (head.releaseSequence > head.durableSequence || gate.heldBack.has(head.instanceId)) {
      return true;
    }
    return head.state !== undefined && log.holdsOn(head.state, this.now).length > 0;
  }

  #isFrozen(head: Head): boolean {
    const { log, instanceAlarms } = this.#parts;
    if (head.state === undefined || instanceAlarms.isFrozen(head.instanceId)) return true;
    const now = this.now;
    return log.holdsOn(head.state, now).some((hold) => freezesNow(hold, now));
  }
}
