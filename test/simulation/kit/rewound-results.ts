/** What an instance that was rewound keeps: results of activities, and what was raised for it. */
import { isTerminal } from "../../../sidecar/engine/status.ts";
import { Cause, type Entry } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { StoredEvent } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../../../sidecar/wire/history-event.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";

/** The entry that begins a rewound generation: its first turn is wanted though nothing waits. */
export function isRewind({ base }: Entry): boolean {
  return base?.turnWanted === true;
}

function isRewindByWorker(entry: Entry): boolean {
  return isRewind(entry) && entry.header?.cause === Cause.COMPLETE_TURN;
}

export class RewoundResults {
  /** Of the current generation, by storage number: inputs of activities that have succeeded. */
  readonly #succeeded = new Map<bigint, ReadonlySet<string>>();
  /** What was last seen of each: what is left of an earlier generation does not change any more. */
  readonly #seen = new Map<bigint, Pick<Life, "state" | "history">>();
  readonly #rewinds = new Map<bigint, number>();
  /** Of all instances. */
  rewinds = 0;
  rewindsByWorkers = 0;

  rewindsOf(number: bigint): number {
    return this.#rewinds.get(number) ?? 0;
  }

  /** Entries have landed. @throws Violation */
  note({ number, state, history, fresh }: Life): void {
    if (state.entity !== undefined) return;
    const isByWorker = fresh.some(isRewindByWorker);
    const last = this.#seen.get(number);
    const seen = last?.state.generation === state.generation - 1 ? last : undefined;
    this.#seen.set(number, { state, history });
    const isMore = fresh.some(({ base, history, inboxAdded, turn }) => {
      return base !== undefined || turn !== undefined || history.length + inboxAdded.length > 0;
    });
    if (!isMore) return;
    const succeeded = succeededIn([...history, ...state.inbox]);
    if (fresh.some(isRewind)) {
      // What no turn has taken does not outlive a rewind by a worker.
      const taken = isByWorker ? succeededIn(seen?.history ?? []) : undefined;
      const before = taken ?? this.#succeeded.get(number) ?? new Set();
      this.#rewinds.set(number, this.rewindsOf(number) + 1);
      this.rewinds += 1;
      if (isByWorker) this.rewindsByWorkers += 1;
      for (const input of before) {
        if (!succeeded.has(input)) violated(`${state.instanceId} has forgotten ${input}`);
      }
    }
    // What has ended in the same write takes nothing any more.
    const goesOn = !isTerminal(state);
    if (isByWorker && goesOn && seen !== undefined) checkRaised(seen, { state, history });
    this.#succeeded.set(number, succeeded);
  }

  /** An activity goes out. @throws Violation */
  handedOut({ number, state }: Life, executionId: string, input: string): void {
    if (state.executionId !== executionId || !this.#succeeded.get(number)?.has(input)) return;
    violated(`${state.instanceId} runs ${input} again, which has succeeded`);
  }
}

/** G8: an instance that goes on all the time gets what is raised, taken by a turn or not. */
function checkRaised(
  before: Pick<Life, "state" | "history">,
  { state, history }: Pick<Life, "state" | "history">,
): void {
  const payloads = raisedIn([...history, ...state.inbox]);
  for (const payload of raisedIn([...before.history, ...before.state.inbox])) {
    if (payloads.has(payload)) continue;
    violated(`G8: a rewind of ${state.instanceId} has lost ${payload}`);
  }
}

function raisedIn(events: readonly StoredEvent[]): ReadonlySet<string> {
  const payloads = new Set<string>();
  for (const stored of events) {
    if (stored.kind !== EventKind.eventRaised) continue;
    const { eventType: type } = readOnce(stored);
    if (type.case === "eventRaised") payloads.add(type.value.input ?? "");
  }
  return payloads;
}

function succeededIn(events: readonly StoredEvent[]): ReadonlySet<string> {
  const inputs = new Map<number, string>();
  const succeeded = new Set<string>();
  for (const stored of events) {
    if (stored.kind !== EventKind.taskScheduled && stored.kind !== EventKind.taskCompleted)
      continue;
    const { eventId, eventType: type } = readOnce(stored);
    if (type.case === "taskScheduled") inputs.set(eventId, type.value.input ?? "");
    if (type.case === "taskCompleted") succeeded.add(inputs.get(type.value.taskScheduledId) ?? "");
  }
  return succeeded;
}

const known = new WeakMap<StoredEvent, ReturnType<typeof readEvent>>();

function readOnce(stored: StoredEvent) {
  let event = known.get(stored);
  if (event === undefined) {
    event = readEvent(stored);
    known.set(stored, event);
  }
  return event;
}
