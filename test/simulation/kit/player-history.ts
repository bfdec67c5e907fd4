/** What the history that a turn comes with says. */
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  HistoryEvent,
  OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import type { PlanInput } from "./plan.ts";
import { WrongHistory } from "./wrong-history.ts";

export type Answer = { readonly result: string } | { readonly failure: true };

export class PlayerHistory {
  readonly events: readonly HistoryEvent[];
  readonly input: PlanInput;
  readonly executionId: string;
  /** The clock of the turn. */
  readonly now: Timestamp;
  /** Actions that are in the history, by their ids. */
  readonly asked = new Set<number>();
  readonly answers = new Map<number, Answer>();
  /** External events of this generation, in order. */
  readonly raised: HistoryEvent[] = [];
  readonly entityEvents: HistoryEvent[] = [];
  readonly #told = new Set<string>();
  readonly #instanceId: string;

  /** @throws WrongHistory */
  constructor({ instanceId, pastEvents, newEvents }: OrchestratorRequest) {
    this.#instanceId = instanceId;
    this.events = [...pastEvents, ...newEvents];
    let input: string | undefined;
    let now: Timestamp | undefined;
    let executionId = "";
    for (const event of this.events) {
      const { eventType: type } = event;
      if (type.case === "orchestratorStarted") {
        const { timestamp } = event;
        if (timestamp === undefined) throw new WrongHistory("a turn without a time");
        if (now !== undefined && compareTimestamps(timestamp, now) <= 0) {
          throw new WrongHistory("the clock of a turn is not later than that of the one before");
        }
        now = timestamp;
      } else if (type.case === "executionStarted") {
        if (input !== undefined) throw new WrongHistory("it was started twice");
        input = type.value.input ?? "";
        executionId = type.value.orchestrationInstance?.executionId ?? "";
      } else this.#note(event);
    }
    if (input === undefined || now === undefined) throw new WrongHistory("it was never started");
    this.input = JSON.parse(input);
    this.now = now;
    this.executionId = executionId;
  }

  #note(event: HistoryEvent): void {
    const { eventType: type, eventId } = event;
    switch (type.case) {
      case "taskScheduled":
      case "timerCreated":
      case "subOrchestrationInstanceCreated":
      case "eventSent":
        this.asked.add(eventId);
        break;
      case "taskCompleted":
      case "subOrchestrationInstanceCompleted":
        this.#answer(type.value.taskScheduledId, { result: type.value.result ?? "" });
        break;
      case "taskFailed":
      case "subOrchestrationInstanceFailed":
        this.#answer(type.value.taskScheduledId, { failure: true });
        break;
      case "timerFired":
        checkTimer(event.timestamp, type.value.fireAt);
        this.#answer(type.value.timerId, { result: "" });
        break;
      case "eventRaised":
        if (type.value.name === "Event") this.raised.push(event);
        else if (this.#told.has(inputOf(event))) {
          throw new WrongHistory(`${this.#instanceId} was told twice: ${inputOf(event)}`);
        } else this.#told.add(inputOf(event));
        break;
      default:
        this.entityEvents.push(event);
    }
  }

  #answer(id: number, answer: Answer): void {
    if (!this.asked.has(id)) throw new WrongHistory(`an answer to ${id}, which nobody asked`);
    if (this.answers.has(id)) throw new WrongHistory(`two answers to ${id}`);
    this.answers.set(id, answer);
  }
}

/** The payload of an external event. */
export function inputOf({ eventType }: HistoryEvent): string {
  return eventType.case === "eventRaised" ? (eventType.value.input ?? "") : "";
}

function checkTimer(at: Timestamp | undefined, fireAt: Timestamp | undefined): void {
  if (at === undefined || fireAt === undefined) throw new WrongHistory("a timer without a time");
  if (compareTimestamps(at, fireAt) >= 0) return;
  throw new WrongHistory(`a timer fired ${timestampMs(fireAt) - timestampMs(at)} ms early`);
}
