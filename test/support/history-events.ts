/** Histories as the protocol has them. */
import type { HistoryEvent } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

type EventType = HistoryEvent["eventType"];
type TypeName = Exclude<EventType["case"], undefined>;
type EventOf<Name extends TypeName> = Extract<EventType, { case: Name }>["value"];

/** The names of the events' types: "orchestratorStarted". */
export function typesOf(history: readonly HistoryEvent[]): readonly EventType["case"][] {
  return history.map(({ eventType }) => eventType.case);
}

/** The events of one type. */
export function eventsOf<Name extends TypeName>(
  history: readonly HistoryEvent[],
  name: Name,
): readonly EventOf<Name>[] {
  return history.flatMap(({ eventType: { case: type, value } }) =>
    type === name ? [value as EventOf<Name>] : [],
  );
}
