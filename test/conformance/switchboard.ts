/**
 * Brings work items to the check that they are for. Each check asks for its own names only; a
 * service that knows no filters sends anything to anybody all the same.
 */
import type { WorkItem } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** Takes a work item, and returns whether it was wanted. */
type Taker = (item: WorkItem) => void;

export class Switchboard {
  readonly #run: string;
  readonly #takers = new Map<string, Taker[]>();
  #count = 0;

  /** @param run lower-case letters and digits that no other run has */
  constructor(run: string) {
    this.#run = run;
  }

  /** A text that is part of every name and id of one check, and of no other. */
  newTag(): string {
    this.#count += 1;
    return `cf${this.#run}x${this.#count.toString(36)}z`;
  }

  /** Returns how to take it back. */
  connect(tag: string, taker: Taker): () => void {
    this.#takers.set(tag, [...(this.#takers.get(tag) ?? []), taker]);
    return () => {
      const left = (this.#takers.get(tag) ?? []).filter((other) => other !== taker);
      this.#takers.set(tag, left);
    };
  }

  /** Hands a work item that came to one check to the one it is for; false when there is none. */
  forward(item: WorkItem): boolean {
    const tag = tagOf(item);
    const [taker] = (tag === undefined ? undefined : this.#takers.get(tag)) ?? [];
    taker?.(item);
    return taker !== undefined;
  }
}

const tagPattern = /cf[0-9a-z]+x[0-9a-z]+z/;

/** The tag in the names and ids of a work item. */
export function tagOf(item: WorkItem): string | undefined {
  return tagPattern.exec(namesOf(item))?.[0];
}

function namesOf({ request }: WorkItem): string {
  switch (request.case) {
    case "orchestratorRequest": {
      const { instanceId, pastEvents, newEvents } = request.value;
      const started = [...pastEvents, ...newEvents].flatMap(({ eventType }) =>
        eventType.case === "executionStarted" ? [eventType.value.name] : [],
      );
      return [...started, instanceId].join(" ");
    }
    case "activityRequest":
      return `${request.value.name} ${request.value.orchestrationInstance?.instanceId ?? ""}`;
    case "entityRequest":
    case "entityRequestV2":
      return request.value.instanceId;
    default:
      return "";
  }
}
