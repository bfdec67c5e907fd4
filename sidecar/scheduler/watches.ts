/**
 * The watches of one task hub: what they are told, and what tells them. Nothing is polled, and no
 * alarm is set but for an interval that a reader has asked for.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Coverable, isActive } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { Ids } from "../foundation/ids.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { CommitPosition, StorageNumber, Store } from "../store/store.ts";
import { type HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { ChangeFeed, HUB_HOLDS } from "./change-feed.ts";
import type { Head } from "./head.ts";
import type { InstanceReader, Waited } from "./instance-reader.ts";
import {
  type InstanceAnswer,
  type InstanceWatchRequest,
  type WatchView,
  watchInstance,
} from "./instance-watch.ts";
import {
  type InstancesAnswer,
  InstancesWatch,
  type InstancesWatchRequest,
} from "./instances-watch.ts";
import { listedIds } from "./listed-ids.ts";
import type { CompiledFilter } from "./query-filter.ts";
import { isShown, shownOf } from "./shown.ts";
import type { Waiters } from "./waiters.ts";

/** The part of the log of a hub that watches depend on. */
export interface WatchedLog {
  readonly number: StorageNumber | undefined;
  readonly position: CommitPosition;
  readonly state: { readonly incarnation: string } | undefined;
  readonly holds: readonly HubHold[];
  holdsOn(subject: Coverable, now: Timestamp): readonly HubHold[];
}

export interface WatchesOptions {
  readonly store: Store;
  readonly hub: WatchedLog;
  readonly reader: InstanceReader;
  readonly waiters: Waiters;
  readonly clock: SteadyClock;
  readonly ids: Ids;
  readonly now: () => Timestamp;
  /** How many changes are kept; for tests. */
  readonly changesMax?: number | undefined;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #feed: ChangeFeed;
  #count = 0;
  /** The newest commit that touched an instance. */
  #position: CommitPosition = 0;
  /** Holds of the hub, and whether they had begun, when the log was at `#holdsPosition`. */
  #holds: ReadonlyMap<HubHold, boolean>;
  #holdsPosition: CommitPosition;
  /** Changed holds whose watchers have not been woken. */
  #toWake: { readonly hold: HubHold; readonly position: CommitPosition }[] = [];

  constructor(options: WatchesOptions) {
    const { ids, changesMax, hub } = options;
    this.#options = options;
    this.#feed = new ChangeFeed(ids, changesMax);
    this.#holds = this.#begunHolds();
    this.#holdsPosition = hub.position;
  }

  /** How many streams there are. */
  get count(): number {
    return this.#count;
  }

  /** @see watchInstance. @throws HubError "limit-exceeded" */
  async *instance<T>(
    request: InstanceWatchRequest,
    view: WatchView<T>,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceAnswer<T>> {
    const { reader, waiters, clock, hub } = this.#options;
    using _seat = this.#seat();
    const incarnation = () => hub.state?.incarnation ?? "";
    const covering = (subject: Coverable) => this.#covering(subject);
    yield* watchInstance({ reader, waiters, clock, incarnation, covering }, request, view, signal);
  }

  /** @see InstancesWatch.answers. @throws HubError "limit-exceeded" */
  async *instances<T>(
    request: InstancesWatchRequest,
    view: WatchView<T>,
    signal: AbortSignal,
  ): AsyncGenerator<InstancesAnswer<T>> {
    const { reader, clock, store, hub, now } = this.#options;
    using _seat = this.#seat();
    const watched = {
      feed: this.#feed,
      reader,
      clock,
      now,
      covering: (subject: Coverable) => this.#covering(subject),
      holds: () => {
        this.#lookAtHolds();
        return hub.holds;
      },
      allDurable: () => store.whenDurable(Math.max(this.#position, hub.position)),
      instanceIds: (filter: CompiledFilter) => this.#instanceIds(filter),
    };
    yield* new InstancesWatch(watched, request, view, signal).answers();
  }

  /** @see InstanceReader.waitAtMost. @param timeoutMs undefined: as long as the call lives */
  waitAtMost<T>(
    instanceId: string,
    done: (state: InstanceState) => boolean,
    view: WatchView<T>,
    timeoutMs: number | undefined,
    signal: AbortSignal,
  ): Promise<Waited<T>> {
    const { reader, clock } = this.#options;
    const timeout = timeoutMs === undefined ? undefined : { clock, ms: timeoutMs };
    const seen = (state: InstanceState) => view(state, this.#covering(state));
    return reader.waitAtMost(instanceId, done, seen, timeout, signal);
  }

  /** A commit that touched the head is appended: what is visible of it may have changed. */
  decided(head: Head, position: CommitPosition): void {
    this.#position = position;
    const { instanceId, shown, state } = head;
    if (state === undefined ? shown === undefined : shown !== undefined && isShown(shown, state)) {
      return;
    }
    head.shown = state && shownOf(state);
    this.#options.waiters.changed(instanceId);
    const kind = state?.kind ?? shown?.kind;
    if (kind === Kind.ORCHESTRATION) this.#feed.note(instanceId, shown, position);
  }

  /** A hold of the hub, which is on its way out, holds the instance no more. */
  letThrough({ instanceId, state }: Head): void {
    this.#options.waiters.changed(instanceId);
    this.#options.waiters.notify(instanceId, state);
  }

  /** Commits have become durable. */
  durable(): void {
    this.#feed.settle(this.#options.store.durablePosition);
  }

  /** A commit that changed the hub itself has become durable, or a hold of it has begun. */
  holdsChanged(): void {
    const { store, waiters } = this.#options;
    this.#lookAtHolds();
    this.durable();
    const { durablePosition } = store;
    const durable = this.#toWake.filter(({ position }) => position <= durablePosition);
    this.#toWake = this.#toWake.filter(({ position }) => position > durablePosition);
    waiters.notifyAll(durable.map(({ hold }) => hold));
  }

  /** It is durable that the hub was deleted. */
  hubDeleted(): void {
    this.#feed.clear();
  }

  /** Ends the streams of the hub; those of one instance end with the waiters. */
  endAll(reason: Error): void {
    this.#feed.endAll(reason);
  }

  /** Also makes sure that what it says is counted as a change. */
  #covering(subject: Coverable): readonly HubHold[] {
    this.#lookAtHolds();
    return this.#options.hub.holdsOn(subject, this.#options.now());
  }

  /** Notes which holds of the hub are other ones than the last time, and which have begun. */
  #lookAtHolds(): void {
    const { hub, waiters } = this.#options;
    const { position } = hub;
    // Also one that has begun: again, when the clock is set back.
    const mayBegin = this.#holds.keys().some(({ startsAt }) => startsAt !== undefined);
    if (position === this.#holdsPosition && !mayBegin) return;
    const before = this.#holds;
    const after = this.#begunHolds();
    this.#holds = after;
    this.#holdsPosition = position;
    const all = [...new Set([...before.keys(), ...after.keys()])];
    const changed = all.filter((hold) => before.get(hold) !== after.get(hold));
    if (changed.length === 0) return;
    this.#feed.note(HUB_HOLDS, undefined, position);
    // One that has not begun is not a hold of anything.
    const felt = changed.filter((hold) => before.get(hold) || after.get(hold));
    waiters.holdsChanged(felt);
    for (const hold of felt) this.#toWake.push({ hold, position });
  }

  #begunHolds(): ReadonlyMap<HubHold, boolean> {
    const { hub, now } = this.#options;
    const time = now();
    return new Map(hub.holds.map((hold) => [hold, isActive(hold, time)]));
  }

  async *#instanceIds(filter: CompiledFilter): AsyncGenerator<string> {
    const { store, hub } = this.#options;
    if (hub.number !== undefined) yield* listedIds(store, hub.number, filter);
  }

  #seat(): Disposable {
    if (this.#count >= LIMITS.watchersMax) {
      throw new HubError("limit-exceeded", `more than ${LIMITS.watchersMax} watches are open`);
    }
    this.#count += 1;
    return { [Symbol.dispose]: () => (this.#count -= 1) };
  }
}
