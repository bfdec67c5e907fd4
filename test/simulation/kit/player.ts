/**
 * What an SDK does with a turn: it goes through the plan again with the whole history, and answers
 * with the actions that are not in it yet.
 */
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  CompleteOrchestrationActionSchema,
  type HistoryEvent,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds, compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import { completed, createTimer, failed, sendEvent } from "../../support/worker-actions.ts";
import {
  digestOf,
  inputsOf,
  type Operation,
  type Plan,
  type PlanInput,
  rewindable,
} from "./plan.ts";
import { EntityCalls } from "./player-entities.ts";
import { playSection } from "./player-section.ts";
import { WrongHistory } from "./wrong-history.ts";

export interface Played {
  readonly actions: readonly OrchestratorAction[];
  readonly customStatus: string | undefined;
}

type Answer = { readonly result: string } | { readonly failure: true };

class Player {
  readonly actions: OrchestratorAction[] = [];
  readonly input: PlanInput;
  readonly instanceId: string;
  customStatus: string | undefined;
  #digest: string;
  #consumed = 0;
  #lastActionId = 0;
  readonly #executionId: string;
  readonly #now: Timestamp;
  readonly #asked = new Set<number>();
  readonly #answers = new Map<number, Answer>();
  /** External events of this generation, in order. */
  readonly #raised: HistoryEvent[] = [];
  readonly #told = new Set<string>();
  /** What a rewind may mend has failed. */
  #isToBeRewound = false;
  readonly #entities: EntityCalls;

  constructor({ instanceId, pastEvents, newEvents }: OrchestratorRequest) {
    this.instanceId = instanceId;
    let input: string | undefined;
    let now: Timestamp | undefined;
    let executionId = "";
    this.#entities = new EntityCalls(instanceId, this.#asked, this.actions);
    for (const event of [...pastEvents, ...newEvents]) {
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
    this.#digest = this.input.digest;
    this.#now = now;
    this.#executionId = executionId;
    this.#entities.begins(executionId);
  }

  /** Goes on as far as it can. */
  play(): void {
    const { plan, parent, generation } = this.input;
    if (generation > 0) this.customStatus = `generation ${generation}`;
    for (const [at, operation] of plan.entries()) {
      if (operation.kind === "again") return this.#again(plan.slice(at + 1));
      if (operation.kind === "fail") {
        this.#tell(parent);
        this.actions.push(failed(operation.id));
        return;
      }
      const isDone = this.#isDone(operation);
      if (this.#isToBeRewound) {
        this.actions.push(failed(`${rewindable}: ${operation.id}`));
        return;
      }
      if (!isDone) return;
      if (operation.kind === "section" && operation.crashes) {
        this.#tell(parent);
        this.actions.push(failed(operation.id));
        return;
      }
    }
    this.#tell(parent);
    const events = [...this.input.events, ...this.#payloads()];
    this.actions.push(completed(JSON.stringify({ digest: this.#digest, events })));
  }

  #isDone(operation: Exclude<Operation, { readonly kind: "again" | "fail" }>): boolean {
    switch (operation.kind) {
      case "sequence":
        return inputsOf(operation).every((input) => this.#add(this.#task(input)));
      case "fan":
        return this.#all(inputsOf(operation).map((input) => this.#task(input)));
      case "timer":
        return this.#timer(operation.ms) !== undefined;
      case "children":
        return this.#children(operation);
      case "flaky":
        return this.#flaky(`${operation.id}.flaky${operation.rewinds}`);
      case "signal": {
        const at =
          operation.delayMs === 0 ? undefined : addMilliseconds(this.#now, operation.delayMs);
        this.#entities.signal(this.#nextId(), operation.entity, at);
        return true;
      }
      case "calls": {
        const isAnswered = operation.entities.map((entity, at) => {
          const next = operation.entities[at + 1] ?? "1";
          const called = { entity, operation: operation.operation, next };
          return this.#entities.callNow(this.#nextId(), called) !== undefined;
        });
        return !isAnswered.includes(false) && this.#add({ result: operation.id });
      }
      case "section":
        return (
          playSection(operation, this.#entities, {
            nextId: () => this.#nextId(),
            think: (id, input) => {
              this.#ask(id, { case: "scheduleTask", value: { name: "Odd", input } });
              return this.#answers.has(id);
            },
          }) && this.#add({ result: operation.id })
        );
      case "retry":
        return this.#retry(operation.id, operation.failures);
      case "events": {
        this.#consumed += operation.count;
        return this.#raised.length >= this.#consumed;
      }
      case "leave":
        this.#task(`${operation.id}.left`);
        return true;
      case "status":
        this.customStatus = operation.id;
        return true;
    }
  }

  #retry(id: string, failures: number): boolean {
    for (let attempt = 0; attempt <= failures; attempt += 1) {
      const answer = this.#task(`${id}.${attempt}/${failures}`);
      if (answer === undefined) return false;
      if ("result" in answer) return this.#add(answer);
      if (this.#timer(200 * 2 ** attempt) === undefined) return false;
    }
    throw new WrongHistory(`${id} failed more than ${failures} times`);
  }

  #flaky(input: string): boolean {
    const answer = this.#task(input);
    this.#isToBeRewound = answer !== undefined && "failure" in answer;
    return this.#add(answer);
  }

  #children({ plans, must }: Extract<Operation, { readonly kind: "children" }>): boolean {
    const answers = plans.map((plan) => {
      const id = this.#nextId();
      // Unlike those of the same instance before it was restarted.
      const place = `${Number(this.#executionId)}.${id}`;
      const instanceId = `${this.instanceId}/${place}`;
      const parent = { id: this.instanceId, place };
      const input: PlanInput = { plan, digest: "0", events: [], generation: 0, parent };
      const value = { instanceId, name: "Child", input: JSON.stringify(input) };
      this.#ask(id, { case: "createSubOrchestration", value });
      return this.#answers.get(id);
    });
    const hasFailed = answers.some((answer) => answer !== undefined && "failure" in answer);
    this.#isToBeRewound = must === true && hasFailed;
    return this.#all(
      answers.map((answer) => {
        if (answer === undefined) return undefined;
        if ("failure" in answer) return { result: "failed" };
        return { result: String(JSON.parse(answer.result).digest) };
      }),
    );
  }

  #task(input: string): Answer | undefined {
    const id = this.#nextId();
    this.#ask(id, {
      case: "scheduleTask",
      value: { name: input.length % 2 ? "Odd" : "Even", input },
    });
    return this.#answers.get(id);
  }

  #timer(ms: number): Answer | undefined {
    const id = this.#nextId();
    if (!this.#asked.has(id)) this.actions.push(createTimer(id, addMilliseconds(this.#now, ms)));
    return this.#answers.get(id);
  }

  #tell(parent: PlanInput["parent"]): void {
    if (parent === undefined) return;
    const id = this.#nextId();
    if (this.#asked.has(id)) return;
    this.actions.push(sendEvent(id, parent.id, "Place", parent.place));
  }

  #again(plan: Plan): void {
    const input: PlanInput = {
      plan,
      digest: this.#digest,
      events: [...this.input.events, ...this.#payloads()],
      generation: this.input.generation + 1,
      ...(this.input.parent === undefined ? {} : { parent: this.input.parent }),
    };
    const value = create(CompleteOrchestrationActionSchema, {
      orchestrationStatus: OrchestrationStatus.CONTINUED_AS_NEW,
      result: JSON.stringify(input),
      carryoverEvents: this.#raised.slice(this.#consumed),
    });
    this.actions.push(
      create(OrchestratorActionSchema, {
        id: 999,
        orchestratorActionType: { case: "completeOrchestration", value },
      }),
    );
  }

  #ask(id: number, orchestratorActionType: Asked): void {
    if (this.#asked.has(id)) return;
    this.actions.push(create(OrchestratorActionSchema, { id, orchestratorActionType }));
  }

  #nextId(): number {
    this.#lastActionId += 1;
    return this.#lastActionId;
  }

  #add(answer: Answer | undefined): boolean {
    if (answer === undefined) return false;
    this.#digest = digestOf(this.#digest, "result" in answer ? answer.result : "failed");
    return true;
  }

  #all(answers: readonly (Answer | undefined)[]): boolean {
    if (answers.includes(undefined)) return false;
    for (const answer of answers) this.#add(answer);
    return true;
  }

  #payloads(): string[] {
    return this.#raised.slice(0, this.#consumed).map(inputOf);
  }

  #note(event: HistoryEvent): void {
    const { eventType: type, eventId } = event;
    switch (type.case) {
      case "taskScheduled":
      case "timerCreated":
      case "subOrchestrationInstanceCreated":
      case "eventSent":
        this.#asked.add(eventId);
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
        if (type.value.name === "Event") this.#raised.push(event);
        else if (this.#told.has(inputOf(event))) {
          throw new WrongHistory(`${this.instanceId} was told twice: ${inputOf(event)}`);
        } else this.#told.add(inputOf(event));
        break;
      default:
        this.#entities.note(event);
    }
  }

  #answer(id: number, answer: Answer): void {
    if (!this.#asked.has(id)) throw new WrongHistory(`an answer to ${id}, which nobody asked`);
    if (this.#answers.has(id)) throw new WrongHistory(`two answers to ${id}`);
    this.#answers.set(id, answer);
  }
}

type Asked = NonNullable<
  Parameters<typeof create<typeof OrchestratorActionSchema>>[1]
>["orchestratorActionType"] & {};

/** The answer to a turn. @throws WrongHistory */
export function play(request: OrchestratorRequest): Played {
  const player = new Player(request);
  player.play();
  const { actions, customStatus } = player;
  return { actions, customStatus };
}

function checkTimer(at: Timestamp | undefined, fireAt: Timestamp | undefined): void {
  if (at === undefined || fireAt === undefined) throw new WrongHistory("a timer without a time");
  if (compareTimestamps(at, fireAt) >= 0) return;
  throw new WrongHistory(`a timer fired ${timestampMs(fireAt) - timestampMs(at)} ms early`);
}

function inputOf({ eventType }: HistoryEvent): string {
  return eventType.case === "eventRaised" ? (eventType.value.input ?? "") : "";
}
