/** Counting instances in slices: from rows alone where they say enough. */
import type { InstanceState } from "../engine/state.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { InstanceCursor } from "../store/store.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { InstanceStatus } from "../wire/gen/taskhub/v1/instance_pb.ts";
import { CountDimension } from "../wire/gen/taskhub/v1/query_pb.ts";
import { Work } from "./find-page.ts";
import { HoldFacts } from "./hold-facts.ts";
import { CLASS_OF_STATUS, instanceStatusOf } from "./instance-status.ts";
import { coveringOf, factsOf, type QueryHub } from "./query.ts";
import type { CompiledFilter, KnownHolds } from "./query-filter.ts";
import { type CreatedRow, createdRows } from "./row-sources.ts";

/** A count of instances; what was not asked for is absent. */
export interface Count {
  readonly status: InstanceStatus | undefined;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly holdName: string | undefined;
  count: bigint;
}

export interface CountPage {
  /** The largest first. */
  readonly counts: readonly Count[];
  /** Where the next slice begins; undefined: everything was counted. */
  readonly next: InstanceCursor | undefined;
}

export interface CountOptions {
  readonly filter: CompiledFilter;
  readonly groupBy: ReadonlySet<CountDimension>;
  readonly after: InstanceCursor | undefined;
}

/** One slice of a count. Slices go by (time of creation, instance id). */
export async function countInstances(
  hub: QueryHub,
  { filter, groupBy, after }: CountOptions,
): Promise<CountPage> {
  const { number, indexes } = hub;
  if (number === undefined || filter.classes.length === 0) return { counts: [], next: undefined };
  const asksForHolds =
    filter.asksForHolds ||
    groupBy.has(CountDimension.HOLD) ||
    (groupBy.has(CountDimension.STATUS) && filter.classes.includes("live"));
  const rowsSuffice = !asksForHolds && !filter.asksForState;
  const work = new Work(rowsSuffice ? LIMITS.queryCountedRowsMax : LIMITS.queryRowsMax);
  const holds = await HoldFacts.of(hub, number, asksForHolds ? work : undefined);
  const counter = new Counter(hub, filter, groupBy, holds);
  const source = createdRows(indexes, number, filter.classes, filter.created);
  let place = after;
  // Ends with the last row, or with the work that one call may cost.
  for (;;) {
    const limit = Math.min(CHUNK, Math.floor(work.rows / source.fanOut));
    if (limit === 0 || counter.isFull) return { counts: counter.counts(), next: place };
    const { rows, isLast, cost } = await source.read(place, limit);
    work.rows -= cost;
    for (const slice of slicesOf(rows)) {
      if (work.loads < slice.length) return { counts: counter.counts(), next: place };
      work.loads -= await counter.add(slice);
      place = slice.at(-1) ?? place;
    }
    if (isLast) return { counts: counter.counts(), next: undefined };
  }
}

const CHUNK = 500;
/** Instances loaded at once, at most. */
const SLICE = 32;

function* slicesOf(rows: readonly CreatedRow[]): Generator<readonly CreatedRow[]> {
  for (let at = 0; at < rows.length; at += SLICE) yield rows.slice(at, at + SLICE);
}

class Counter {
  readonly #hub: QueryHub;
  readonly #filter: CompiledFilter;
  readonly #groupBy: ReadonlySet<CountDimension>;
  readonly #holds: HoldFacts;
  readonly #counts = new Map<string, Count>();

  constructor(
    hub: QueryHub,
    filter: CompiledFilter,
    groupBy: ReadonlySet<CountDimension>,
    holds: HoldFacts,
  ) {
    this.#hub = hub;
    this.#filter = filter;
    this.#groupBy = groupBy;
    this.#holds = holds;
  }

  /** More different counts than one answer should have. */
  get isFull(): boolean {
    return this.#counts.size >= LIMITS.queryPageMax;
  }

  counts(): Count[] {
    return [...this.#counts.values()].sort((a, b) => Number(b.count - a.count));
  }

  /** Counts what the rows stand for. Returns how many instances had to be loaded for it. */
  async add(rows: readonly CreatedRow[]): Promise<number> {
    const unclear = rows.filter((row) => !this.#addRow(row));
    await Promise.all(
      unclear.map(({ instanceId, row }) =>
        this.#hub.read(instanceId, (state) => {
          // Another life may have taken the id since the row was read.
          if (state.number === row.number) this.#addState(state);
        }),
      ),
    );
    return unclear.length;
  }

  /** Whether the row alone says all that is asked. */
  #addRow(row: CreatedRow): boolean {
    const { instanceClass } = row;
    const facts = factsOf(row);
    if (!this.#filter.matchesFacts(facts)) return true;
    const holds = this.#holds.about(row);
    const answer = this.#filter.judge(instanceClass, holds, this.#hub.now());
    if (answer === "no") return true;
    const isLive = instanceClass === "live";
    if (answer === "unknown") return false;
    const status = this.#groupBy.has(CountDimension.STATUS)
      ? statusIn(instanceClass, holds)
      : InstanceStatus.UNSPECIFIED;
    if (status === undefined) return false;
    const names = isLive && this.#groupBy.has(CountDimension.HOLD) ? namesOf(holds) : [];
    if (names === undefined) return false;
    this.#count(facts, status, names);
    return true;
  }

  #addState(state: InstanceState): void {
    const covering = coveringOf(this.#hub, state);
    if (!this.#filter.matchesState(state, covering, this.#hub.now())) return;
    const names = [...state.holds.map(({ name }) => name), ...namesOfHubHolds(covering)];
    this.#count(state, instanceStatusOf(state), names);
  }

  #count(
    facts: { readonly name: string; readonly version?: string | undefined },
    status: InstanceStatus,
    holdNames: readonly string[],
  ): void {
    const by = this.#groupBy;
    const names = by.has(CountDimension.HOLD) && holdNames.length > 0 ? holdNames : [undefined];
    for (const holdName of names) {
      this.#increment({
        status: by.has(CountDimension.STATUS) ? status : undefined,
        name: by.has(CountDimension.NAME) ? facts.name : undefined,
        version: by.has(CountDimension.VERSION) ? facts.version : undefined,
        holdName,
      });
    }
  }

  #increment(group: Omit<Count, "count">): void {
    // Absent and empty stay apart.
    const { status = null, name = null, version = null, holdName = null } = group;
    const key = JSON.stringify([status, name, version, holdName]);
    const count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, { ...group, count: 1n });
    else count.count += 1n;
  }
}

/** Undefined when only the state knows. */
function statusIn(
  instanceClass: CreatedRow["instanceClass"],
  { own }: KnownHolds,
): InstanceStatus | undefined {
  for (const [status, ended] of CLASS_OF_STATUS) if (ended === instanceClass) return status;
  return own === undefined || own === "unknown" ? undefined : InstanceStatus.SUSPENDED;
}

/** Names of everything that holds a live instance; undefined when only the state knows. */
function namesOf({ own, covering, mayHaveMore }: KnownHolds): string[] | undefined {
  if (own === "unknown" || mayHaveMore) return undefined;
  return [...(own?.names ?? []), ...namesOfHubHolds(covering)];
}

function namesOfHubHolds(holds: readonly HubHold[]): string[] {
  return holds.map(({ hold }) => hold?.name ?? "");
}
