/** Why an instance is where it is: everything that it waits for, and everything that goes on. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { quarantineHold } from "../engine/delivery.ts";
import { type FrozenSpan, thawedDue } from "../engine/freeze.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import type { Hold, HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { type Head, leasesOf } from "./head.ts";
import type { Lease } from "./leases.ts";
import type { ReadyItem } from "./ready-queue.ts";
import { activityVersion } from "./work-filter.ts";
import type { WorkerStream } from "./worker-stream.ts";

/** One thing that an instance waits for, or that is going on. */
export type Reason =
  | { readonly kind: "finished" }
  | { readonly kind: "held"; readonly hold: Hold | undefined; readonly hubHold?: HubHold }
  | { readonly kind: "quarantined"; readonly hold: Hold }
  | { readonly kind: "terminating" }
  | { readonly kind: "scheduled-start"; readonly at: Timestamp }
  | { readonly kind: "in-flight"; readonly lease: Lease }
  | { readonly kind: "delayed"; readonly work: Work; readonly until: Timestamp | undefined }
  | { readonly kind: "no-worker" | "workers-busy" | "ready"; readonly work: Work }
  | { readonly kind: "timer"; readonly at: Timestamp; readonly others: number }
  | { readonly kind: "timers-frozen"; readonly count: number }
  | { readonly kind: "activity"; readonly name: string; readonly count: number }
  | { readonly kind: "child"; readonly instanceId: string; readonly others: number }
  | { readonly kind: "messages"; readonly count: number }
  | { readonly kind: "event" };

/** A turn, or an activity of this name. */
export interface Work {
  readonly kind: ReadyItem["kind"];
  readonly name: string;
  readonly version: string;
}

/** What must be known besides the head. */
export interface Situation {
  /** Trees and windows that hold it now. */
  readonly covering: readonly HubHold[];
  readonly streams: readonly WorkerStream[];
  /** A hub hold freezes its timers now. */
  readonly frozen: boolean;
  /** Spans in which hub holds froze its timers. */
  readonly hubFreezes: readonly FrozenSpan[];
}

/** The most important first. Never empty. */
export function explain(head: Head, state: InstanceState, situation: Situation): readonly Reason[] {
  const reasons: Reason[] = [];
  if (isTerminal(state)) reasons.push({ kind: "finished" });
  else {
    for (const hold of state.holds) {
      reasons.push({ kind: hold.name === quarantineHold ? "quarantined" : "held", hold });
    }
    for (const hubHold of situation.covering) {
      reasons.push({ kind: "held", hold: hubHold.hold, hubHold });
    }
    if (state.pendingTerminate !== undefined) reasons.push({ kind: "terminating" });
    if (state.startPending && state.scheduledStartAt !== undefined) {
      reasons.push({ kind: "scheduled-start", at: state.scheduledStartAt });
    }
  }
  for (const lease of leasesOf(head)) reasons.push({ kind: "in-flight", lease });
  reasons.push(...turnReasons(head, state, situation.streams));
  reasons.push(...activityReasons(head, state, situation.streams));
  if (state.outbox.length > 0) reasons.push({ kind: "messages", count: state.outbox.length });
  if (!isTerminal(state)) reasons.push(...waits(state, situation));
  if (reasons.length > 0) return reasons;
  return [comingIn(state)];
}

/** What has been decided and is not durable yet: nothing has been queued because of it. */
function comingIn({ name, version = "", inbox, turnWanted, activities }: InstanceState): Reason {
  if (inbox.length > 0 || turnWanted) {
    return { kind: "ready", work: { kind: "turn", name, version } };
  }
  const awaited = [...activities.values()].filter(({ detached }) => !detached);
  const [activity] = awaited;
  if (activity === undefined) return { kind: "event" };
  const count = awaited.filter((each) => each.name === activity.name).length;
  return { kind: "activity", name: activity.name, count };
}

function turnReasons(
  head: Head,
  { name, version = "" }: InstanceState,
  streams: readonly WorkerStream[],
): readonly Reason[] {
  const work: Work = { kind: "turn", name, version };
  switch (head.turn) {
    case "queued":
      return [{ kind: placeOf(work, streams), work }];
    case "delayed":
      return [{ kind: "delayed", work, until: head.delays?.get(0n)?.until }];
    default:
      return [];
  }
}

/** Activities of one name that wait for the same are one reason. */
function activityReasons(
  head: Head,
  state: InstanceState,
  streams: readonly WorkerStream[],
): readonly Reason[] {
  const reasons = new Map<string, Reason>();
  const waiting = new Map<string, number>();
  for (const [id, place] of head.activities) {
    const activity = state.activities.get(id);
    if (activity === undefined) continue;
    const { name } = activity;
    const version = activityVersion(activity, state);
    const work: Work = { kind: "activity", name, version };
    if (place === "delayed") {
      reasons.set(`delayed ${name}`, { kind: "delayed", work, until: head.delays?.get(id)?.until });
    } else if (place === "queued") {
      const kind = placeOf(work, streams);
      reasons.set(`${kind} ${name} ${version}`, { kind, work });
    }
    if (!activity.detached) waiting.set(name, (waiting.get(name) ?? 0) + 1);
  }
  const waits = Array.from(waiting, ([name, count]): Reason => ({ kind: "activity", name, count }));
  return [...reasons.values(), ...waits];
}

/** Work that is queued: what keeps it there. */
function placeOf(
  work: Work,
  streams: readonly WorkerStream[],
): "no-worker" | "workers-busy" | "ready" {
  const accepting = streams.filter((stream) => stream.accepts(work));
  if (accepting.length === 0) return "no-worker";
  const free = accepting.some((stream) => stream.waiting && stream.hasCredit(work.kind));
  return free ? "ready" : "workers-busy";
}

function waits(state: InstanceState, { frozen, hubFreezes }: Situation): readonly Reason[] {
  const reasons: Reason[] = [];
  // Freezes of the hub are counted when a timer falls due; who asks is told what it comes to.
  const dues = Array.from(state.timers.values(), (timer) => thawedDue(timer, state, hubFreezes));
  const [first] = dues.sort(compareTimestamps);
  if (first !== undefined && (frozen || state.frozenSince !== undefined)) {
    reasons.push({ kind: "timers-frozen", count: dues.length });
  } else if (first !== undefined) {
    reasons.push({ kind: "timer", at: first, others: dues.length - 1 });
  }
  const children = [...state.children.values()].filter(({ detached }) => !detached);
  const [child] = children;
  if (child !== undefined) {
    reasons.push({ kind: "child", instanceId: child.instanceId, others: children.length - 1 });
  }
  const isIdle =
    reasons.length === 0 &&
    state.activities.size === 0 &&
    state.inbox.length === 0 &&
    !state.turnWanted &&
    state.pendingTerminate === undefined;
  if (isIdle) reasons.push({ kind: "event" });
  return reasons;
}
