/** Folds the newest generation of one log, and says what does not fit. */
import { clone, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { eventsOfState } from "../../engine/entry-events.ts";
import { evolve } from "../../engine/evolve.ts";
import { evolveHub } from "../../engine/hub/evolve-hub.ts";
import type { HubState } from "../../engine/hub/hub-state.ts";
import type { InstanceState } from "../../engine/state.ts";
import { toStoredState } from "../../engine/stored-state.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { Entry, HubEntry, LogRecord } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import { InstanceStateSchema } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Snapshot } from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { StorageNumber } from "../store.ts";
import { wordsOf } from "./check-findings.ts";

export class LogFold {
  readonly number: StorageNumber;
  readonly generation: number;
  /** The state of an instance; undefined for a hub, and while nothing could be folded. */
  state: InstanceState | undefined;
  hub: HubState | undefined;
  /** Its last entry says that it is over. */
  isOver = false;
  entries = 0;
  /** What is wrong with the log; nothing is folded behind it. */
  problem: string | undefined;
  /** Undefined when there is none, or when the log has not come to it. */
  snapshotProblem: string | undefined;
  readonly #snapshot: Snapshot | undefined;
  #sequence = 0;
  #reachedSnapshot = false;

  constructor(number: StorageNumber, generation: number, snapshot?: Snapshot) {
    this.number = number;
    this.generation = generation;
    this.#snapshot = snapshot;
  }

  /** Takes the put that is keyed by `sequence`. */
  add(sequence: number, record: LogRecord): void {
    if (this.problem !== undefined) return;
    if (this.entries > 0 && sequence !== this.#sequence + 1) {
      this.problem = `entry ${this.#sequence + 1} is missing though later ones are there`;
      return;
    }
    try {
      for (const [index, entry] of record.entries.entries()) this.#add(sequence + index, entry);
      for (const [index, entry] of record.hubEntries.entries()) {
        this.#addHub(sequence + index, entry);
      }
    } catch (error) {
      this.problem = `entry ${this.#sequence} cannot be applied: ${wordsOf(error)}`;
    }
  }

  /** All puts were taken. */
  end(): void {
    const generation = this.state?.generation ?? this.hub?.generation;
    if (generation !== undefined && generation !== this.generation) {
      this.problem ??= `it says that it is generation ${generation}`;
    }
    if (this.#snapshot === undefined || this.#reachedSnapshot || this.problem !== undefined) return;
    this.snapshotProblem = `covers entry ${this.#snapshot.sequence}, and the last one is ${this.#sequence}`;
  }

  #add(sequence: number, entry: Entry): void {
    if (this.#refuses(sequence, entry.base !== undefined)) return;
    if (this.hub !== undefined) throw new Error("it is one of an instance in the log of a hub");
    this.state = evolve(this.state, this.number, sequence, entry);
    this.isOver = entry.death !== undefined;
    if (this.#snapshot !== undefined && Number(this.#snapshot.sequence) === sequence) {
      this.#reachedSnapshot = true;
      this.#compare(this.#snapshot, this.state);
    }
  }

  #addHub(sequence: number, entry: HubEntry): void {
    if (this.#refuses(sequence, entry.base !== undefined)) return;
    if (this.state !== undefined) throw new Error("it is one of a hub in the log of an instance");
    this.hub = evolveHub(this.hub, this.number, sequence, entry);
    this.isOver = entry.deleted;
  }

  #refuses(sequence: number, isBase: boolean): boolean {
    this.#sequence = sequence;
    this.entries += 1;
    if (this.isOver) this.problem ??= `entry ${sequence} stands behind the end`;
    if (this.entries === 1 && !isBase) this.problem ??= "its beginning is missing";
    return this.problem !== undefined;
  }

  /** A snapshot holds small events, and of large ones their length. */
  #compare({ state: stored }: Snapshot, state: InstanceState): void {
    // What is taken out below must not be missing in the state.
    const expected = clone(InstanceStateSchema, toStoredState(state));
    for (const event of eventsOfState(expected)) {
      if (event.event.length <= LIMITS.snapshotInlineBytesMax) continue;
      event.length = event.event.length;
      event.event = new Uint8Array();
    }
    const asRead = fromBinary(InstanceStateSchema, toBinary(InstanceStateSchema, expected));
    if (stored !== undefined && equals(InstanceStateSchema, stored, asRead)) return;
    this.snapshotProblem = `does not equal the state after entry ${this.#sequence}`;
  }
}
