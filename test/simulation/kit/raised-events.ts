/** External events that have reached the disk, each once however often it was sent (G8). */
import { EventKind, readEvent } from "../../../sidecar/wire/history-event.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";

export class RaisedEvents {
  /** Payloads by storage number of the life. */
  readonly #raised = new Map<bigint, Set<string>>();

  has(life: Life, payload: string): boolean {
    return this.#raised.get(life.number)?.has(payload) ?? false;
  }

  /** Entries of the life have landed. @throws Violation */
  note({ number, state, fresh }: Life): void {
    let raised = this.#raised.get(number);
    if (raised === undefined) {
      raised = new Set();
      this.#raised.set(number, raised);
    }
    for (const entry of fresh) {
      for (const stored of entry.inboxAdded) {
        if (stored.kind !== EventKind.eventRaised) continue;
        const { eventType } = readEvent(stored);
        const payload = eventType.case === "eventRaised" ? (eventType.value.input ?? "") : "";
        if (raised.has(payload)) violated(`${state.instanceId} has ${payload} twice`);
        raised.add(payload);
      }
    }
  }
}
