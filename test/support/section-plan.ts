/** Plans of orchestrations that lock entities, and what an SDK would make of them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

/** One thing that an orchestration does. Entities are numbers, in the order of locking. */
export type Step =
  | { readonly kind: "signal" | "call"; readonly entity: number }
  | {
      readonly kind: "section";
      /** Ascending, each once. */
      readonly entities: readonly number[];
      /** Which of them it calls, by position. */
      readonly calls: readonly number[];
      /** How it leaves; "forgets": its end, or the next generation, must do that. */
      readonly leaves: "unlocks" | "forgets" | "continues as new";
    };

/** An orchestration on its way through its plan. */
export interface Runner {
  readonly id: string;
  readonly todo: Task[];
  /** Critical section in which it is, or that it waits for. */
  section: { readonly id: string; readonly entities: readonly string[] } | undefined;
  isIn: boolean;
  waitsFor: string | undefined;
  sections: number;
  actions: number;
  isDead: boolean;
  grants: number;
}

export type Task =
  | { readonly kind: "signal" | "call" | "unlock"; readonly entity: string }
  | { readonly kind: "lock"; readonly entities: readonly string[] }
  | { readonly kind: "continue" };

type Message = NonNullable<
  Extract<
    MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"],
    { case: "sendEntityMessage" }
  >["value"]["EntityMessageType"]
>;

/** A runner at the beginning of its plan. */
export function newRunner(id: string, plan: readonly Step[]): Runner {
  return {
    id,
    todo: plan.flatMap(tasksOf),
    section: undefined,
    isIn: false,
    waitsFor: undefined,
    sections: 0,
    actions: 0,
    isDead: false,
    grants: 0,
  };
}

export function entityId(index: number): string {
  return `@account@${index}`;
}

/** What SDKs refuse in a critical section, because it could wait for itself: here it ends. */
export function isForbidden({ isIn, section }: Runner, task: Task): boolean {
  if (!isIn || section === undefined) return false;
  switch (task.kind) {
    case "lock":
      return true;
    case "call":
      return !section.entities.includes(task.entity);
    case "signal":
      return section.entities.includes(task.entity);
    default:
      return false;
  }
}

export function message(runner: Runner, EntityMessageType: Message): OrchestratorAction {
  runner.actions += 1;
  return create(OrchestratorActionSchema, {
    id: runner.actions,
    orchestratorActionType: { case: "sendEntityMessage", value: { EntityMessageType } },
  });
}

export function complete(
  orchestrationStatus: OrchestrationStatus,
  runner: Runner,
): OrchestratorAction {
  runner.actions += 1;
  return create(OrchestratorActionSchema, {
    id: runner.actions,
    orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus } },
  });
}

function tasksOf(step: Step): readonly Task[] {
  if (step.kind !== "section") return [{ kind: step.kind, entity: entityId(step.entity) }];
  const entities = step.entities.map((index) => entityId(index));
  const calls = step.calls.map((at) => entities[at % entities.length] ?? "");
  const leaving: Readonly<Record<typeof step.leaves, readonly Task[]>> = {
    unlocks: entities.map((entity) => ({ kind: "unlock", entity })),
    forgets: [],
    "continues as new": [{ kind: "continue" }],
  };
  return [
    { kind: "lock", entities },
    ...calls.map((entity) => ({ kind: "call", entity }) as const),
    ...leaving[step.leaves],
  ];
}
