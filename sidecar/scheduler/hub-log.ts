/**
 * The log of a task hub while it is served: its newest decided state, ahead of the disk, and what
 * holds what is in it.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Coverable, covers, isActive } from "../engine/hub/covers.ts";
import { evolveHub, toStoredHub } from "../engine/hub/evolve-hub.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { assert } from "../foundation/assert.ts";
import { LIMITS } from "../foundation/limits.ts";
import { encodeHubEntry } from "../store/entry-codec.ts";
import type { CommitPosition, IndexChange, LogAppend, StorageNumber } from "../store/store.ts";
import type { HubEntry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { GarbageRowSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";

/** A hold that was released, or replaced, by a commit that is not durable yet. */
interface Retiring {
  readonly hold: HubHold;
  readonly position: CommitPosition;
}

const none: readonly HubHold[] = [];

export class HubLog {
  readonly name: string;
  /** The newest commit that changed the hub; what is said of it depends on this one. */
  position: CommitPosition = 0;
  /** Whether the paced release of a hold has let an instance through. The gate knows. */
  isLetThrough: (hold: HubHold, number: StorageNumber) => boolean = () => false;
  #state: HubState | undefined;
  #retiring: Retiring[] = [];
  #lastCovering: readonly HubHold[] = none;
  /** Encoded bytes of entries of this generation, and of its base. */
  #tailBytes = 0;
  #baseBytes = 0;

  constructor(name: string, state: HubState | undefined) {
    this.name = name;
    this.#state = state;
  }

  /** Storage number; undefined until the first write creates the hub, and after its deletion. */
  get number(): StorageNumber | undefined {
    return this.#state?.number;
  }

  get state(): HubState | undefined {
    return this.#state;
  }

  /** The first entry of a hub. */
  begin(number: StorageNumber, entry: HubEntry, to: HubWrites): void {
    const record = encodeHubEntry(entry);
    to.appends.push({ number, generation: 1, sequence: 1, record });
    to.index.push({ index: "hub", name: this.name, row: number });
    this.#state = evolveHub(undefined, number, 1, entry);
    this.#baseBytes = record.length;
    this.#tailBytes = 0;
  }

  /** Adds an entry to a commit and applies it. `finish` follows when its position is known. */
  append(entry: HubEntry, to: HubWrites): readonly HubHold[] {
    const state = this.#existing();
    const { number } = state;
    const before = [...state.holds];
    if (this.#tailBytes > Math.max(LIMITS.hubLogTailBytesMin, 2 * this.#baseBytes)) {
      entry.base = toStoredHub(state);
      entry.base.generation = state.generation + 1;
      const garbage = { number, belowGeneration: entry.base.generation };
      to.index.push({ index: "garbage", row: create(GarbageRowSchema, garbage) });
    }
    const sequence = state.sequence + 1;
    const record = encodeHubEntry(entry);
    const isBase = entry.base !== undefined;
    const generation = entry.base?.generation ?? state.generation;
    to.appends.push({ number, generation, sequence, record });
    this.#baseBytes = isBase ? record.length : this.#baseBytes;
    this.#tailBytes = isBase ? 0 : this.#tailBytes + record.length;
    this.#state = evolveHub(state, number, sequence, entry);
    const kept = new Set(this.#state.holds);
    return before.filter((hold) => !kept.has(hold));
  }

  /** Holds that a commit took away go on holding until it is durable: a crash would bring them back. */
  retire(holds: readonly HubHold[], position: CommitPosition): void {
    for (const hold of holds) this.#retiring.push({ hold, position });
  }

  /** Everything up to this position is durable. */
  settled(position: CommitPosition): void {
    if (this.#retiring.length === 0) return;
    this.#retiring = this.#retiring.filter((retiring) => retiring.position > position);
  }

  /** The last entry: the hub is deleted. */
  end(entry: HubEntry, to: HubWrites): void {
    const { number, generation, sequence } = this.#existing();
    const record = encodeHubEntry(entry);
    to.appends.push({ number, generation, sequence: sequence + 1, record });
    to.index.push(
      { index: "hub", name: this.name, row: undefined },
      { index: "garbage", row: create(GarbageRowSchema, { number, hub: true }) },
    );
    this.#state = undefined;
    this.#retiring = [];
  }

  /** Tree and selector holds as decided, whether they have begun or not. */
  get holds(): readonly HubHold[] {
    return this.#state?.holds ?? [];
  }

  /** All that could hold something: holds as decided, and those whose end is not durable yet. */
  get inForce(): readonly HubHold[] {
    if (this.#retiring.length === 0) return this.holds;
    return [...this.holds, ...this.#retiring.map(({ hold }) => hold)];
  }

  /** Whether anything could hold something. */
  get hasHolds(): boolean {
    return this.holds.length > 0 || this.#retiring.length > 0;
  }

  /** Holds that are in force at `now` and cover the subject, as decided. */
  holdsOn(subject: Coverable, now: Timestamp): readonly HubHold[] {
    return this.holds.filter(
      (hold) =>
        isActive(hold, now) &&
        covers(hold, subject) &&
        !(hold.pacedRelease !== undefined && this.isLetThrough(hold, subject.number)),
    );
  }

  /** The same for the gate: holds whose end is not durable yet go on holding. */
  covering(subject: Coverable, now: Timestamp): readonly HubHold[] {
    if (!this.hasHolds) return none;
    const covering = this.inForce.filter((hold) => isActive(hold, now) && covers(hold, subject));
    // A window covers a million instances with one list, and each of them may be remembered.
    if (!isSame(covering, this.#lastCovering)) this.#lastCovering = covering;
    return this.#lastCovering;
  }

  #existing(): HubState {
    assert(this.#state !== undefined, "the hub exists");
    return this.#state;
  }
}

/** The parts of a commit that a hub writes to. */
export interface HubWrites {
  readonly appends: LogAppend[];
  readonly index: IndexChange[];
}

function isSame(left: readonly HubHold[], right: readonly HubHold[]): boolean {
  return left.length === right.length && left.every((hold, index) => hold === right[index]);
}
