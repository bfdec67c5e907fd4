/** An orchestration that asks entities, without disk or scheduler, and the messages that it sends. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Decision, Environment } from "../../../sidecar/engine/decision.ts";
import { decideEntityAnswer } from "../../../sidecar/engine/entity/answer.ts";
import { evolve } from "../../../sidecar/engine/evolve.ts";
import { decideRaiseEvent } from "../../../sidecar/engine/raise-event.ts";
import { decideStart } from "../../../sidecar/engine/start.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { type BegunTurn, beginTurn } from "../../../sidecar/engine/turn/begin.ts";
import { decideTurn } from "../../../sidecar/engine/turn/complete.ts";
import {
  type OrchestrationStatus,
  OrchestratorActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityAnswerSchema,
  EntityCallerSchema,
  type StoredEvent,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";

export const NOW = timestampFromDate(new Date("2026-01-01T10:00:00Z"));
export const COUNTER = "@counter@Key";
export const REQUEST = "0b8c1f5e-0000-4000-8000-000000000001";
export const SECTION = "0b8c1f5e-0000-4000-8000-0000000000c5";

type Message = MessageInitShape<typeof OrchestratorActionSchema>["orchestratorActionType"];

/** How it begins. */
export const startOrder = {
  instanceId: "order",
  name: "Order",
  version: undefined,
  input: undefined,
  tags: {},
  parentTraceContext: undefined,
  scheduledStartAt: undefined,
  executionId: "first",
  idReusePolicy: undefined,
  fingerprint: undefined,
  refusedBecause: undefined,
};

/** One orchestration, and what it decides. */
export class Orchestration {
  state: InstanceState;
  history: StoredEvent[] = [];
  #ids = 0;

  constructor() {
    const begun = decideStart(undefined, startOrder, this.environment);
    if (begun.kind !== "begin") throw new Error(begun.kind);
    this.state = evolve(undefined, 1n, 1, begun.entry);
  }

  get environment(): Environment {
    const next = () => {
      this.#ids += 1;
      return `id-${this.#ids}`;
    };
    return { now: NOW, ids: { next }, cause: Cause.COMPLETE_TURN, principal: "" };
  }

  turn(...messages: readonly Message[]): void {
    this.complete(this.begin(), ...messages);
  }

  /** Hands out a turn with all that has arrived. */
  begin(): BegunTurn {
    return beginTurn(this.state, NOW, Number.MAX_SAFE_INTEGER);
  }

  complete(begun: BegunTurn, ...messages: readonly Message[]): void {
    const actions = messages.map((orchestratorActionType, id) =>
      create(OrchestratorActionSchema, { id, ...present(orchestratorActionType) }),
    );
    const answer = {
      started: begun.started,
      clock: begun.clock,
      taken: begun.taken.length,
      actions,
      chunkBytes: 0,
      customStatus: undefined,
      eventsProcessed: undefined,
      traceContext: undefined,
    };
    this.apply(decideTurn(this.state, answer, this.environment));
  }

  apply(decision: Decision): void {
    if (decision.kind !== "append") throw new Error(decision.kind);
    const { number, sequence } = this.state;
    const record = (event: StoredEvent) => this.history.push(event);
    this.state = evolve(this.state, number, sequence + 1, decision.entry, record);
  }

  raise(name: string): Decision {
    const command = { instanceId: "order", name, input: undefined, ignoreFinished: false };
    return decideRaiseEvent(this.state, command, this.environment);
  }

  answer(event: StoredEvent, requestId: string, lockSet: readonly string[] = []): Decision {
    const caller = create(EntityCallerSchema, {
      instanceId: "order",
      executionId: "first",
      requestId,
    });
    const answer = create(EntityAnswerSchema, { event, caller, lockSet: [...lockSet] });
    return decideEntityAnswer(this.state, answer, this.environment);
  }

  /** What was sent, with the target and what matters of it. */
  get mail(): readonly unknown[] {
    return this.state.outbox.map(({ targetInstanceId, body }) => {
      switch (body.case) {
        case "entityOperation": {
          const { event, caller } = body.value.operation ?? {};
          const { eventType, eventId } = event ? readEvent(event) : {};
          const { legacy } = caller ?? {};
          return [targetInstanceId, eventType?.case, eventId, eventType?.value, legacy];
        }
        case "entityLockWish":
          return [targetInstanceId, "wish", body.value.lockSet, body.value.position];
        case "entityRelease":
          return [targetInstanceId, "release", body.value.criticalSectionId];
        default:
          return [targetInstanceId, body.case];
      }
    });
  }
}

function present(orchestratorActionType: Message) {
  return orchestratorActionType === undefined ? {} : { orchestratorActionType };
}

export function entity(
  value: MessageInitShape<
    typeof import("../../../sidecar/wire/gen/orchestrator_service_pb.ts").SendEntityMessageActionSchema
  >["EntityMessageType"],
): Message {
  return { case: "sendEntityMessage", value: value ? { EntityMessageType: value } : {} };
}

export const call = (target = COUNTER): Message =>
  entity({
    case: "entityOperationCalled",
    value: { requestId: REQUEST, operation: "add", input: "5", targetInstanceId: target },
  });

export const lock = (...lockSet: readonly string[]): Message =>
  entity({
    case: "entityLockRequested",
    value: { criticalSectionId: SECTION, lockSet: [...lockSet], parentInstanceId: "order" },
  });

export const unlock = (target: string): Message =>
  entity({
    case: "entityUnlockSent",
    value: { criticalSectionId: SECTION, targetInstanceId: target, parentInstanceId: "order" },
  });

export const event = (name: string, data: string, instanceId = COUNTER): Message => ({
  case: "sendEvent",
  value: { instance: { instanceId }, name, data },
});

export const end = (orchestrationStatus: OrchestrationStatus): Message => ({
  case: "completeOrchestration",
  value: { orchestrationStatus },
});

export const lastEvent = ({ history }: Orchestration) => readEvent(history.at(-1) as StoredEvent);
