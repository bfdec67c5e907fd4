/** How the instances of one hub get on, as far as they are in memory: the result of one pass. */
import { isHeld, isTerminal } from "../engine/status.ts";
import { AGE_BOUNDS, Tally } from "../foundation/tally.ts";
import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { nanosecondsBetween } from "../wire/timestamp.ts";
import type { WorkKind } from "./figures.ts";
import type { Head } from "./head.ts";
import type { ScannedHub } from "./scanned-hub.ts";
import { activityVersion } from "./work-filter.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** Work that has not moved for longer is reported. */
export const NO_PROGRESS_SECONDS = 300;

export interface Progress {
  /** Work that connected workers accept, and that has not moved for long. */
  readonly notProgressing: number;
  /** How long the one that has waited longest has not moved. */
  readonly notProgressingOldestSeconds: number;
  /** Since when instances wait that wait only for something from outside, in seconds. */
  readonly waitingForEvents: Tally;
}

export class HubProgress {
  readonly #hub: ScannedHub;
  readonly #streams: readonly WorkerStream[];
  readonly #accepted = new Map<string, boolean>();
  readonly #waitingForEvents = new Tally(AGE_BOUNDS);
  #notProgressing = 0;
  #oldest = 0;

  constructor(hub: ScannedHub) {
    this.#hub = hub;
    this.#streams = hub.streams();
  }

  look(head: Head): void {
    const { state } = head;
    if (state === undefined || isHeld(state) || isTerminal(state)) return;
    const age = Math.max(0, Number(nanosecondsBetween(state.updatedAt, this.#hub.now)) / 1e9);
    if (isWaitingForEvents(head)) this.#waitingForEvents.add(age);
    if (age <= NO_PROGRESS_SECONDS || this.#streams.length === 0) return;
    if (!this.#isStuck(head)) return;
    this.#notProgressing += 1;
    this.#oldest = Math.max(this.#oldest, age);
  }

  result(): Progress {
    return {
      notProgressing: this.#notProgressing,
      notProgressingOldestSeconds: this.#oldest,
      waitingForEvents: this.#waitingForEvents,
    };
  }

  /** A turn or batch that should take no time, or an activity that no worker has though one could. */
  #isStuck({ state, turn, activities }: Head): boolean {
    if (state === undefined) return false;
    const { name, version = "" } = state;
    const kind = state.kind === Kind.ENTITY ? "batch" : "turn";
    if (turn !== undefined && this.#isAccepted(kind, name, version)) return true;
    for (const [id, place] of activities) {
      if (place !== "queued" && place !== "delayed") continue;
      const activity = state.activities.get(id);
      if (activity === undefined) continue;
      if (this.#isAccepted("activity", activity.name, activityVersion(activity, state)))
        return true;
    }
    return false;
  }

  #isAccepted(kind: WorkKind, name: string, version: string): boolean {
    const key = `${kind} ${name.length} ${name} ${version}`;
    let accepted = this.#accepted.get(key);
    if (accepted === undefined) {
      accepted = this.#streams.some((stream) => stream.accepts({ kind, name, version }));
      this.#accepted.set(key, accepted);
    }
    return accepted;
  }
}

function isWaitingForEvents({ state, turn, activities }: Head): boolean {
  return (
    // An entity that nobody asks anything is as it should be.
    state?.kind === Kind.ORCHESTRATION &&
    turn === undefined &&
    activities.size === 0 &&
    state.activities.size === 0 &&
    state.inbox.length === 0 &&
    !state.turnWanted &&
    state.outbox.length === 0 &&
    state.timers.size === 0 &&
    !state.startPending &&
    state.pendingTerminate === undefined &&
    [...state.children.values()].every(({ detached }) => detached)
  );
}
