/**
 * Many purges as one piece of work. Each is a small commit of its own, and none waits for the disk:
 * all of a slice share a flush. Between two slices the run waits until what it has decided is
 * durable, so that the queue of commits stays short, and asks whether it is to go on.
 */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { decidePurge } from "../engine/purge.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CommitPosition, StorageNumber, Store } from "../store/store.ts";
import type { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { Road } from "./road.ts";

export interface PurgeRunOptions {
  readonly heads: Heads;
  readonly road: Road;
  readonly store: Store;
}

/** An instance that is to be purged. */
export interface PurgeTarget {
  readonly instanceId: string;
  /** The life that is meant; undefined: whichever has the id. */
  readonly number: StorageNumber | undefined;
}

/** What kind of run it is. */
export interface PurgeOrder {
  readonly cause: Cause;
  /** Asked between two slices: nothing more is purged once it says so. */
  readonly isOver: () => boolean;
  /** Asked about each finished instance: this one stays. */
  readonly isKept?: (state: InstanceState) => Promise<boolean>;
}

/** Instances that are loaded at once. */
const AT_ONCE = 50;

export class PurgeRun {
  readonly #options: PurgeRunOptions;
  readonly #order: PurgeOrder;
  #deleted = 0;
  #left = 0;
  #inSlice = 0;
  #isOver = false;
  #isCutShort = false;
  /** All that the run has decided, and all that it has seen. */
  #position: CommitPosition = 0;

  constructor(options: PurgeRunOptions, order: PurgeOrder) {
    this.#options = options;
    this.#order = order;
  }

  /** Instances that were deleted. */
  get deleted(): number {
    return this.#deleted;
  }

  /** Finished instances that were to be deleted and stay: kept, or with messages on their way. */
  get left(): number {
    return this.#left;
  }

  /** Nothing more is purged. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The run was over before all was done that it was asked for. */
  get isCutShort(): boolean {
    return this.#isCutShort;
  }

  /** Purges those that have finished, in no order. */
  async purgeAll(targets: readonly PurgeTarget[]): Promise<void> {
    for (let at = 0; at < targets.length; at += AT_ONCE) {
      if (this.#isOver) return this.cutShort();
      const some = targets.slice(at, at + AT_ONCE);
      await Promise.all(
        some.map((target) => this.visit(target, (head) => this.purge(head, target))),
      );
      await this.breathe();
    }
  }

  /** Something is not done that the run was asked for. */
  cutShort(): void {
    this.#isCutShort = true;
  }

  /** Looks at the head of an instance, which is in memory meanwhile. */
  async visit<T>(target: PurgeTarget, look: (head: Head) => Promise<T>): Promise<T> {
    const { heads } = this.#options;
    const isStranger = heads.peek(target.instanceId) === undefined;
    const head = await heads.pin(target.instanceId);
    try {
      return await look(head);
    } finally {
      this.#position = Math.max(this.#position, head.position);
      // What was loaded only for this takes no room from what is in use.
      if (isStranger) heads.dismiss(head);
      else heads.unpin(head);
    }
  }

  /** Purges an instance that is being visited, if it has finished. Waits for its mail only. */
  async purge(head: Head, { number }: PurgeTarget): Promise<void> {
    const { store, road } = this.#options;
    const { cause, isKept } = this.#order;
    this.#inSlice += 1;
    const isMeant = () =>
      head.state !== undefined && (number === undefined || head.state.number === number);
    if (!isMeant()) return;
    if (isKept !== undefined && head.state !== undefined && (await isKept(head.state))) {
      this.#left += 1;
      return;
    }
    // Mail that the instance has sent must reach somebody before the log that holds it goes. It
    // leaves when it is durable.
    const { state } = head;
    if (state !== undefined && isTerminal(state) && state.outbox.length > 0) {
      await store.whenDurable(head.position);
      while (head.mailing !== undefined) await head.mailing;
    }
    // Another life may have taken the id meanwhile.
    if (!isMeant()) return;
    const { kind } = road.decide(head, cause, decidePurge);
    if (kind === "end") this.#deleted += 1;
    if (kind === "refuse") this.#left += 1;
  }

  /** Lets others have their turn; behind a whole slice, waits for the disk. */
  async breathe(): Promise<void> {
    await nextLoopTurn();
    if (this.#inSlice >= LIMITS.purgeSliceMax) await this.endSlice();
  }

  /** Resolves when all that was decided and seen is durable. */
  async endSlice(): Promise<void> {
    this.#inSlice = 0;
    await this.#options.store.whenDurable(this.#position);
    this.#isOver ||= this.#order.isOver();
  }
}
