/** A hub of made-up instances over real index rows, which counts what queries cost. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Coverable, covers, isActive } from "../../sidecar/engine/hub/covers.ts";
import { type InstanceState, newState } from "../../sidecar/engine/state.ts";
import type { QueryableHub } from "../../sidecar/rpc/v1/query-methods.ts";
import { type QueryView, queryChanges, queryViewOf } from "../../sidecar/store/instance-rows.ts";
import { createMemoryStore } from "../../sidecar/store/memory/store.ts";
import type { QueryIndexes, Store } from "../../sidecar/store/store.ts";
import {
  type Hold,
  HoldSchema,
  HoldScope,
  type HubHold,
  Kind,
  Status,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";

const HUB = 1n;

const NOTHING = {
  instancesHeldBack: 0,
  activitiesHeldBack: 0,
  bufferedEvents: 0,
  bufferedBytes: 0,
};

export class QueryWorld implements QueryableHub, AsyncDisposable {
  readonly number = HUB;
  readonly incarnation = "0123456789abcdef0123456789abcdef";
  readonly indexes: QueryIndexes;
  readonly states = new Map<string, InstanceState>();
  hubHolds: HubHold[] = [];
  nowMs = 1_000_000;
  /** Rows that were read, instances that were loaded. */
  rowsRead = 0;
  loads = 0;
  /** What happens after each read of rows, if anything. */
  afterRead: (() => Promise<void>) | undefined;
  readonly #views = new Map<string, QueryView>();
  readonly #store: Store = createMemoryStore();
  #nextNumber = 100n;

  constructor() {
    const store = this.#store;
    this.indexes = {
      readQuery: async (...args) => this.#counted(await store.readQuery(...args)),
      readCompleted: async (...args) => this.#counted(await store.readCompleted(...args)),
      readHeld: async (...args) => this.#counted(await store.readHeld(...args)),
    };
  }

  now(): Timestamp {
    return timestampFromMs(this.nowMs);
  }

  async hubSettled(): Promise<void> {}

  releaseProgress(): undefined {}

  /** This world hands out nothing, so nothing is held back. */
  readonly stillnesses = {
    heldBack: () => ({
      all: NOTHING,
      by: () => NOTHING,
      oldestBufferedAt: () => undefined,
      settled: async () => {},
    }),
  };

  holdsOn(subject: Coverable): readonly HubHold[] {
    return this.hubHolds.filter((hold) => isActive(hold, this.now()) && covers(hold, subject));
  }

  async read<T>(instanceId: string, view: (state: InstanceState) => T): Promise<T | undefined> {
    this.loads += 1;
    const state = this.states.get(instanceId);
    return state && view(state);
  }

  /** A new life, in place of the one that has the id. Resolves when its rows are there. */
  start(instanceId: string, given: Partial<InstanceState> = {}): Promise<void> {
    const number = this.#nextNumber;
    this.#nextNumber += 1n;
    const createdAt = timestampFromMs(this.nowMs);
    const state = newState({
      kind: Kind.ORCHESTRATION,
      number,
      instanceId,
      name: "Main",
      tags: {},
      status: Status.RUNNING,
      createdAt,
      updatedAt: createdAt,
      executionId: "x",
      ...given,
    });
    this.states.set(instanceId, state);
    return this.#write(instanceId);
  }

  change(instanceId: string, changed: Partial<InstanceState>): Promise<void> {
    const state = this.states.get(instanceId);
    if (state === undefined) throw new Error(`there is no instance ${instanceId}`);
    Object.assign(state, changed);
    return this.#write(instanceId);
  }

  finish(instanceId: string, status: Status = Status.COMPLETED): Promise<void> {
    const completedAt = this.now();
    return this.change(instanceId, { status, completedAt, holds: [], heldSince: undefined });
  }

  remove(instanceId: string): Promise<void> {
    this.states.delete(instanceId);
    return this.#write(instanceId);
  }

  hold(
    instanceId: string,
    name: string,
    more: MessageInitShape<typeof HoldSchema> = {},
  ): Promise<void> {
    const { holds = [], heldSince } = this.states.get(instanceId) ?? {};
    const added = holdOf(name, { placedAt: this.now(), ...more });
    return this.change(instanceId, {
      holds: [...holds, added],
      heldSince: heldSince ?? added.placedAt,
    });
  }

  release(instanceId: string, name: string): Promise<void> {
    const { holds = [], heldSince } = this.states.get(instanceId) ?? {};
    const left = holds.filter((hold) => hold.name !== name);
    const since = left.length > 0 ? heldSince : undefined;
    return this.change(instanceId, { holds: left, heldSince: since });
  }

  forgetCosts(): void {
    this.rowsRead = 0;
    this.loads = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]();
  }

  async #write(instanceId: string): Promise<void> {
    const before = this.#views.get(instanceId);
    const state = this.states.get(instanceId);
    const sameLife = before !== undefined && before.number === state?.number;
    const after = state && queryViewOf(state, sameLife ? before : undefined);
    const index = queryChanges(HUB, instanceId, before, after);
    if (after === undefined) this.#views.delete(instanceId);
    else this.#views.set(instanceId, after);
    await this.#store.whenDurable(this.#store.append({ appends: [], index }));
  }

  async #counted<R>(rows: readonly R[]): Promise<readonly R[]> {
    this.rowsRead += rows.length;
    await this.afterRead?.();
    return rows;
  }
}

export function holdOf(name: string, more: MessageInitShape<typeof HoldSchema> = {}): Hold {
  return create(HoldSchema, { name, scope: HoldScope.INSTANCE, ...more });
}
