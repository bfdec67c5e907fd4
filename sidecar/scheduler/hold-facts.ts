/** What is known of the holds on instances without loading them. */
import type { Coverable } from "../engine/hub/covers.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { QueryIndexes, StorageNumber } from "../store/store.ts";
import { type HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { KnownHolds, OwnHolds } from "./query-filter.ts";
import type { CreatedRow } from "./row-sources.ts";

/** Tree and selector holds of a hub. */
export interface HoldLookup {
  readonly hubHolds: readonly HubHold[];
  /** Those that are active now and cover the subject. */
  holdsOn(subject: Coverable): readonly HubHold[];
}

/** Rows of one call that are read to know all holds of all instances. */
const OWN_ROWS_MAX = 1_000;

export class HoldFacts {
  readonly #lookup: HoldLookup;
  /** Own holds of every instance that has some; undefined when there are too many to know them. */
  readonly #own: ReadonlyMap<StorageNumber, OwnHolds> | undefined;
  readonly #hasTrees: boolean;

  private constructor(lookup: HoldLookup, own: ReadonlyMap<StorageNumber, OwnHolds> | undefined) {
    this.#lookup = lookup;
    this.#own = own;
    this.#hasTrees = lookup.hubHolds.some(({ origin }) => origin !== undefined);
  }

  /** Reads own holds, as long as they are few, when there is `work` to spend on it. */
  static async of(
    hub: HoldLookup & { readonly indexes: QueryIndexes },
    number: StorageNumber,
    work: { rows: number } | undefined,
  ): Promise<HoldFacts> {
    if (work === undefined) return new HoldFacts(hub, undefined);
    const limit = Math.min(OWN_ROWS_MAX, LIMITS.queryRowsMax);
    const rows = await hub.indexes.readHeld(number, {}, undefined, limit);
    work.rows -= rows.length;
    if (rows.length === limit) return new HoldFacts(hub, undefined);
    const own = new Map<StorageNumber, { names: string[]; since: OwnHolds["since"] }>();
    for (const { number: held, name, time, row } of rows) {
      const known = own.get(held);
      if (known === undefined) own.set(held, { names: [name], since: row.heldSince ?? time });
      else known.names.push(name);
    }
    return new HoldFacts(hub, own);
  }

  about({ instanceId, row }: CreatedRow): KnownHolds {
    const { number, name, version, tags } = row;
    const own = this.#own === undefined ? "unknown" : this.#own.get(number);
    if (this.#lookup.hubHolds.length === 0) return { own, covering: [], mayHaveMore: false };
    // Ancestors are not among what the row says.
    const about = { kind: Kind.ORCHESTRATION, instanceId, number, name, version, tags };
    const covering = this.#lookup.holdsOn({ ...about, ancestors: [] });
    return { own, covering, mayHaveMore: this.#hasTrees };
  }
}
