/** Histories and times as checks look at them. */
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type HistoryEvent,
  type OrchestrationStatus,
  OrchestrationStatusSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { expectEqual, expectPresent } from "./check.ts";

export function statusName(status: OrchestrationStatus): string {
  return (
    OrchestrationStatusSchema.value[status]?.name.replace("ORCHESTRATION_STATUS_", "") ??
    String(status)
  );
}

/** Without OrchestratorCompleted, which all SDKs ignore: whether it is stored is a check of its own. */
export function kinds(events: readonly HistoryEvent[]): (string | undefined)[] {
  return allKinds(events).filter((kind) => kind !== "orchestratorCompleted");
}

export function allKinds(events: readonly HistoryEvent[]): (string | undefined)[] {
  return events.map(({ eventType }) => eventType.case);
}

type EventCase = NonNullable<HistoryEvent["eventType"]["case"]>;
export type EventOf<K extends EventCase> = Extract<HistoryEvent["eventType"], { case: K }>["value"];

/** The contents of all events of this kind. */
export function eventsOf<K extends EventCase>(
  events: readonly HistoryEvent[],
  kind: K,
): EventOf<K>[] {
  return events.flatMap(({ eventType }) =>
    eventType.case === kind ? [eventType.value as EventOf<K>] : [],
  );
}

/** The content of the only event of this kind. */
export function onlyEvent<K extends EventCase>(
  events: readonly HistoryEvent[],
  kind: K,
): EventOf<K> {
  const found = eventsOf(events, kind);
  expectEqual(`the number of ${kind} events among ${kinds(events).join(", ")}`, found.length, 1);
  return expectPresent(kind, found[0]);
}

/** By the clock of this machine, which is not the clock of the service. */
export function fromNow(milliseconds: number): Timestamp {
  return timestampFromMs(Date.now() + milliseconds);
}
