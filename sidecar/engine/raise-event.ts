import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { LIMITS } from "../foundation/limits.ts";
import { EventKind, eventRaised, readEvent } from "../wire/history-event.ts";
import {
  type Decision,
  type Environment,
  newEntry,
  notFound,
  nothing,
  refuse,
  refuseFinished,
} from "./decision.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";

export interface RaiseEventCommand {
  readonly instanceId: string;
  /** Stored as given: SDKs compare event names without case. */
  readonly name: string;
  readonly input: string | undefined;
  /** The compatible RPC ignores an instance that has finished; others are refused. */
  readonly ignoreFinished: boolean;
}

/** How many external events may wait in one inbox, and their encoded bytes. */
export interface BufferLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

export const defaultBufferLimits: BufferLimits = {
  eventsMax: LIMITS.bufferedEventsMax,
  bytesMax: LIMITS.bufferedEventBytesMax,
};

/**
 * External events belong to the instance, never to one generation. Only clients are refused when too
 * many wait: results, and events from orchestrations, are accepted always.
 */
export function decideRaiseEvent(
  state: InstanceState | undefined,
  command: RaiseEventCommand,
  environment: Environment,
  limits: BufferLimits = defaultBufferLimits,
): Decision {
  // An entity reads no events: it is no instance for those who send them.
  if (state === undefined || state.entity !== undefined) return notFound(command.instanceId);
  if (isTerminal(state)) return command.ignoreFinished ? nothing : refuseFinished(state);
  const event = eventRaised(environment.now, command.name, command.input);
  const { eventsMax, bytesMax } = limits;
  if (state.bufferedEvents >= eventsMax) {
    return refuse("limit-exceeded", `${waiting(state)} has ${eventsMax} events waiting already`);
  }
  if (state.bufferedBytes + event.event.length > bytesMax) {
    return refuse("limit-exceeded", `${waiting(state)} has ${bytesMax} bytes of events waiting`);
  }
  const entry = newEntry(environment);
  entry.inboxAdded.push(event);
  return { kind: "append", entry };
}

function waiting({ instanceId }: InstanceState): string {
  return `instance ${JSON.stringify(instanceId)}`;
}

/** When the oldest external event arrived that waits in the inbox. */
export function oldestBufferedAt(state: InstanceState): Timestamp | undefined {
  if (state.bufferedEvents === 0) return undefined;
  const oldest = state.inbox.find(({ kind }) => kind === EventKind.eventRaised);
  return oldest && readEvent(oldest).timestamp;
}
