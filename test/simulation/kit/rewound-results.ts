/** What an instance that was rewound keeps: results of activities. They are not run again. */
import { Cause, type Entry } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { StoredEvent } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../../../sidecar/wire/history-event.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";

/** The entry that begins a rewound generation. */
export function isRewind({ base, header }: Entry): boolean {
  if (base === undefined || header === undefined) return false;
  return header.cause === Cause.REWIND || header.cause === Cause.MAIL;
}

export class RewoundResults {
  /** Of the current generation, by storage number: inputs of activities that have succeeded. */
  readonly #succeeded = new Map<bigint, ReadonlySet<string>>();
  readonly #rewinds = new Map<bigint, number>();
  /** Of all instances. */
  rewinds = 0;

  rewindsOf(number: bigint): number {
    return this.#rewinds.get(number) ?? 0;
  }

  /** Entries have landed. @throws Violation */
  note({ number, state, history, fresh }: Life): void {
    if (state.entity !== undefined) return;
    const before = this.#succeeded.get(number) ?? new Set();
    const isMore = fresh.some(({ base, history, inboxAdded, turn }) => {
      return base !== undefined || turn !== undefined || history.length + inboxAdded.length > 0;
    });
    if (!isMore) return;
    const succeeded = succeededIn([...history, ...state.inbox]);
    // The first entry of a child that is created for its parent has the cause of mail, too.
    if (this.#succeeded.has(number) && fresh.some(isRewind)) {
      this.#rewinds.set(number, this.rewindsOf(number) + 1);
      this.rewinds += 1;
      for (const input of before) {
        if (!succeeded.has(input)) violated(`${state.instanceId} has forgotten ${input}`);
      }
    }
    this.#succeeded.set(number, succeeded);
  }

  /** An activity goes out. @throws Violation */
  handedOut({ number, state }: Life, executionId: string, input: string): void {
    if (state.executionId !== executionId || !this.#succeeded.get(number)?.has(input)) return;
    violated(`${state.instanceId} runs ${input} again, which has succeeded`);
  }
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
