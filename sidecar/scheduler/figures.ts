/**
 * What has happened since the process started, over all task hubs, as plain numbers: whoever shows
 * them reads them when asked. Counting costs an addition, so it is done where things happen.
 */
import type { Decision } from "../engine/decision.ts";
import type { InstanceState } from "../engine/state.ts";
import { LIMITS } from "../foundation/limits.ts";
import { type Log, silentLog } from "../foundation/log.ts";
import { AGE_BOUNDS, SECONDS_BOUNDS, Tally } from "../foundation/tally.ts";
import { Cause, type Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { Kind, Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "../wire/history-event.ts";
import { compareTimestamps, nanosecondsBetween } from "../wire/timestamp.ts";
import type { InvariantName } from "./invariants.ts";
import type { Lease, LossReason } from "./leases.ts";

export type WorkKind = Lease["kind"];

type ByKind = Record<WorkKind, number>;

/** What was found without anything that would ever wake it. */
export type StrandedWork = WorkKind | "mail" | "timer" | "ready_row" | "due_row";

/** How an instance can end. */
export type Ending = "completed" | "failed" | "terminated" | "canceled";

/** Who has asked for a purge: a client, or the ages of retention; "space": those of a full disk. */
export type PurgeReason = "client" | "retention" | "space";

/** How much history there is. */
export interface HistorySize {
  readonly historyEvents: number;
  readonly historyBytes: number;
}

const defaultAdvised: HistorySize = {
  historyEvents: LIMITS.historyEventsAdvised,
  historyBytes: LIMITS.historyBytesAdvised,
};

/** What one kind of work has come to. */
export class WorkCounts {
  readonly handedOut: ByKind = newCounts();
  /** Handed out again after a delivery that ended without an answer. */
  readonly takenOver: ByKind = newCounts();
  readonly completed: ByKind = newCounts();
  /** Answers without a lease behind them: repeated, late or foreign. They change nothing. */
  readonly stale: ByKind = newCounts();
  /** Deliveries that ended without an answer. */
  readonly lost: Readonly<Record<WorkKind, Record<LossReason, number>>> = {
    turn: newLosses(),
    activity: newLosses(),
    batch: newLosses(),
  };
}

export class Figures {
  readonly work = new WorkCounts();
  /** Seconds from the decision of a commit until it was durable. */
  readonly commitSeconds = new Tally(SECONDS_BOUNDS);
  /** Entries of logs by their cause. */
  readonly entries = new Map<Cause, number>();
  started = 0;
  readonly ended: Record<Ending, number> = { completed: 0, failed: 0, terminated: 0, canceled: 0 };
  purged = 0;
  /** The same by who has asked for it. */
  readonly purgedBy: Record<PurgeReason, number> = { client: 0, retention: 0, space: 0 };
  /** Generations that continue-as-new has begun. */
  continued = 0;
  /** Failed instances, and histories that workers have rewound by themselves. */
  rewound = 0;
  /** Histories that have grown beyond what is advised; each is counted once in a generation. */
  longHistories = 0;
  eventsRaised = 0;
  /** How much later than its time each timer fired, in seconds. */
  readonly timerLateness = new Tally(AGE_BOUNDS);
  /** Requests with a key, and starts, that were recognised as repeated. They change nothing. */
  readonly duplicates: Record<"request" | "start", number> = { request: 0, start: 0 };
  readonly stranded: Record<StrandedWork, number> = {
    turn: 0,
    activity: 0,
    batch: 0,
    mail: 0,
    timer: 0,
    ready_row: 0,
    due_row: 0,
  };
  /** Not "driver": what nobody makes go on is stranded. */
  readonly violations: Record<Exclude<InvariantName, "driver">, number> = {
    inbox: 0,
    lease: 0,
    terminal: 0,
    links: 0,
    index: 0,
    sequence: 0,
  };

  readonly #log: Log;
  readonly #advised: HistorySize;

  /** @param advised a history with more of either is long */
  constructor(log: Log = silentLog, advised: HistorySize = defaultAdvised) {
    this.#log = log;
    this.#advised = advised;
  }

  /** A decision is about to be applied to `state`, which is the one before it. */
  decided(state: InstanceState | undefined, decision: Decision): void {
    switch (decision.kind) {
      case "append":
        this.#note(decision.entry);
        if (decision.entry.timersSettled.length > 0 && state !== undefined) {
          this.#fired(state, decision.entry);
        }
        if (decision.more !== undefined) this.rewound += 1;
        else if (decision.entry.base?.kind === Kind.ORCHESTRATION) this.continued += 1;
        return;
      case "begin":
        this.#note(decision.entry);
        if (decision.entry.base?.kind !== Kind.ENTITY) this.started += 1;
        return;
      case "end":
        this.#note(decision.entry);
        if (state?.kind === Kind.ENTITY) return;
        this.purged += 1;
        this.purgedBy[purgeReasonOf(decision.entry)] += 1;
        return;
      default:
    }
  }

  /** Entries were applied; `before` it had so much of a history of the same generation, or of none. */
  grown(before: HistorySize | undefined, state: InstanceState): void {
    if (!this.#isLong(state) || (before !== undefined && this.#isLong(before))) return;
    this.longHistories += 1;
    const { instanceId, name, generation, historyEvents, historyBytes } = state;
    const facts = { instanceId, name, generation, historyEvents, historyBytes };
    this.#log.warn("history.long", facts);
  }

  handedOut(kind: WorkKind, attempts: number): void {
    this.work.handedOut[kind] += 1;
    if (attempts > 0) this.work.takenOver[kind] += 1;
  }

  lost(kind: WorkKind, reason: LossReason): void {
    this.work.lost[kind][reason] += 1;
  }

  #note(entry: Entry): void {
    const cause = entry.header?.cause ?? Cause.UNSPECIFIED;
    this.entries.set(cause, (this.entries.get(cause) ?? 0) + 1);
    const ending = entry.status === undefined ? undefined : endings[entry.status];
    if (ending !== undefined) this.ended[ending] += 1;
    for (const { kind } of entry.inboxAdded) {
      if (kind === EventKind.eventRaised) this.eventsRaised += 1;
    }
  }

  #isLong({ historyEvents, historyBytes }: HistorySize): boolean {
    const { historyEvents: eventsMax, historyBytes: bytesMax } = this.#advised;
    return historyEvents > eventsMax || historyBytes > bytesMax;
  }

  #fired(state: InstanceState, entry: Entry): void {
    const { cause, time: now } = entry.header ?? {};
    if (cause !== Cause.DUE || now === undefined) return;
    for (const id of entry.timersSettled) {
      const dueAt = state.timers.get(id)?.dueAt;
      if (dueAt === undefined || compareTimestamps(dueAt, now) > 0) continue;
      this.timerLateness.add(Number(nanosecondsBetween(dueAt, now)) / 1e9);
    }
  }
}

const endings: Readonly<Partial<Record<Status, Ending>>> = {
  [Status.COMPLETED]: "completed",
  [Status.FAILED]: "failed",
  [Status.TERMINATED]: "terminated",
  [Status.CANCELED]: "canceled",
};

function newCounts(): ByKind {
  return { turn: 0, activity: 0, batch: 0 };
}

function purgeReasonOf({ header }: Entry): PurgeReason {
  switch (header?.cause) {
    case Cause.RETENTION:
      return "retention";
    case Cause.RETENTION_LOW_SPACE:
      return "space";
    default:
      return "client";
  }
}

function newLosses(): Record<LossReason, number> {
  return { "stream-lost": 0, expired: 0, abandoned: 0, rejected: 0, "needs-history": 0 };
}
