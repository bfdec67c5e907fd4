/** Whether what is held has really stopped: what workers still have, and what is held back. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { covers, coversHub, isActive } from "../engine/hub/covers.ts";
import { freezesNow, hubFreezesOf } from "../engine/hub/hub-freezes.ts";
import { orchestrationOf } from "../engine/kind.ts";
import type { InstanceState } from "../engine/state.ts";
import { isHeld, isTerminal } from "../engine/status.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Store } from "../store/store.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { explain, type Reason } from "./explanation.ts";
import { type Head, leasesOf, queuedIn, turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import { type HeldBackSums, type HeldBackTable, lookAtHeldBack } from "./held-back.ts";
import type { HoldGate } from "./hold-gate.ts";
import type { HubLog } from "./hub-log.ts";
import type { Lease } from "./leases.ts";
import { Subscription } from "./subscription.ts";
import type { WorkDesk } from "./work-desk.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** An instance, and what goes on in it. */
export interface Stillness {
  readonly state: InstanceState;
  /** Trees and windows that hold it now. */
  readonly covering: readonly HubHold[];
  /** What workers have of it. */
  readonly leases: readonly Lease[];
  /** Activities that are queued and not handed out because it is held. */
  readonly activitiesHeldBack: number;
  /** A turn would be handed out if nothing held it. */
  readonly turnHeldBack: boolean;
  /** It is held, and workers have nothing of it. */
  readonly isQuiescent: boolean;
}

/** A tree or window, and what goes on in what it covers. */
export interface HubHoldStillness extends HeldBackSums {
  readonly hold: HubHold;
  readonly isActive: boolean;
  readonly leases: number;
}

/** The same of the whole hub. */
export interface HubStillness extends HeldBackSums {
  readonly holds: readonly HubHoldStillness[];
  readonly leases: readonly Lease[];
  readonly isQuiescent: boolean;
  /** When the oldest event arrived that waits, unless there are too many to look at. */
  oldestBufferedAt(): Timestamp | undefined;
}

export type StillnessOutcome = "quiescent" | "released" | "ended";

export interface StillnessesOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly desk: WorkDesk;
  readonly gate: HoldGate;
  readonly store: Store;
  readonly now: () => Timestamp;
}

/** A call that waits for an instance to be still, or for what a tree or window covers. */
class StillnessWait extends Subscription {
  readonly instanceId: string | undefined;

  constructor(instanceId: string | undefined, leave: () => void) {
    super(leave);
    this.instanceId = instanceId;
  }
}

export class Stillnesses {
  readonly #options: StillnessesOptions;
  readonly #waiting = new Set<StillnessWait>();

  constructor(options: StillnessesOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Something that somebody may wait for here has happened.
   *
   * @param instanceId in this instance; undefined: to the hub
   */
  ring(instanceId?: string): void {
    for (const wait of this.#waiting) {
      if (instanceId === undefined || (wait.instanceId ?? instanceId) === instanceId) wait.wake();
    }
  }

  /** @returns what `view` makes of it; undefined when the instance does not exist */
  async ofInstance<T>(
    instanceId: string,
    view: (stillness: Stillness) => T,
  ): Promise<T | undefined> {
    const { heads, store, hub } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const state = orchestrationOf(head.state);
      const seen = state && view(this.#look(head, state));
      await store.whenDurable(Math.max(head.position, hub.position));
      return seen;
    } finally {
      heads.unpin(head);
    }
  }

  /** @returns what `view` makes of the hub now */
  async ofHub<T>(view: (stillness: HubStillness) => T): Promise<T> {
    const { hub, store } = this.#options;
    const heldBack = this.heldBack();
    const seen = view(this.#lookAtHub(heldBack));
    await Promise.all([heldBack.settled(), store.whenDurable(hub.position)]);
    return seen;
  }

  /** @returns what `view` makes of why an instance waits; undefined when it does not exist */
  async explain<T>(
    instanceId: string,
    view: (state: InstanceState, covering: readonly HubHold[], reasons: readonly Reason[]) => T,
  ): Promise<T | undefined> {
    const { heads, store, hub, desk, now } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const state = orchestrationOf(head.state);
      if (state === undefined) {
        await store.whenDurable(head.position);
        return undefined;
      }
      desk.bringUp(head);
      const at = now();
      const covering = hub.holdsOn(state, at);
      const frozen = covering.some((hold) => freezesNow(hold, at));
      const hubFreezes = hubFreezesOf(hub.state, state, at);
      const streams = desk.streams();
      const situation = { covering, frozen, hubFreezes, streams };
      const reasons = explain(head, state, situation);
      const seen = view(state, covering, reasons);
      await store.whenDurable(Math.max(head.position, hub.position));
      return seen;
    } finally {
      heads.unpin(head);
    }
  }

  /** Worker streams in the order of their connecting, then those that may still answer. */
  workers(): readonly WorkerStream[] {
    const { desk } = this.#options;
    const detached = Array.from(desk.leases(), ({ stream }) => stream);
    return [...new Set([...desk.streams(), ...detached])];
  }

  /** One look at all that is held back, however many holds are asked about. */
  heldBack(): HeldBackTable {
    return lookAtHeldBack(this.#options);
  }

  /** @throws HubError "instance-not-found"; the signal's reason when the call ends */
  async waitForInstance(instanceId: string, signal: AbortSignal): Promise<StillnessOutcome> {
    let existed = false;
    return this.#wait(instanceId, signal, async () => {
      const outcome = await this.ofInstance(instanceId, ({ state, covering, isQuiescent }) => {
        if (isTerminal(state)) return "ended";
        if (!isHeld(state) && covering.length === 0) return "released";
        return isQuiescent ? "quiescent" : "going on";
      });
      if (outcome === undefined && !existed) {
        const id = JSON.stringify(instanceId);
        throw new HubError("instance-not-found", `instance ${id} does not exist`);
      }
      existed = true;
      return outcome ?? "ended";
    });
  }

  /**
   * Waits for what a tree or window covers.
   *
   * @param isIt finds the hold, by its name and origin @param what names it in the error
   * @throws HubError as above
   */
  async waitForHubHold(
    isIt: (hold: HubHold) => boolean,
    what: string,
    signal: AbortSignal,
  ): Promise<StillnessOutcome> {
    const { hub, store, desk, now } = this.#options;
    let existed = false;
    return this.#wait(undefined, signal, async () => {
      const found = hub.holds.find(isIt);
      const isStill =
        found !== undefined && isActive(found, now()) && !isAnyCovered(found, desk.leases());
      await store.whenDurable(hub.position);
      if (found === undefined && !existed) {
        throw new HubError("instance-not-found", `there is no ${what}`);
      }
      existed = true;
      if (found === undefined || found.pacedRelease !== undefined) return "released";
      return isStill ? "quiescent" : "going on";
    });
  }

  /** Ends all waits. */
  close(reason: Error): void {
    for (const wait of this.#waiting) wait.end(reason);
  }

  /** @throws HubError "limit-exceeded" */
  async #wait(
    instanceId: string | undefined,
    signal: AbortSignal,
    look: () => Promise<StillnessOutcome | "going on">,
  ): Promise<StillnessOutcome> {
    if (this.#waiting.size >= LIMITS.waitersMax) {
      throw new HubError("limit-exceeded", `more than ${LIMITS.waitersMax} calls are waiting`);
    }
    using changes = new StillnessWait(instanceId, () => this.#waiting.delete(changes));
    this.#waiting.add(changes);
    // Ends when it is still, when the hold or the instance ends, or with the call.
    for (;;) {
      const outcome = await look();
      if (outcome !== "going on") return outcome;
      await changes.next(signal);
    }
  }

  #look(head: Head, state: InstanceState): Stillness {
    const { hub, now } = this.#options;
    const covering = isTerminal(state) ? [] : hub.holdsOn(state, now());
    const leases = leasesOf(head);
    const isStopped = isHeld(state) || covering.length > 0;
    return {
      state,
      covering,
      leases,
      activitiesHeldBack: isStopped ? queuedIn(head) : 0,
      turnHeldBack:
        isStopped &&
        !isTerminal(state) &&
        turnInFlight(head) === undefined &&
        !state.startPending &&
        (state.inbox.length > 0 || state.turnWanted),
      isQuiescent: isStopped && !isTerminal(state) && leases.length === 0,
    };
  }

  #lookAtHub(heldBack: HeldBackTable): HubStillness {
    const { hub, desk, now } = this.#options;
    const at = now();
    const leases = [...desk.leases()];
    const holds = hub.holds.map((hold) => {
      const active = isActive(hold, at);
      const covered = ({ head }: Lease) => head.state !== undefined && covers(hold, head.state);
      const sums = heldBack.by(hold);
      return { hold, isActive: active, leases: leases.filter(covered).length, ...sums };
    });
    const whole = holds.some(
      ({ hold, isActive: active }) => active && coversHub(hold) && hold.pacedRelease === undefined,
    );
    const isQuiescent = whole && leases.length === 0;
    const { oldestBufferedAt } = heldBack;
    return { holds, leases, isQuiescent, oldestBufferedAt, ...heldBack.all };
  }
}

function isAnyCovered(hold: HubHold, leases: Iterable<Lease>): boolean {
  for (const { head } of leases) {
    if (head.state !== undefined && covers(hold, head.state)) return true;
  }
  return false;
}
