/**
 * Calls that wait for an instance to change, and watches of one. Each costs one small object and
 * leaves with its call.
 */
import { type Coverable, covers } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { Subscription, WakeQueue } from "./subscription.ts";

/** Whether a state is worth waking up for; undefined: the instance does not exist (any more). */
export type Interest = (state: InstanceState | undefined) => boolean;

/** A call that waits for a state. */
class Waiter extends Subscription {
  readonly interest: Interest;

  constructor(interest: Interest, leave: (waiter: Subscription) => void) {
    super(leave);
    this.interest = interest;
  }
}

/** A watch of one instance. Whoever watches says what it has looked at. */
export class Watcher extends Subscription {
  /** Visible changes that were decided since the watch began. */
  changes = 0;
  /** `changes` at the moment of the last look: what is beyond it is worth waking up for. */
  looked = 0;
  /** What it has seen, as far as holds of the hub select by it. */
  subject: Coverable | undefined;
}

export class Waiters {
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #toWake = new WakeQueue();
  #waiting = 0;
  #watching = 0;

  get count(): number {
    return this.#waiting + this.#watching;
  }

  /**
   * Subscribe before reading the state, or a change between the two is lost. An instance of 50
   * activities changes a hundred times before it completes: `interest` keeps a waiter asleep.
   *
   * @throws HubError "limit-exceeded"
   */
  subscribe(instanceId: string, interest: Interest): Subscription {
    if (this.#waiting >= LIMITS.waitersMax) {
      throw new HubError("limit-exceeded", `more than ${LIMITS.waitersMax} calls are waiting`);
    }
    const waiter = new Waiter(interest, () => {
      if (remove(this.#waiters, instanceId, waiter)) this.#waiting -= 1;
    });
    add(this.#waiters, instanceId, waiter);
    this.#waiting += 1;
    return waiter;
  }

  /** Like `subscribe`, for every visible change. The caller bounds how many there are. */
  watch(instanceId: string): Watcher {
    const watcher = new Watcher(() => {
      if (remove(this.#watchers, instanceId, watcher)) this.#watching -= 1;
    });
    add(this.#watchers, instanceId, watcher);
    this.#watching += 1;
    return watcher;
  }

  /** A visible change is decided. Nobody wakes: it is not durable yet. */
  changed(instanceId: string): void {
    for (const watcher of this.#watchers.get(instanceId) ?? []) watcher.changes += 1;
  }

  /** A new state is durable. Many that it wakes do so one after another: the loop goes on. */
  notify(instanceId: string, state: InstanceState | undefined): void {
    for (const waiter of this.#waiters.get(instanceId) ?? []) {
      if (waiter.interest(state)) this.#toWake.add(waiter);
    }
    for (const watcher of this.#watchers.get(instanceId) ?? []) {
      if (watcher.changes !== watcher.looked) this.#toWake.add(watcher);
    }
  }

  /** Holds of the hub are others now, but that is not durable yet. One change for each watch. */
  holdsChanged(holds: readonly HubHold[]): void {
    for (const watcher of this.#covered(holds)) watcher.changes += 1;
  }

  /** Holds of the hub have changed, durably. Wakes the watches of what they cover, or all. */
  notifyAll(holds?: readonly HubHold[]): void {
    const woken = holds === undefined ? each(this.#watchers) : this.#covered(holds);
    for (const watcher of [...woken]) this.#toWake.add(watcher);
  }

  /** Ends all waits and watches that there are now, once it is durable that the hub was deleted. */
  async endAll(error: Error, durable: Promise<void>): Promise<void> {
    const subscriptions = [...each(this.#waiters), ...each(this.#watchers)];
    await durable;
    for (const subscription of subscriptions) subscription.end(error);
  }

  *#covered(holds: readonly HubHold[]): Generator<Watcher> {
    for (const watcher of each(this.#watchers)) {
      const { subject } = watcher;
      if (subject !== undefined && holds.some((hold) => covers(hold, subject))) yield watcher;
    }
  }
}

function add<S>(to: Map<string, Set<S>>, instanceId: string, subscription: S): void {
  const others = to.get(instanceId);
  if (others === undefined) to.set(instanceId, new Set([subscription]));
  else others.add(subscription);
}

function remove<S>(from: Map<string, Set<S>>, instanceId: string, subscription: S): boolean {
  const others = from.get(instanceId);
  const wasThere = others?.delete(subscription) ?? false;
  if (others?.size === 0) from.delete(instanceId);
  return wasThere;
}

function* each<S>(among: Map<string, Set<S>>): Generator<S> {
  for (const subscriptions of among.values()) yield* subscriptions;
}
