/**
 * Orchestrations that lock entities, call them and leave, each by a plan, on the real engine; and
 * what must hold whatever order things happen in. Mail goes one message at a time, in order for each
 * sender; workers answer batches when they like.
 */
import { expect } from "vitest";
import { batchOf, hasBatchToRun } from "../../sidecar/engine/entity/batch.ts";
import { decideCompactEntity } from "../../sidecar/engine/entity/care.ts";
import { decideBatch } from "../../sidecar/engine/entity/complete-batch.ts";
import { decidePurge } from "../../sidecar/engine/purge.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { decideFinishTerminate, decideTerminate } from "../../sidecar/engine/terminate.ts";
import {
  OrchestrationStatus,
  type OrchestratorAction,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  EntityItem,
  StoredEvent,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../sidecar/wire/history-event.ts";
import { succeeded } from "./entity-bench.ts";
import { ScenarioWorld } from "./scenario-world.ts";
import {
  complete,
  entityId,
  isForbidden,
  message,
  newRunner,
  type Runner,
  type Step,
  type Task,
} from "./section-plan.ts";

export type Happening =
  | { readonly kind: "turn" | "die" | "purge"; readonly who: number }
  | { readonly kind: "take" | "commit" | "compact"; readonly entity: number }
  | { readonly kind: "deliver"; readonly from: number }
  | { readonly kind: "reload"; readonly from: number };

export class SectionModel {
  readonly world = new ScenarioWorld({ isChecked: false });
  readonly #runners: readonly Runner[];
  readonly #entities: readonly string[];
  /** What workers have. */
  readonly #taken = new Map<string, readonly EntityItem[]>();
  /** Operations that were sent, with how often each has run. */
  readonly #runs = new Map<string, number>();
  /** The last one that has run, by sender, kind and entity: `sender/kind/entity`. */
  readonly #last = new Map<string, number>();
  #operations = 0;

  constructor(plans: readonly (readonly Step[])[], entities: number) {
    this.#entities = Array.from({ length: entities }, (_, index) => entityId(index));
    this.#runners = plans.map((plan, index) => this.#start(`order-${index}`, plan));
  }

  happen(happening: Happening): void {
    switch (happening.kind) {
      case "turn":
        this.#turn(this.#runner(happening.who));
        break;
      case "die":
        this.#die(this.#runner(happening.who));
        break;
      case "purge":
        this.#purge(this.#runner(happening.who));
        break;
      case "take":
        this.#take(this.#entity(happening.entity));
        break;
      case "commit":
        this.#commit(this.#entity(happening.entity), 1);
        break;
      case "compact":
        this.#compact(this.#entity(happening.entity));
        break;
      case "deliver":
        this.#deliver(this.#sender(happening.from));
        break;
      case "reload": {
        const id = this.#sender(happening.from);
        if (this.world.find(id) !== undefined) this.world.reload(id);
        break;
      }
    }
    this.#check();
  }

  /** Goes on until nothing happens any more. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const runner of this.#runners) isBusy = this.#turn(runner) || isBusy;
      for (const id of this.#senders()) isBusy = this.#deliver(id) || isBusy;
      for (const id of this.#entities) {
        isBusy = this.#take(id) || isBusy;
        isBusy = this.#commit(id, Number.POSITIVE_INFINITY) || isBusy;
      }
      this.#check();
    }
  }

  /** What must hold when nothing happens any more. */
  checkSettled(): void {
    for (const { id, isDead, todo, isIn, grants, sections } of this.#runners) {
      if (isDead) continue;
      expect({ id, todo, isIn }, "whoever lives is through").toEqual({ id, todo: [], isIn: false });
      expect(grants, "and was granted each lock once").toBe(sections);
    }
    for (const id of this.#entities) {
      const { entity } = this.world.find(id)?.state ?? {};
      expect(entity?.lock?.holder?.instanceId, `${id} is free`).toBeUndefined();
      expect(entity?.queue ?? [], `${id} has nothing to do`).toEqual([]);
    }
    for (const [operation, runs] of this.#runs) expect(runs, `${operation} has run`).toBe(1);
    this.world.checkAll();
  }

  /** Mutual exclusion: whoever is in a section has the locks of all that is in it. */
  #check(): void {
    for (const { id, section, isIn } of this.#runners) {
      if (!isIn || section === undefined) continue;
      for (const entity of section.entities) {
        expect(this.#lockOf(entity)?.instanceId, `${id} has locked ${entity}`).toBe(id);
      }
    }
  }

  #start(id: string, plan: readonly Step[]): Runner {
    const command = {
      instanceId: id,
      name: "Order",
      version: undefined,
      input: undefined,
      tags: {},
      parentTraceContext: undefined,
      scheduledStartAt: undefined,
      executionId: undefined,
      idReusePolicy: undefined,
      fingerprint: undefined,
      refusedBecause: undefined,
    };
    this.world.perform(id, Cause.START, (state, environment) =>
      decideStart(state, command, environment),
    );
    return newRunner(id, plan);
  }

  /** Runs a turn as an SDK does: until it waits for something, or is through. */
  #turn(runner: Runner): boolean {
    const { id } = runner;
    if (runner.isDead || this.world.find(id) === undefined) return false;
    if (!this.world.hasTurnToRun(id)) return false;
    for (const event of this.world.beginTurn(id).taken) this.#hear(runner, event);
    const actions: OrchestratorAction[] = [];
    while (runner.waitsFor === undefined) {
      const task = runner.todo[0];
      if (task === undefined || isForbidden(runner, task)) {
        runner.todo.length = 0;
        runner.isIn = false;
        actions.push(complete(OrchestrationStatus.COMPLETED, runner));
        break;
      }
      runner.todo.shift();
      if (task.kind === "continue") {
        runner.isIn = false;
        actions.push(complete(OrchestrationStatus.CONTINUED_AS_NEW, runner));
        break;
      }
      actions.push(this.#act(runner, task));
    }
    this.world.completeTurn(id, { actions });
    return true;
  }

  #hear(runner: Runner, event: StoredEvent): void {
    const { eventType } = readEvent(event);
    if (eventType.case === "entityLockGranted") {
      expect(eventType.value.criticalSectionId).toBe(runner.waitsFor);
      runner.waitsFor = undefined;
      runner.isIn = true;
      runner.grants += 1;
    }
    if (eventType.case === "entityOperationCompleted") {
      expect(eventType.value.requestId, "what is answered was asked").toBe(runner.waitsFor);
      runner.waitsFor = undefined;
    }
  }

  #act(runner: Runner, task: Exclude<Task, { kind: "continue" }>): OrchestratorAction {
    switch (task.kind) {
      case "signal":
      case "call": {
        this.#operations += 1;
        const operation = `${runner.id}/${task.kind}/${task.entity}#${this.#operations}`;
        this.#runs.set(operation, 0);
        const value = { requestId: operation, operation, targetInstanceId: task.entity };
        if (task.kind === "signal") {
          return message(runner, { case: "entityOperationSignaled", value });
        }
        runner.waitsFor = operation;
        return message(runner, { case: "entityOperationCalled", value });
      }
      case "lock": {
        runner.sections += 1;
        const criticalSectionId = `${runner.id}-section-${runner.sections}`;
        runner.section = { id: criticalSectionId, entities: task.entities };
        runner.waitsFor = criticalSectionId;
        const value = { criticalSectionId, lockSet: [...task.entities] };
        return message(runner, { case: "entityLockRequested", value });
      }
      case "unlock": {
        runner.isIn = false;
        const criticalSectionId = runner.section?.id ?? "";
        const value = { criticalSectionId, targetInstanceId: task.entity };
        return message(runner, { case: "entityUnlockSent", value });
      }
    }
  }

  #die(runner: Runner): void {
    const { id, isDead } = runner;
    if (isDead) return;
    const command = { instanceId: id, output: undefined, recurse: false, ignoreFinished: true };
    this.world.perform(id, Cause.TERMINATE, (state, environment) =>
      decideTerminate(state, command, environment),
    );
    const { state } = this.world.life(id);
    if (state.pendingTerminate === undefined) return;
    runner.isDead = true;
    runner.isIn = false;
    this.world.perform(id, Cause.FINISH_TERMINATE, (_state, environment) =>
      decideFinishTerminate(state, environment),
    );
  }

  #purge({ id, isDead }: Runner): void {
    if (!isDead || this.world.find(id) === undefined) return;
    this.world.perform(id, Cause.PURGE, decidePurge);
  }

  #take(id: string): boolean {
    const state = this.world.find(id)?.state;
    if (state === undefined || this.#taken.has(id) || !hasBatchToRun(state)) return false;
    this.#taken.set(id, batchOf(state, state.sequence));
    return true;
  }

  /** What a worker has is at the head of the queue until it commits, and only its holder's. */
  #commit(id: string, count: number): boolean {
    const items = this.#taken.get(id);
    if (items === undefined) return false;
    this.#taken.delete(id);
    const { state } = this.world.life(id);
    const head = state.entity?.queue.slice(0, items.length).map(({ id: item }) => item);
    expect(head, "a batch stays at the head").toEqual(items.map(({ id: item }) => item));
    const results = items.slice(0, count).map(() => succeeded());
    for (const item of items.slice(0, count)) this.#run(id, item);
    const answer = { results, actions: [], text: "1", failureDetails: undefined };
    this.world.perform(id, Cause.COMPLETE_BATCH, (_state, environment) =>
      decideBatch(state, { taken: items.length, ...answer }, environment),
    );
    return true;
  }

  #run(entity: string, { item }: EntityItem): void {
    const event = item.case === "operation" ? item.value.event : undefined;
    const { eventType } = event ? readEvent(event) : {};
    const operation =
      eventType?.case === "entityOperationSignaled" || eventType?.case === "entityOperationCalled"
        ? eventType.value.operation
        : "";
    const [stream = "", number = ""] = operation.split("#");
    expect(this.#last.get(stream) ?? 0, "in the order of its sender").toBeLessThan(Number(number));
    this.#last.set(stream, Number(number));
    this.#runs.set(operation, (this.#runs.get(operation) ?? 0) + 1);
    for (const { id, isIn, section } of this.#runners) {
      if (!isIn || !section?.entities.includes(entity)) continue;
      expect(stream, "nobody else has it meanwhile").toBe(`${id}/call/${entity}`);
    }
  }

  #compact(id: string): void {
    if (this.world.find(id) === undefined) return;
    this.world.perform(id, Cause.COMPACT_ENTITY, (state, environment) =>
      decideCompactEntity(state as InstanceState, environment),
    );
  }

  #deliver(id: string): boolean {
    const life = this.world.find(id);
    if (life === undefined || life.state.outbox.length === 0) return false;
    this.world.deliver(id, { count: 1 });
    return true;
  }

  #lockOf(id: string) {
    return this.world.find(id)?.state.entity?.lock?.holder;
  }

  #senders(): readonly string[] {
    return [...this.#runners.map(({ id }) => id), ...this.#entities];
  }

  #sender(index: number): string {
    const senders = this.#senders();
    return senders[index % senders.length] ?? "";
  }

  #runner(index: number): Runner {
    const runner = this.#runners[index % this.#runners.length];
    if (runner === undefined) throw new Error("there are orchestrations");
    return runner;
  }

  #entity(index: number): string {
    return this.#entities[index % this.#entities.length] ?? "";
  }
}
