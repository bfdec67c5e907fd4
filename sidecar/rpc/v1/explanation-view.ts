/** Reasons in words. The command line prints the same words. */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../../engine/state.ts";
import type { Reason, Work } from "../../scheduler/explanation.ts";
import { instanceStatusOf } from "../../scheduler/instance-status.ts";
import type { TaskHub } from "../../scheduler/task-hub.ts";
import { type Hold, HoldScope } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  ReasonKind,
  ReasonSchema,
  type Reason as ReasonView,
} from "../../wire/gen/taskhub/v1/insight_pb.ts";
import { InstanceStatusSchema } from "../../wire/gen/taskhub/v1/instance_pb.ts";
import { present } from "../../wire/history-event.ts";
import { holdView, hubHoldView } from "./hold-view.ts";
import { inFlightView, workerLabel } from "./stillness-view.ts";

export function reasonView(reason: Reason, state: InstanceState, hub: TaskHub): ReasonView {
  switch (reason.kind) {
    case "finished":
      return says(ReasonKind.FINISHED, `it has finished: ${statusName(state)}`, {
        ...present("since", state.completedAt),
      });
    case "held":
      return heldView(reason, hub);
    case "quarantined":
      return quarantinedView(reason.hold, hub);
    case "terminating":
      return says(ReasonKind.TERMINATING, "it ends as soon as the turn in flight is over");
    case "scheduled-start":
      return says(ReasonKind.SCHEDULED_START, `its start is scheduled for ${shown(reason.at)}`, {
        until: reason.at,
      });
    case "in-flight": {
      const { lease } = reason;
      const worker = workerLabel(lease.stream);
      const what = lease.kind === "activity" ? `activity ${quoted(lease.name)}` : `a ${lease.kind}`;
      const where = lease.stream.open ? `worker ${worker}` : `worker ${worker}, which is gone`;
      const text = `${what} is with ${where} since ${shown(lease.grantedAt)}`;
      const work = inFlightView(lease);
      return says(ReasonKind.IN_FLIGHT, text, { since: lease.grantedAt, work });
    }
    case "delayed": {
      const { until, work } = reason;
      const when = until === undefined ? "" : ` until ${shown(until)}`;
      const text = `${named(work)} was lost or given back by a worker, and waits${when}`;
      return says(ReasonKind.DELAYED, text, { subject: work.name, ...present("until", until) });
    }
    case "no-worker":
      return says(ReasonKind.NO_WORKER, `no connected worker accepts ${named(reason.work)}`, {
        subject: reason.work.name,
      });
    case "workers-busy": {
      const text = `all workers that accept ${named(reason.work)} have as much as they asked for`;
      return says(ReasonKind.WORKERS_BUSY, text, { subject: reason.work.name });
    }
    case "ready":
      return says(ReasonKind.READY, `${named(reason.work)} is about to be handed out`, {
        subject: reason.work.name,
      });
    default:
      return waitView(reason);
  }
}

type Wait = Extract<
  Reason,
  { kind: "timer" | "timers-frozen" | "activity" | "child" | "messages" | "event" }
>;

function waitView(reason: Wait): ReasonView {
  switch (reason.kind) {
    case "timer": {
      const text = `it waits for a timer, due at ${shown(reason.at)}${others(reason.others)}`;
      return says(ReasonKind.TIMER, text, { until: reason.at });
    }
    case "timers-frozen": {
      const stand = reason.count === 1 ? "stands" : "stand";
      const text = `${counted(reason.count, "timer")} ${stand} still while it is held`;
      return says(ReasonKind.TIMER, text);
    }
    case "activity": {
      const { name, count } = reason;
      const text = `it waits for activity ${quoted(name)}${others(count - 1)}`;
      return says(ReasonKind.ACTIVITY, text, { subject: name });
    }
    case "child": {
      const text = `it waits for child ${quoted(reason.instanceId)}${others(reason.others)}`;
      return says(ReasonKind.CHILD, text, { subject: reason.instanceId });
    }
    case "messages":
      return says(
        ReasonKind.MESSAGES,
        `${counted(reason.count, "message")} to other instances on the way`,
      );
    case "event":
      return says(ReasonKind.EVENT, "it waits for an event from outside");
  }
}

function heldView(reason: Extract<Reason, { kind: "held" }>, hub: TaskHub): ReasonView {
  const { hold, hubHold } = reason;
  const now = hub.now();
  const view =
    hubHold === undefined
      ? hold && holdView(hold, now)
      : hubHoldView(hubHold, now, hub.releaseProgress(hubHold));
  const since = hold?.placedAt === undefined ? "" : ` since ${shown(hold.placedAt)}`;
  const by = hold?.requestedBy ? ` by ${hold.requestedBy}` : "";
  const until = hold?.expiresAt === undefined ? "" : ` until ${shown(hold.expiresAt)}`;
  const because = hold?.reason ? `: ${hold.reason}` : "";
  const release =
    hubHold?.pacedRelease === undefined ? "" : ", which is being released step by step";
  const text = `held by ${scopeName(reason)}${since}${by}${until}${release}${because}`;
  return says(ReasonKind.HELD, text, {
    ...present("hold", view),
    ...present("since", hold?.placedAt),
    ...present("until", hold?.expiresAt),
  });
}

function quarantinedView(hold: Hold, hub: TaskHub): ReasonView {
  const { placedAt, requestedBy, reason = "" } = hold;
  const since = placedAt === undefined ? "" : ` since ${shown(placedAt)}`;
  const by = requestedBy === "" ? "" : ` by ${requestedBy}`;
  const because = reason === "" ? "" : `: ${reason}`;
  const text = `quarantined${since}${by} until hold ${quoted(hold.name)} is released${because}`;
  return says(ReasonKind.QUARANTINED, text, {
    hold: holdView(hold, hub.now()),
    ...present("since", placedAt),
  });
}

function scopeName({ hold, hubHold }: Extract<Reason, { kind: "held" }>): string {
  const name = quoted(hold?.name ?? "");
  switch (hold?.scope) {
    case HoldScope.TREE:
      return `hold ${name} on the tree of ${quoted(hubHold?.origin?.instanceId ?? "")}`;
    case HoldScope.SELECTOR:
      return `maintenance window ${name}`;
    default:
      return hold?.name === "" ? "a suspend" : `hold ${name}`;
  }
}

type Facts = Partial<Pick<ReasonView, "since" | "until" | "hold" | "work" | "subject">>;

/** On one line: reasons of holds may have more. */
function says(kind: ReasonKind, text: string, facts: Facts = {}): ReasonView {
  return create(ReasonSchema, { ...facts, kind, text: text.replaceAll(/\s+/g, " ") });
}

function named({ kind, name, version }: Work): string {
  const what = { turn: "orchestrator", activity: "activity", batch: "entity" }[kind];
  return `${what} ${quoted(name)}${version === "" ? "" : ` version ${quoted(version)}`}`;
}

function statusName(state: InstanceState): string {
  return InstanceStatusSchema.value[instanceStatusOf(state)]?.localName ?? "";
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

function others(count: number): string {
  return count === 0 ? "" : `, and for ${counted(count, "other")}`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function shown(time: Timestamp): string {
  return timestampDate(time).toISOString();
}
