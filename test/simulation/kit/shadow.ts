/**
 * What the disk says, followed from write to write: every instance as its log tells it, and the rows
 * beside it. It is the truth that answers of the process are compared with.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { evolve } from "../../../sidecar/engine/evolve.ts";
import { evolveHub } from "../../../sidecar/engine/hub/evolve-hub.ts";
import type { HubState } from "../../../sidecar/engine/hub/hub-state.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { toStoredState } from "../../../sidecar/engine/stored-state.ts";
import { decodeLogRecord } from "../../../sidecar/store/entry-codec.ts";
import { unseal } from "../../../sidecar/store/envelope.ts";
import type { OrderedBytes, Write } from "../../../sidecar/store/ordered/bytes.ts";
import { KIND } from "../../../sidecar/store/ordered/key-parts.ts";
import {
  dueKeyParts,
  hubNameOf,
  instanceIdOf,
  logGenerationOf,
  logSequenceOf,
  numberOf,
} from "../../../sidecar/store/ordered/keys.ts";
import type { Entry, Header } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  InstanceStateSchema,
  type StoredEvent,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  HubRowSchema,
  InstanceAddressSchema,
  InstanceRowSchema,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";

export interface Life {
  readonly number: bigint;
  /** Storage number of its hub, as its row says. */
  hub: bigint;
  state: InstanceState;
  /** History of the current generation. */
  history: StoredEvent[];
  /** Entries that have arrived since the last look. */
  fresh: Entry[];
  /** Its last entry is there: purged or replaced. */
  isOver: boolean;
  /** When, and why. */
  ended: Header | undefined;
}

export interface Address {
  readonly hub: bigint;
  readonly instanceId: string;
}

export interface DueAt extends Address {
  readonly seconds: bigint;
  readonly nanos: number;
}

export class Shadow {
  readonly lives = new Map<bigint, Life>();
  readonly hubs = new Map<string, bigint>();
  readonly hubStates = new Map<bigint, HubState>();
  /** Rows of instances by hub and id. */
  readonly rows = new Map<string, { readonly number: bigint; readonly generation: number }>();
  readonly ready = new Map<bigint, Address>();
  /** Due rows by key, and how many each instance has. */
  readonly due = new Map<string, DueAt & { readonly number: bigint }>();
  readonly garbage = new Set<bigint>();
  /** Lives that the writes since the last look have touched. */
  readonly touched = new Set<bigint>();
  readonly #dueKeys = new Map<bigint, Set<string>>();

  /** The disk as it is. */
  static async of(bytes: OrderedBytes): Promise<Shadow> {
    const shadow = new Shadow();
    const all = { from: Buffer.of(0), to: Buffer.of(255) };
    const rows = await bytes.rows(all);
    shadow.apply(rows.map(([key, value]) => ({ type: "put", key, value })));
    return shadow;
  }

  find(hubName: string, instanceId: string): Life | undefined {
    const hub = this.hubs.get(hubName);
    const row = hub === undefined ? undefined : this.rows.get(rowKey(hub, instanceId));
    return row && this.lives.get(row.number);
  }

  row(address: Address) {
    return this.rows.get(rowKey(address.hub, address.instanceId));
  }

  dueOf(number: bigint): readonly DueAt[] {
    const found: DueAt[] = [];
    for (const key of this.#dueKeys.get(number) ?? []) {
      const row = this.due.get(key);
      if (row !== undefined) found.push(row);
    }
    return found;
  }

  apply(writes: readonly Write[]): void {
    // Logs first: rows are looked at when all of the group is there.
    for (const write of writes) if (write.key[0] === KIND.log) this.#log(write);
    for (const write of writes) if (write.key[0] !== KIND.log) this.#row(write);
  }

  #log(write: Write): void {
    if (write.type === "del") return;
    const number = numberOf(write.key);
    const generation = logGenerationOf(write.key);
    let sequence = logSequenceOf(write.key);
    const record = decodeLogRecord(write.value, `log ${number}`);
    for (const entry of record.hubEntries) {
      const state = evolveHub(this.hubStates.get(number), number, sequence, entry);
      this.hubStates.set(number, state);
      sequence += 1;
    }
    for (const entry of record.entries) {
      this.#entry(number, generation, sequence, entry);
      sequence += 1;
    }
  }

  #entry(number: bigint, generation: number, sequence: number, entry: Entry): void {
    const life = this.lives.get(number);
    if (life?.isOver) throw new Error(`log ${number} goes on behind its end`);
    // A log that is being collected as garbage begins somewhere.
    if (life === undefined && entry.base === undefined) return;
    this.touched.add(number);
    if (entry.death !== undefined) {
      if (life !== undefined) {
        life.isOver = true;
        life.ended = entry.header;
      }
      return;
    }
    const history = entry.base === undefined && life !== undefined ? life.history : [];
    const state = evolve(life?.state, number, sequence, entry, (event) => history.push(event));
    if (state.generation !== generation) throw new Error(`log ${number} is in another generation`);
    if (life === undefined) {
      const begun = { number, hub: 0n, state, history, fresh: [entry] };
      this.lives.set(number, { ...begun, isOver: false, ended: undefined });
    } else {
      life.state = state;
      life.history = history;
      life.fresh.push(entry);
    }
  }

  #row(write: Write): void {
    const { key } = write;
    const value = write.type === "put" ? unseal(write.value, "a row") : undefined;
    switch (key[0]) {
      case KIND.hub:
        if (value === undefined) this.hubs.delete(hubNameOf(key));
        else this.hubs.set(hubNameOf(key), fromBinary(HubRowSchema, value).number);
        break;
      case KIND.instance: {
        const place = rowKey(numberOf(key), instanceIdOf(key));
        if (value === undefined) this.rows.delete(place);
        else {
          const { number, generation } = fromBinary(InstanceRowSchema, value);
          this.rows.set(place, { number, generation });
          this.touched.add(number);
          const life = this.lives.get(number);
          if (life !== undefined) life.hub = numberOf(key);
        }
        break;
      }
      case KIND.ready:
        if (value === undefined) this.ready.delete(numberOf(key));
        else this.ready.set(numberOf(key), fromBinary(InstanceAddressSchema, value));
        this.touched.add(numberOf(key));
        break;
      case KIND.due:
        this.#dueRow(key, value);
        break;
      case KIND.garbage:
        if (value === undefined) this.garbage.delete(numberOf(key));
        else this.garbage.add(numberOf(key));
        break;
      default:
    }
  }

  #dueRow(key: Uint8Array, value: Uint8Array | undefined): void {
    const { seconds, nanos, number } = dueKeyParts(key);
    const text = `${seconds}.${nanos} ${number}`;
    let keys = this.#dueKeys.get(number);
    if (keys === undefined) {
      keys = new Set();
      this.#dueKeys.set(number, keys);
    }
    this.touched.add(number);
    if (value === undefined) {
      this.due.delete(text);
      keys.delete(text);
      return;
    }
    const { hub, instanceId } = fromBinary(InstanceAddressSchema, value);
    this.due.set(text, { seconds, nanos, number, hub, instanceId });
    keys.add(text);
  }
}

/** All of a state, to compare: a state goes on changing, this does not. */
export function stateBytes(state: InstanceState): Buffer {
  return Buffer.from(toBinary(InstanceStateSchema, toStoredState(state)));
}

function rowKey(hub: bigint, instanceId: string): string {
  return `${hub} ${instanceId}`;
}
