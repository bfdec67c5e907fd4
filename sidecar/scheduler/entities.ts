/** What clients ask of entities. */
import { decideSignal, type SignalCommand } from "../engine/entity/arrive.ts";
import {
  decideEmptyEntity,
  decideEndEntity,
  decideReleaseOrphan,
  isEmptyEntity,
} from "../engine/entity/care.ts";
import type { EntityState } from "../engine/entity/entity-state.ts";
import type { BufferLimits } from "../engine/raise-event.ts";
import type { Reply } from "../engine/repeat.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { isEntityId } from "../foundation/entity-id.ts";
import { HubError } from "../foundation/errors.ts";
import type { IdRow, Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Commands } from "./commands.ts";
import { type FoundPage, findPage, NOTHING, Work } from "./find-page.ts";
import { batchInFlight, type Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";
import { idRows } from "./row-sources.ts";

/** An entity as it is shown. */
export interface EntityFacts {
  readonly state: InstanceState;
  readonly entity: EntityState;
  /** Operations that wait, without those that a worker has and those whose time has not come. */
  readonly waiting: number;
}

export type EntityView<T> = (facts: EntityFacts) => T;

/** Where a list of entities continues. */
export type EntityPlace = Pick<IdRow, "instanceId">;

export interface EntityQuery<T> {
  /** Of the whole id, in its normal spelling, with the leading @. */
  readonly prefix: string;
  readonly after: EntityPlace | undefined;
  readonly limit: number;
  /** Undefined for one that does not match. */
  readonly view: (facts: EntityFacts) => T | undefined;
  /** Whether the page has room for the item. */
  readonly fits: (item: T) => boolean;
  /** Ends with this. */
  readonly signal: AbortSignal;
}

export interface CleanWish {
  readonly removesEmpty: boolean;
  readonly releasesOrphans: boolean;
  /** Once it is aborted nothing more is done than the slice under way. */
  readonly signal: AbortSignal;
}

export interface Cleaned {
  readonly emptyRemoved: number;
  readonly orphansReleased: number;
}

export interface EntitiesOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly road: Road;
  readonly store: Store;
  readonly commands: Commands;
  readonly bufferLimits: BufferLimits;
  /** What workers have of an entity is void. */
  readonly voidWork: (head: Head) => void;
}

/** Entities that are looked at before others have their turn. */
const slice = 32;

export class Entities {
  readonly #options: EntitiesOptions;

  constructor(options: EntitiesOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the operation is durable; does not wait for anybody to run it.
   *
   * @throws HubError "limit-exceeded"
   */
  signal<Result>(command: SignalCommand, reply: Reply<void, Result>): Promise<Result> {
    const { commands, bufferLimits } = this.#options;
    const { instanceId } = command;
    return commands.onAny(instanceId, Cause.SIGNAL_ENTITY, reply, (state, environment) => ({
      decision: decideSignal(state, command, environment, bufferLimits),
      outcome: () => {},
    }));
  }

  /** What `view` makes of the newest state, once that is durable; undefined when there is none. */
  async read<T>(instanceId: string, view: EntityView<T>): Promise<T | undefined> {
    const { heads, store } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const facts = factsOf(head);
      const seen = facts && view(facts);
      await store.whenDurable(head.position);
      return seen;
    } finally {
      heads.unpin(head);
    }
  }

  /** Entities by the bytes of their ids. */
  async query<T>(query: EntityQuery<T>): Promise<FoundPage<T, EntityPlace>> {
    const { hub, store } = this.#options;
    await store.whenDurable(hub.position);
    if (hub.number === undefined) return NOTHING;
    const { prefix, after, limit, view, fits, signal } = query;
    return findPage({
      source: idRows(store, hub.number, prefix),
      after,
      limit,
      work: Work.until(signal),
      fits,
      mayMatch: ({ instanceId }) => isEntityId(instanceId),
      load: ({ instanceId, number }: IdRow) =>
        this.read(instanceId, (facts) =>
          // Another life may have taken the id since the row was read.
          facts.state.number === number ? view(facts) : undefined,
        ),
    });
  }

  /** Looks at every entity once. What comes meanwhile may be passed over. */
  async clean({ removesEmpty, releasesOrphans, signal }: CleanWish): Promise<Cleaned> {
    const { hub, store } = this.#options;
    let emptyRemoved = 0;
    let orphansReleased = 0;
    await store.whenDurable(hub.position);
    const { number } = hub;
    if (number === undefined) return { emptyRemoved, orphansReleased };
    const source = idRows(store, number, "@");
    const work = Work.until(signal);
    let after: EntityPlace | undefined;
    // Ends with the last entity, with the call, or with the hub.
    for (;;) {
      const { rows, isLast } = await source.read(after, slice);
      const entities = rows.filter(({ instanceId }) => isEntityId(instanceId));
      // Locks first: an entity may have been kept by nothing else.
      if (releasesOrphans) {
        const freed = await Promise.all(entities.map((row) => this.#releaseOrphan(row)));
        orphansReleased += freed.filter(Boolean).length;
      }
      if (removesEmpty) {
        const gone = await Promise.all(entities.map((row) => this.#removeEmpty(row)));
        emptyRemoved += gone.filter(Boolean).length;
      }
      if (isLast || hub.number !== number) return { emptyRemoved, orphansReleased };
      after = rows.at(-1) ?? after;
      await work.breathe();
    }
  }

  /**
   * Deletes an entity with all that it has. Whoever waits for an operation is told that it failed.
   *
   * @returns how many entities were deleted: 0 for one that does not exist
   * @throws HubError "unavailable" when its messages are still on their way
   */
  async purge(instanceId: string): Promise<number> {
    const { heads, road, store } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const { state } = head;
      if (state?.entity === undefined) {
        await store.whenDurable(head.position);
        return 0;
      }
      const emptied = road.decide(head, Cause.CLEAN_ENTITY, (_state, environment) =>
        decideEmptyEntity(state, environment),
      );
      if (emptied.kind === "append") this.#options.voidWork(head);
      // Its messages must reach somebody before the log that holds them goes. They leave when they
      // are durable.
      await store.whenDurable(head.position);
      while (head.mailing !== undefined) await head.mailing;
      const ended = road.decide(head, Cause.PURGE, decideEndEntity);
      await store.whenDurable(head.position);
      if (ended.kind === "refuse") throw new HubError(ended.code, ended.message);
      // What has come meanwhile is for a new entity, which keeps the record.
      return ended.kind === "end" || emptied.kind === "append" ? 1 : 0;
    } finally {
      heads.unpin(head);
    }
  }

  /** Releases a lock whose holder is gone. Nothing can come between the look and the decision. */
  async #releaseOrphan({ instanceId, number }: IdRow): Promise<boolean> {
    const { heads, road, store } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      const holderId = head.state?.entity?.lock?.holder?.instanceId;
      if (holderId === undefined || head.state?.number !== number) return false;
      const holder = await heads.pin(holderId);
      try {
        // It may have passed to somebody else while its holder was loaded.
        const { state } = head;
        if (state?.number !== number || !isOrphaned(state, holder)) return false;
        const decision = road.decide(head, Cause.CLEAN_ENTITY, (_state, environment) =>
          decideReleaseOrphan(state, environment),
        );
        await store.whenDurable(Math.max(head.position, holder.position));
        return decision.kind === "append";
      } finally {
        heads.unpin(holder);
      }
    } finally {
      heads.unpin(head);
    }
  }

  async #removeEmpty({ instanceId, number }: IdRow): Promise<boolean> {
    const { heads, road, store } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      await store.whenDurable(head.position);
      while (head.mailing !== undefined) await head.mailing;
      const { state } = head;
      if (state?.number !== number || !isEmptyEntity(state)) return false;
      const decision = road.decide(head, Cause.CLEAN_ENTITY, decideEndEntity);
      await store.whenDurable(head.position);
      return decision.kind === "end";
    } finally {
      heads.unpin(head);
    }
  }
}

function factsOf(head: Head): EntityFacts | undefined {
  const { state } = head;
  if (state?.entity === undefined) return undefined;
  const { entity } = state;
  const queued = entity.queue.filter(({ item }) => item.case === "operation").length;
  return { state, entity, waiting: queued - (batchInFlight(head)?.taken ?? 0) };
}

/** The holder of the lock is unknown, has ended, or goes on in another execution. */
function isOrphaned({ entity }: InstanceState, { instanceId, state: holder }: Head): boolean {
  const lockedFor = entity?.lock?.holder;
  if (lockedFor?.instanceId !== instanceId) return false;
  if (holder === undefined || holder.entity !== undefined || isTerminal(holder)) return true;
  return lockedFor.executionId !== "" && lockedFor.executionId !== holder.executionId;
}
