/**
 * How often custom statuses change and how large they are, for each orchestration name; and advice
 * in the log for instances that change theirs more often than readers can follow.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { CUSTOM_STATUS_REJECTED } from "../engine/turn/custom-status.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { Log } from "../foundation/log.ts";
import type { Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../wire/history-event.ts";

/** Upper bounds of the size histogram, in bytes. Larger ones are counted behind the last. */
export const STATUS_SIZE_BUCKETS = [256, 1_024, 4_096, 16_384, 65_536] as const;

/** Figures of one orchestration name since the process started. */
export interface StatusCounts {
  /** Changes, clearing included. */
  readonly updates: number;
  /** Bytes of UTF-8 of all of them together. */
  readonly bytes: number;
  /** Changes by size: one count for each bucket, not cumulative, and one for what is larger. */
  readonly sizes: readonly number[];
  /** Updates that were dropped because they were too large. */
  readonly overflows: number;
  /** Changes that were marked because they do not follow their contract. */
  readonly violations: number;
  /** Instances that failed because their status does not follow its contract. */
  readonly rejected: number;
}

/** Names above the limit are counted together under this one. */
const OTHER = "other";

const windowMs = 10_000;
const warningPauseMs = 60_000;

/** Changes of one instance in the current window. */
interface Rate {
  startMs: number;
  changes: number;
}

type Counts = { -readonly [K in keyof StatusCounts]: StatusCounts[K] } & { sizes: number[] };

export class StatusMetrics {
  readonly #log: Log;
  readonly #counts = new Map<string, Counts>();
  /** By storage number; the one that changed last is last. */
  readonly #rates = new Map<bigint, Rate>();
  /** When each name was warned of. */
  readonly #warned = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Counts what a committed entry did.
   *
   * @param state the one after it
   * @param now hub time
   */
  note(state: InstanceState, entry: Entry, now: Timestamp): void {
    const { customStatus, customStatusOverflow } = entry;
    if (customStatus !== undefined) {
      const counts = this.#countsOf(state.name);
      const size = Buffer.byteLength(customStatus.text ?? "");
      counts.updates += 1;
      counts.bytes += size;
      counts.sizes[bucketOf(size)] = (counts.sizes[bucketOf(size)] ?? 0) + 1;
      if (customStatus.violation !== "") counts.violations += 1;
      this.#advise(state, millisecondsOf(now));
    }
    if (customStatusOverflow?.current) this.#countsOf(state.name).overflows += 1;
    if (isRejection(entry)) this.#countsOf(state.name).rejected += 1;
    if (isTerminal(state)) this.#rates.delete(state.number);
  }

  /** The figures now, by orchestration name. */
  snapshot(): ReadonlyMap<string, StatusCounts> {
    const copy = (counts: Counts): StatusCounts => ({ ...counts, sizes: [...counts.sizes] });
    return new Map(Array.from(this.#counts, ([name, counts]) => [name, copy(counts)]));
  }

  #countsOf(name: string): Counts {
    const key = this.#keyOf(name);
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      const sizes = new Array<number>(STATUS_SIZE_BUCKETS.length + 1).fill(0);
      counts = { updates: 0, bytes: 0, sizes, overflows: 0, violations: 0, rejected: 0 };
      this.#counts.set(key, counts);
    }
    return counts;
  }

  #keyOf(name: string): string {
    if (this.#counts.has(name)) return name;
    return this.#counts.size < LIMITS.customStatusMetricNamesMax ? name : OTHER;
  }

  #advise(state: InstanceState, nowMs: number): void {
    const rate = this.#rateOf(state.number, nowMs);
    rate.changes += 1;
    const advisedPerSecond = LIMITS.customStatusAdvisedPerSecond;
    if (rate.changes <= (advisedPerSecond * windowMs) / 1_000) return;
    const key = this.#keyOf(state.name);
    if (isWithin(this.#warned.get(key), nowMs, warningPauseMs)) return;
    this.#warned.set(key, nowMs);
    // What was counted in less than a second is no more than that in a second.
    const seconds = Math.max(1, (nowMs - rate.startMs) / 1_000);
    this.#log.warn("custom_status.too_frequent", {
      name: state.name,
      instanceId: state.instanceId,
      perSecond: Math.round((rate.changes / seconds) * 10) / 10,
      advisedPerSecond,
    });
  }

  #rateOf(number: bigint, nowMs: number): Rate {
    const known = this.#rates.get(number);
    const isCurrent = known !== undefined && isWithin(known.startMs, nowMs, windowMs);
    const rate = isCurrent ? known : { startMs: nowMs, changes: 0 };
    this.#rates.delete(number);
    this.#rates.set(number, rate);
    if (this.#rates.size > LIMITS.customStatusRatesMax) {
      const [oldest] = this.#rates.keys();
      if (oldest !== undefined) this.#rates.delete(oldest);
    }
    return rate;
  }
}

/** Hub time may jump back: what lies ahead is not a part of the window. */
function isWithin(startMs: number | undefined, nowMs: number, lengthMs: number): boolean {
  return startMs !== undefined && nowMs >= startMs && nowMs - startMs < lengthMs;
}

function bucketOf(size: number): number {
  const bucket = STATUS_SIZE_BUCKETS.findIndex((most) => size <= most);
  return bucket === -1 ? STATUS_SIZE_BUCKETS.length : bucket;
}

function isRejection(entry: Entry): boolean {
  if (entry.status !== Status.FAILED) return false;
  const completed = entry.history.at(-1);
  if (completed?.kind !== EventKind.executionCompleted) return false;
  const { eventType } = readEvent(completed);
  if (eventType.case !== "executionCompleted") return false;
  return eventType.value.failureDetails?.errorType === CUSTOM_STATUS_REJECTED;
}

function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000 + nanos / 1_000_000;
}
