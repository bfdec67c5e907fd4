/** What scenarios print: every fact of a state that is not empty, on lines of its own. */
import { type DescMessage, isFieldSet, isMessage, type Message } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { nextDue } from "../../sidecar/engine/due.ts";
import { hasTurnToRun, isReady } from "../../sidecar/engine/readiness.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { shownStatus } from "../../sidecar/engine/status.ts";
import {
  file_orchestrator_service as contract,
  HistoryEventSchema,
  type OrchestrationInstance,
  OrchestrationStatusSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  type DeliveryCount,
  type DeliveryOutcome,
  DeliveryOutcomeSchema,
  type Mail,
  type StoredEvent,
  file_taskhub_internal_v1_state as stateFile,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../sidecar/wire/history-event.ts";
import { formatTime } from "./scenario-arguments.ts";
import type { Life } from "./scenario-world.ts";

const descriptors = new Map(
  [...contract.messages, ...stateFile.messages, TimestampSchema].map((desc) => [
    desc.typeName,
    desc as DescMessage,
  ]),
);

/** The state in full, with what a step appended to the history. */
export function formatLife(life: Life, appended: readonly StoredEvent[]): readonly string[] {
  const { state } = life;
  return [
    formatHeader(life),
    ...section(
      "history",
      appended.map((event) => `+${formatEvent(event)}`),
    ),
    ...section("inbox", state.inbox.map(formatEvent)),
    ...section("waiting", [...formatWork(state), ...formatMarkers(state)]),
    ...section("returned", state.turnDeliveries.length > 0 ? [formatDeliveries(state)] : []),
    ...section(
      "holds",
      state.holds.map((hold) => {
        const usual = hold.timerPolicy === TimerPolicy.KEEP ? ["scope", "timerPolicy"] : ["scope"];
        return formatMessage(hold, usual);
      }),
    ),
    ...section("mail", state.outbox.map(formatMail)),
    ...section("custom", state.customStatus ? [formatMessage(state.customStatus)] : []),
    ...section("dropped", formatOverflow(state)),
  ];
}

function formatHeader({ number, state }: Life): string {
  const { generation, executionId, pendingTerminate } = state;
  const due = nextDue(state);
  const facts = [
    state.instanceId,
    OrchestrationStatusSchema.value[shownStatus(state)]?.localName ?? "",
    `log=${number}`,
    `generation=${generation}`,
    `execution=${executionId}`,
    isReady(state) ? "ready" : "",
    hasTurnToRun(state) ? "runnable" : "",
    due ? `due=${formatTime(due)}` : "",
    state.heldSince ? `held=${formatTime(state.heldSince)}` : "",
    state.frozenSince ? `frozen=${formatTime(state.frozenSince)}` : "",
    pendingTerminate ? `terminating(${formatMessage(pendingTerminate)})` : "",
    state.completedAt ? `completed=${formatTime(state.completedAt)}` : "",
  ];
  return facts.filter((fact) => fact !== "").join(" ");
}

/** What is the same for long, and so only printed when a scenario asks for it. */
export function formatIdentity({ number, state }: Life): readonly string[] {
  const times = { created: state.createdAt, updated: state.updatedAt, turn: state.turnClock };
  const trace = state.traceContext && Buffer.from(state.traceContext).toString();
  const facts = [
    `name=${state.name}`,
    ...optional("version", state.version),
    ...(Object.keys(state.tags).length > 0 ? [`tags=${formatMap(state.tags)}`] : []),
    ...Object.entries(times).flatMap(([key, at]) => (at ? [`${key}=${formatTime(at)}`] : [])),
    ...(state.scheduledStartAt ? [`scheduled=${formatTime(state.scheduledStartAt)}`] : []),
    ...optional("trace", trace),
    ...(state.ancestors.length > 0 ? [`ancestors=${state.ancestors.join(",")}`] : []),
  ];
  return [
    `${state.instanceId} log=${number}`,
    ...section("facts", facts),
    ...section("parent", state.parent ? [formatMessage(state.parent)] : []),
    ...section("started", state.started ? [formatEvent(state.started)] : []),
    ...section(
      "senders",
      Array.from(state.senderMarks, ([sender, n]) => `log ${sender}: ${n}`),
    ),
  ];
}

function optional(key: string, value: string | undefined): readonly string[] {
  return value === undefined ? [] : [`${key}=${JSON.stringify(value)}`];
}

export function section(name: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => `  ${(index === 0 ? name : "").padEnd(8)} ${line}`);
}

function formatWork(state: InstanceState): readonly string[] {
  const work = [
    ...[...state.activities.values()].map(
      ({ id, taskId, name, detached, deliveries }) =>
        [
          id,
          `activity(${taskId} ${name})${detached ? " detached" : ""}` +
            `${deliveries.length > 0 ? ` returned ${formatCounts(deliveries)}` : ""}`,
        ] as const,
    ),
    ...[...state.timers.values()].map(
      ({ id, timerId, dueAt }) =>
        [id, `timer(${timerId} due=${dueAt ? formatTime(dueAt) : "never"})`] as const,
    ),
    ...[...state.children.values()].map(
      ({ id, taskScheduledId, instanceId, detached }) =>
        [id, `child(${taskScheduledId} ${instanceId})${detached ? " detached" : ""}`] as const,
    ),
  ];
  work.sort(([left], [right]) => Number(left - right));
  return work.map(([id, text]) => `#${id} ${text}`);
}

function formatDeliveries({ turnDeliveries }: InstanceState): string {
  return `turn ${formatCounts(turnDeliveries)}`;
}

function formatCounts(counts: readonly DeliveryCount[]): string {
  return counts.map(({ outcome, count }) => `${outcomeName(outcome)}=${count}`).join(" ");
}

function outcomeName(outcome: DeliveryOutcome): string {
  return DeliveryOutcomeSchema.value[outcome]?.localName ?? "";
}

function formatOverflow({ customStatusOverflow: overflow }: InstanceState): readonly string[] {
  if (overflow === undefined) return [];
  return [`updates=${overflow.dropped} size=${overflow.size}${overflow.current ? " current" : ""}`];
}

function formatMarkers({ markers }: InstanceState): readonly string[] {
  return markers.map(({ event, behindExecutionStarted }) => {
    const place = behindExecutionStarted ? "ExecutionStarted" : "the next turn";
    return `marker behind ${place}: ${event ? formatEvent(event) : "none"}`;
  });
}

export function formatMail({ number, targetInstanceId, body }: Mail): string {
  // What a child starts with is seen when it has started.
  const omit = ["started", "ancestors", "taskScheduledId", "childInstanceId"];
  const value = body.value ? ` ${formatMessage(body.value, omit)}` : "";
  return `${number} to ${targetInstanceId || "nobody"}: ${body.case}${value}`;
}

/**
 * `TaskScheduled(1 @10:00:00 name="Pay")`: kind, event id, time, and every field that is present.
 */
export function formatEvent(stored: StoredEvent): string {
  const { eventId, timestamp, eventType } = readEvent(stored);
  const field = HistoryEventSchema.fields.find(({ localName }) => localName === eventType.case);
  if (field?.number !== stored.kind) throw new Error("the kind of an event is that of its bytes");
  const kind = `${eventType.case?.[0]?.toUpperCase()}${eventType.case?.slice(1)}`;
  const time = timestamp ? `@${formatTime(timestamp)}` : "without time";
  const value = eventType.value ? formatMessage(eventType.value) : "";
  return `${kind}(${[String(eventId), time, value].filter((part) => part !== "").join(" ")})`;
}

/** Every field that is present, by name: an absent and an empty text look different. */
export function formatMessage(message: Message, omit: readonly string[] = []): string {
  const desc = descriptors.get(message.$typeName);
  if (desc === undefined) throw new Error(`no descriptor of ${message.$typeName}`);
  const parts = [];
  for (const field of desc.fields) {
    if (!isFieldSet(message, field) || omit.includes(field.localName)) continue;
    const value = (message as unknown as Record<string, unknown>)[field.localName];
    const name =
      field.fieldKind === "enum" ? field.enum.value[Number(value)]?.localName : undefined;
    parts.push(`${field.localName}=${name ?? formatValue(value)}`);
  }
  return parts.join(" ");
}

function formatValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(formatValue).join(" ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (!isMessage(value)) return formatMap(value as Record<string, unknown>);
  switch (value.$typeName) {
    case "google.protobuf.Timestamp":
      return formatTime(value as Timestamp);
    case "taskhub.internal.v1.StoredEvent":
      return formatEvent(value as StoredEvent);
    case "OrchestrationInstance": {
      const { instanceId, executionId } = value as OrchestrationInstance;
      return `${instanceId}/${executionId ?? "any"}`;
    }
    default:
      return `{${formatMessage(value)}}`;
  }
}

function formatMap(map: Record<string, unknown>): string {
  const pairs = Object.entries(map).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${pairs.map(([key, value]) => `${key}:${formatValue(value)}`).join(" ")}}`;
}
