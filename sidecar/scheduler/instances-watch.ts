/**
 * A watch of the instances of a hub: what there is, then what changes. It is pulled: of the changes
 * between two pulls each instance is answered once, as it is now.
 */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Coverable } from "../engine/hub/covers.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import type { SteadyClock } from "../foundation/clock.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type ChangeFeed, HUB_HOLDS } from "./change-feed.ts";
import type { InstanceReader } from "./instance-reader.ts";
import type { WatchView } from "./instance-watch.ts";
import type { CompiledFilter } from "./query-filter.ts";
import type { Shown } from "./shown.ts";
import type { Subscription } from "./subscription.ts";
import type { WatchFilter } from "./watch-filter.ts";

export interface InstancesWatchRequest {
  readonly filter: WatchFilter;
  /** Empty, or from an answer of an earlier watch; one that cannot be used is as good as none. */
  readonly resumeToken: string;
  /** At least so long between two answers about the same instance. */
  readonly minIntervalMs: number;
}

/** `token` is empty before the snapshot is complete. */
export type InstancesAnswer<T> =
  | { readonly event: "reset" }
  | { readonly event: "live"; readonly token: string }
  | {
      readonly event: "instance";
      readonly view: T;
      readonly skipped: number;
      readonly token: string;
    }
  | {
      readonly event: "removed";
      readonly instanceId: string;
      readonly skipped: number;
      readonly token: string;
    }
  | { readonly event: "holds"; readonly holds: readonly HubHold[]; readonly token: string };

/** What a watch needs of its hub. */
export interface WatchedHub {
  readonly feed: ChangeFeed;
  readonly reader: InstanceReader;
  readonly clock: SteadyClock;
  now(): Timestamp;
  /** Tree and selector holds that cover a subject now. */
  covering(subject: Coverable): readonly HubHold[];
  /** All of them, as decided. */
  holds(): readonly HubHold[];
  /** Resolves when everything that is decided is durable. */
  allDurable(): Promise<void>;
  /** Ids of instances, all that match and maybe others: what is durable when it is asked. */
  instanceIds(filter: CompiledFilter): AsyncIterable<string>;
}

/**
 * Where a reader is. Changes from `start` up to `end` are one batch, in which each instance is
 * answered at its newest change; `next` is the first one that was not looked at.
 */
interface Place {
  readonly start: number;
  readonly next: number;
  readonly end: number;
}

export class InstancesWatch<T> {
  readonly #hub: WatchedHub;
  readonly #request: InstancesWatchRequest;
  readonly #view: WatchView<T>;
  readonly #signal: AbortSignal;
  /**
   * Instances that were shown with changes that are to come in the feed, and the sequence before
   * which all are shown. Bounded: without its entry an instance is only shown once more.
   */
  #ahead = new Map<string, number>();
  #silent = 0;

  constructor(
    hub: WatchedHub,
    request: InstancesWatchRequest,
    view: WatchView<T>,
    signal: AbortSignal,
  ) {
    this.#hub = hub;
    this.#request = request;
    this.#view = view;
    this.#signal = signal;
  }

  /**
   * Never ends by itself.
   *
   * @throws the signal's reason when the call ends; what `ChangeFeed.endAll` was given at shutdown
   */
  async *answers(): AsyncGenerator<InstancesAnswer<T>> {
    const { feed, clock } = this.#hub;
    const { minIntervalMs } = this.#request;
    using reader = feed.subscribe();
    let place = this.#readToken();
    if (place !== undefined) yield { event: "live", token: this.#tokenOf(place) };
    for (;;) {
      let answered: boolean;
      if (place === undefined || !feed.reaches(place.start)) {
        place = yield* this.#snapshot(reader);
        yield { event: "live", token: this.#tokenOf(place) };
        answered = true;
      } else {
        await feed.next(reader, place.next, this.#signal);
        ({ place, answered } = yield* this.#batch(reader, place));
      }
      if (answered && minIntervalMs > 0) await reader.pause(minIntervalMs, clock, this.#signal);
    }
  }

  /** Everything that there is. What changes meanwhile comes behind it. */
  async *#snapshot(reader: Subscription): AsyncGenerator<InstancesAnswer<T>, Place> {
    const { feed, filter } = { ...this.#hub, ...this.#request };
    yield { event: "reset" };
    const start = feed.end;
    this.#ahead = new Map();
    // Only what is durable is found below: this waits until all changes before `start` are.
    const holds = await this.#readHolds(start);
    if (holds.length > 0) yield { event: "holds", holds, token: "" };
    for await (const instanceId of this.#hub.instanceIds(filter.compiled)) {
      await this.#breathe(reader);
      const seen = await this.#look(instanceId, undefined, start);
      if (seen?.event !== "instance") continue;
      this.#silent = 0;
      yield { event: "instance", view: seen.view, skipped: 0, token: "" };
    }
    return { start, next: start, end: start };
  }

  /** The durable changes that there are now. Ends early when the feed has overtaken it. */
  async *#batch(
    reader: Subscription,
    from: Place,
  ): AsyncGenerator<InstancesAnswer<T>, { place: Place; answered: boolean }> {
    const { feed } = this.#hub;
    const { start, end } = from.next < from.end ? from : { start: from.next, end: feed.durableEnd };
    const shown = this.#ahead;
    if (from.next >= from.end) this.#ahead = new Map();
    let answered = false;
    for (let next = from.next; next < end; next += 1) {
      await this.#breathe(reader);
      if (!feed.reaches(start)) return { place: { start, next, end }, answered };
      const { instanceId, newer } = feed.at(next);
      const shownBefore = shown.get(instanceId) ?? 0;
      if (newer < end || next < shownBefore) continue;
      const since = Math.max(start, shownBefore);
      if (instanceId !== HUB_HOLDS && !this.#request.filter.mayWant(instanceId)) continue;
      const answer = await this.#answer(instanceId, next, since, end);
      if (answer === undefined) continue;
      answered = true;
      this.#silent = 0;
      yield { ...answer, token: this.#tokenOf({ start, next: next + 1, end }) };
    }
    return { place: { start: end, next: end, end }, answered };
  }

  async #answer(instanceId: string, newest: number, since: number, end: number) {
    if (instanceId === HUB_HOLDS) {
      return { event: "holds", holds: await this.#readHolds(end) } as const;
    }
    const { oldest, count } = this.#changesOf(newest, since);
    const seen = await this.#look(instanceId, oldest, end);
    if (seen === undefined) return undefined;
    const { later, ...shown } = seen;
    return { ...shown, skipped: count - 1 + later };
  }

  /** Changes of one instance from `since` to `newest`, and what it was before them. */
  #changesOf(newest: number, since: number): { oldest: Shown | undefined; count: number } {
    const { feed } = this.#hub;
    let change = feed.at(newest);
    let count = 1;
    // The feed may have gone on while the instance was loaded.
    const from = Math.max(since, feed.first);
    for (; change.older >= from; count += 1) change = feed.at(change.older);
    return { oldest: change.before, count };
  }

  /**
   * What there is to be said of an instance that was `before`; nothing if it is not wanted.
   *
   * @param end changes from here on come later; those that are decided are in what is said
   */
  async #look(instanceId: string, before: Shown | undefined, end: number) {
    const { filter } = this.#request;
    if (!filter.mayWant(instanceId)) return undefined;
    return await this.#hub.reader.look(instanceId, (state) => {
      const covering = state === undefined ? none : this.#covering(state);
      const now = this.#hub.now();
      const wasWanted = before !== undefined && filter.wanted(instanceId, before, covering, now);
      if (!wasWanted && !(state !== undefined && filter.wants(state, covering, now))) {
        return undefined;
      }
      const later = this.#takeAhead(instanceId, end);
      if (state === undefined) return { event: "removed", instanceId, later } as const;
      return { event: "instance", view: this.#view(state, covering), later } as const;
    });
  }

  #covering(state: InstanceState): readonly HubHold[] {
    return isTerminal(state) ? none : this.#hub.covering(state);
  }

  /** Remembers that changes behind `end` are shown already. Returns how many. */
  #takeAhead(instanceId: string, end: number): number {
    const { feed } = this.#hub;
    const newest = feed.newestOf(instanceId);
    if (newest < end) return 0;
    if (this.#ahead.size < aheadMax) this.#ahead.set(instanceId, newest + 1);
    return this.#changesOf(newest, end).count;
  }

  async #readHolds(end: number): Promise<readonly HubHold[]> {
    const holds = [...this.#hub.holds()];
    this.#takeAhead(HUB_HOLDS, end);
    await this.#hub.allDurable();
    return holds;
  }

  /** A reader that finds nothing for itself lets others go on now and then. */
  async #breathe(reader: Subscription): Promise<void> {
    reader.check(this.#signal);
    this.#silent += 1;
    if (this.#silent % silentMax === 0) await nextLoopTurn();
  }

  #tokenOf({ start, next, end }: Place): string {
    const { feed } = this.#hub;
    const parts = [feed.id, this.#request.filter.checksum, start, next, end];
    return Buffer.from(parts.join(" ")).toString("base64url");
  }

  #readToken(): Place | undefined {
    const { feed } = this.#hub;
    const { resumeToken, filter } = this.#request;
    if (resumeToken === "") return undefined;
    const [id, checksum, ...numbers] = Buffer.from(resumeToken, "base64url").toString().split(" ");
    if (id !== feed.id || checksum !== filter.checksum) return undefined;
    const [start = -1, next = -1, end = -1] = numbers.map(Number);
    // Nothing seals a token: any text may stand in it, also a number between two changes.
    if (![start, next, end].every(Number.isSafeInteger)) return undefined;
    const isInOrder = feed.reaches(start) && start <= next && next <= end && end <= feed.durableEnd;
    return isInOrder ? { start, next, end } : undefined;
  }
}

const none: readonly HubHold[] = [];

/** How many instances a reader remembers as shown ahead of the feed. */
const aheadMax = 1_024;

/** How many changes that are not for it a reader looks at in one turn of the event loop. */
const silentMax = 256;
