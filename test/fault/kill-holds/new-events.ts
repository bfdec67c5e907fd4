/** What is new in a turn. */
import type { WorkItem } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** The kinds of its new events, in order. */
export function kindsIn(turn: WorkItem) {
  return newEventsOf(turn).map(({ eventType }) => eventType.case);
}

/** The names of the events that it brings, in order. */
export function eventsIn(turn: WorkItem): readonly string[] {
  return newEventsOf(turn).flatMap(({ eventType }) =>
    eventType.case === "eventRaised" ? [eventType.value.name] : [],
  );
}

function newEventsOf({ request }: WorkItem) {
  if (request.case !== "orchestratorRequest") throw new Error("not a turn");
  return request.value.newEvents;
}
