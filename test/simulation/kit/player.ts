/**
 * What an SDK does with a turn: it goes through the plan again with the whole history, and answers
 * with the actions that are not in it yet.
 */
import { create } from "@bufbuild/protobuf";
import {
  CompleteOrchestrationActionSchema,
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { addMilliseconds } from "../../../sidecar/wire/timestamp.ts";
import { completed, createTimer, failed, sendEvent } from "../../support/worker-actions.ts";
import {
  digestOf,
  inputsOf,
  type Operation,
  type Plan,
  type PlanInput,
  type RewoundBy,
  rewindable,
} from "./plan.ts";
import { EntityCalls } from "./player-entities.ts";
import { type Answer, inputOf, PlayerHistory } from "./player-history.ts";
import { rewindWithout } from "./player-rewind.ts";
import { playSection } from "./player-section.ts";
import { WrongHistory } from "./wrong-history.ts";

export interface Played {
  readonly actions: readonly OrchestratorAction[];
  readonly customStatus: string | undefined;
}

interface Rewound {
  /** The actions that have failed. */
  readonly failed: ReadonlySet<number>;
  readonly by: RewoundBy;
}

class Player {
  readonly actions: OrchestratorAction[] = [];
  readonly instanceId: string;
  customStatus: string | undefined;
  readonly #history: PlayerHistory;
  readonly #entities: EntityCalls;
  #digest: string;
  #consumed = 0;
  #lastActionId = 0;
  /** What a rewind may mend has failed. */
  #toBeRewound: Rewound | undefined;

  constructor(request: OrchestratorRequest) {
    this.instanceId = request.instanceId;
    this.#history = new PlayerHistory(request);
    const { executionId, asked, entityEvents, input } = this.#history;
    this.#entities = new EntityCalls(this.instanceId, asked, this.actions);
    for (const event of entityEvents) this.#entities.note(event);
    this.#entities.begins(executionId);
    this.#digest = input.digest;
  }

  /** Goes on as far as it can. */
  play(): void {
    const { plan, parent, generation } = this.#history.input;
    if (generation > 0) this.customStatus = `generation ${generation}`;
    for (const [at, operation] of plan.entries()) {
      if (operation.kind === "again") return this.#again(plan.slice(at + 1));
      if (operation.kind === "fail") {
        this.#tell(parent);
        this.actions.push(failed(operation.id));
        return;
      }
      const isDone = this.#isDone(operation);
      if (this.#toBeRewound !== undefined) return this.#rewind(operation.id, this.#toBeRewound);
      if (!isDone) return;
      if (operation.kind === "section" && operation.crashes) {
        this.#tell(parent);
        this.actions.push(failed(operation.id));
        return;
      }
    }
    this.#tell(parent);
    const events = [...this.#history.input.events, ...this.#payloads()];
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
        return this.#flaky(operation);
      case "signal": {
        const at =
          operation.delayMs === 0
            ? undefined
            : addMilliseconds(this.#history.now, operation.delayMs);
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
              return this.#history.answers.has(id);
            },
          }) && this.#add({ result: operation.id })
        );
      case "retry":
        return this.#retry(operation.id, operation.failures);
      case "events": {
        this.#consumed += operation.count;
        return this.#history.raised.length >= this.#consumed;
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

  #flaky({ id, rewinds, by }: Extract<Operation, { readonly kind: "flaky" }>): boolean {
    const answer = this.#task(`${id}.flaky${rewinds}`);
    const hasFailed = answer !== undefined && "failure" in answer;
    if (hasFailed) this.#toBeRewound = { failed: new Set([this.#lastActionId]), by };
    return this.#add(answer);
  }

  /** What else it had to say it says behind the rewind. */
  #rewind(what: string, { failed: ids, by }: Rewound): void {
    if (by === "client") this.actions.push(failed(`${rewindable}: ${what}`));
    else this.actions.splice(0, Infinity, rewindWithout(ids, this.#history.events));
  }

  #children({ plans, must }: Extract<Operation, { readonly kind: "children" }>): boolean {
    const ids = plans.map(() => this.#nextId());
    const answers = plans.map((plan, at) => {
      const id = ids[at] ?? 0;
      // Unlike those of the same instance before it was restarted.
      const place = `${Number(this.#history.executionId)}.${id}`;
      const instanceId = `${this.instanceId}/${place}`;
      const parent = { id: this.instanceId, place };
      const input: PlanInput = { plan, digest: "0", events: [], generation: 0, parent };
      const value = { instanceId, name: "Child", input: JSON.stringify(input) };
      this.#ask(id, { case: "createSubOrchestration", value });
      return this.#history.answers.get(id);
    });
    const failures = ids.filter((_, at) => "failure" in (answers[at] ?? {}));
    if (must !== undefined && failures.length > 0) {
      this.#toBeRewound = { failed: new Set(failures), by: must };
    }
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
    return this.#history.answers.get(id);
  }

  #timer(ms: number): Answer | undefined {
    const id = this.#nextId();
    if (!this.#history.asked.has(id))
      this.actions.push(createTimer(id, addMilliseconds(this.#history.now, ms)));
    return this.#history.answers.get(id);
  }

  #tell(parent: PlanInput["parent"]): void {
    if (parent === undefined) return;
    const id = this.#nextId();
    if (this.#history.asked.has(id)) return;
    this.actions.push(sendEvent(id, parent.id, "Place", parent.place));
  }

  #again(plan: Plan): void {
    const input: PlanInput = {
      plan,
      digest: this.#digest,
      events: [...this.#history.input.events, ...this.#payloads()],
      generation: this.#history.input.generation + 1,
      ...(this.#history.input.parent === undefined ? {} : { parent: this.#history.input.parent }),
    };
    const value = create(CompleteOrchestrationActionSchema, {
      orchestrationStatus: OrchestrationStatus.CONTINUED_AS_NEW,
      result: JSON.stringify(input),
      carryoverEvents: this.#history.raised.slice(this.#consumed),
    });
    this.actions.push(
      create(OrchestratorActionSchema, {
        id: 999,
        orchestratorActionType: { case: "completeOrchestration", value },
      }),
    );
  }

  #ask(id: number, orchestratorActionType: Asked): void {
    if (this.#history.asked.has(id)) return;
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
    return this.#history.raised.slice(0, this.#consumed).map(inputOf);
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
