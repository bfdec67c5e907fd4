/**
 * Entities for tests of the engine: senders that exist only as their mail, a worker that answers
 * batches, and what an entity looks like as short texts. Every step is checked: see
 * `scenario-invariants.ts`.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Environment } from "../../sidecar/engine/decision.ts";
import {
  decideEntityDue,
  decideSignal,
  type SignalCommand,
} from "../../sidecar/engine/entity/arrive.ts";
import { batchOf } from "../../sidecar/engine/entity/batch.ts";
import { type BatchAnswer, decideBatch } from "../../sidecar/engine/entity/complete-batch.ts";
import type { EntityState } from "../../sidecar/engine/entity/entity-state.ts";
import { decideMail } from "../../sidecar/engine/mail.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { entityOperationCalled, entityOperationSignaled } from "../../sidecar/wire/entity-event.ts";
import {
  type OperationAction,
  type OperationResult,
  OperationResultSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type EntityCaller,
  EntityCallerSchema,
  type EntityItem,
  EntityLockWishSchema,
  type EntityOperation,
  EntityOperationMailSchema,
  EntityOperationSchema,
  EntityReleaseSchema,
  type Mail,
  MailSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { present, readEvent } from "../../sidecar/wire/history-event.ts";
import { parseTime } from "./scenario-arguments.ts";
import { type Outcome, ScenarioWorld } from "./scenario-world.ts";

/** An orchestration as entities know it: `order` in its generation `order-1`. */
export interface Sender {
  readonly instanceId: string;
  readonly executionId: string;
  readonly legacy?: boolean;
}

export interface Sent {
  readonly input?: string;
  /** `10:00:05`. */
  readonly dueAt?: string;
}

export class EntityBench {
  readonly world: ScenarioWorld;
  #requests = 0;

  constructor(world = new ScenarioWorld()) {
    this.world = world;
  }

  state(id: string): InstanceState & { entity: EntityState } {
    const { state } = this.world.life(id);
    if (state.entity === undefined) throw new Error(`${id} is no entity`);
    return state as InstanceState & { entity: EntityState };
  }

  /** A client's signal. */
  signal(id: string, operation: string, sent: Sent = {}): Outcome {
    const command: SignalCommand = {
      instanceId: id,
      requestId: this.#requestId(),
      operation,
      input: sent.input,
      scheduledAt: timeOf(sent),
    };
    return this.world.perform(id, Cause.SIGNAL_ENTITY, (state, environment) =>
      decideSignal(state, command, environment),
    );
  }

  /** A call of an orchestration; its request id is `call-` and the operation. */
  call(id: string, sender: Sender, operation: string, sent: Sent = {}): Outcome {
    const requestId = `call-${operation}`;
    const event = entityOperationCalled(this.world.now, {
      requestId,
      operation,
      parentInstanceId: sender.instanceId,
      parentExecutionId: sender.executionId,
      ...present("input", sent.input),
    });
    const caller = callerOf(sender, requestId);
    return this.#operation(id, create(EntityOperationSchema, { event, caller }), sent);
  }

  /** A signal of an orchestration or of another entity. */
  mailSignal(id: string, operation: string, sent: Sent = {}): Outcome {
    const event = entityOperationSignaled(this.world.now, {
      requestId: this.#requestId(),
      operation,
      ...present("input", sent.input),
    });
    return this.#operation(id, create(EntityOperationSchema, { event }), sent);
  }

  /** A wish to lock what follows, in this order. It is sent to the one at `position`. */
  wish(sender: Sender, section: string, lockSet: readonly string[], position = 0): Outcome {
    const caller = callerOf(sender, section);
    const value = create(EntityLockWishSchema, { caller, lockSet: [...lockSet], position });
    return this.take(lockSet[position] ?? "", { case: "entityLockWish", value });
  }

  release(
    id: string,
    instanceId: string,
    { executionId = "", criticalSectionId = "" } = {},
  ): Outcome {
    const value = create(EntityReleaseSchema, { instanceId, executionId, criticalSectionId });
    return this.take(id, { case: "entityRelease", value });
  }

  /** Mail of a sender that nothing else comes from. */
  take(id: string, body: Mail["body"]): Outcome {
    this.#requests += 1;
    const sender = BigInt(1_000_000 + this.#requests);
    const mail = create(MailSchema, { number: 1n, targetInstanceId: id, body });
    return this.world.perform(id, Cause.MAIL, (state, environment) =>
      decideMail(state, mail, sender, environment),
    );
  }

  due(id: string, at: string): Outcome {
    this.world.now = parseTime(at);
    return this.perform(id, Cause.DUE, decideEntityDue);
  }

  perform(
    id: string,
    cause: Cause,
    decide: (state: InstanceState, environment: Environment) => ReturnType<typeof decideEntityDue>,
  ): Outcome {
    return this.world.perform(id, cause, (state, environment) => {
      if (state === undefined) throw new Error(`there is no ${id}`);
      return decide(state, environment);
    });
  }

  /** What a worker would get now. */
  batch(id: string): readonly string[] {
    const { state } = this.world.life(id);
    return batchOf(state, state.sequence).map(itemText);
  }

  /** Answers the batch that a worker would get now. Without results, all of it succeeds. */
  commit(id: string, answer: Partial<BatchAnswer> = {}): Outcome {
    const taken = this.batch(id).length;
    const results = answer.results ?? Array.from({ length: taken }, () => succeeded());
    const actions: OperationAction[] = [];
    const given = { taken, actions, text: undefined, failureDetails: undefined };
    return this.perform(id, Cause.COMPLETE_BATCH, (state, environment) =>
      decideBatch(state, { ...given, ...answer, results }, environment),
    );
  }

  queue(id: string): readonly string[] {
    return this.state(id).entity.queue.map(itemText);
  }

  scheduled(id: string): readonly string[] {
    return Array.from(this.state(id).entity.scheduled.values(), ({ operation }) =>
      operation === undefined ? "" : operationText(operation),
    );
  }

  /** `order cs-1`, or undefined when it is free. */
  lock(id: string): string | undefined {
    const holder = this.state(id).entity.lock?.holder;
    return holder && `${holder.instanceId} ${holder.requestId}`;
  }

  mail(id: string): readonly string[] {
    return this.state(id).outbox.map(mailText);
  }

  #operation(id: string, operation: EntityOperation, sent: Sent): Outcome {
    const value = create(EntityOperationMailSchema, {
      operation,
      ...present("dueAt", timeOf(sent)),
    });
    return this.take(id, { case: "entityOperation", value });
  }

  #requestId(): string {
    this.#requests += 1;
    return `00000000-0000-0000-0000-${String(this.#requests).padStart(12, "0")}`;
  }
}

export function sender(instanceId: string, facts: { readonly legacy?: boolean } = {}): Sender {
  return { instanceId, executionId: `${instanceId}-1`, ...facts };
}

export function succeeded(result?: string): OperationResult {
  const value = present("result", result);
  return create(OperationResultSchema, { resultType: { case: "success", value } });
}

export function failed(errorType: string, errorMessage: string): OperationResult {
  const value = { failureDetails: { errorType, errorMessage } };
  return create(OperationResultSchema, { resultType: { case: "failure", value } });
}

function callerOf({ instanceId, executionId, legacy }: Sender, requestId: string): EntityCaller {
  return create(EntityCallerSchema, {
    instanceId,
    executionId,
    requestId,
    ...present("legacy", legacy),
  });
}

/** `add` or `add from order`; `lock cs-1 from order`. */
function itemText({ item }: EntityItem): string {
  switch (item.case) {
    case "operation":
      return operationText(item.value);
    case "lockWish":
      return `lock ${item.value.caller?.requestId} from ${item.value.caller?.instanceId}`;
    default:
      return "nothing";
  }
}

function operationText({ event, caller }: EntityOperation): string {
  const { eventType } = event ? readEvent(event) : {};
  const isOperation =
    eventType?.case === "entityOperationSignaled" || eventType?.case === "entityOperationCalled";
  const operation = isOperation ? eventType.value.operation : "nothing";
  return caller === undefined ? operation : `${operation} from ${caller.instanceId}`;
}

/** `to order: completed call-add "1"`, `to @b@2: lock cs-1 at 1`, and so on. */
function mailText({ targetInstanceId, body }: Mail): string {
  return `to ${targetInstanceId}: ${bodyText(body)}`;
}

function bodyText(body: Mail["body"]): string {
  switch (body.case) {
    case "entityOperation": {
      const { operation, dueAt } = body.value;
      const text = operation === undefined ? "nothing" : operationText(operation);
      return dueAt === undefined ? text : `${text} later`;
    }
    case "entityLockWish":
      return `lock ${body.value.caller?.requestId} at ${body.value.position}`;
    case "entityRelease":
      return `release ${body.value.criticalSectionId} of ${body.value.executionId}`;
    case "entityAnswer":
      return answerText(body.value.event && readEvent(body.value.event));
    default:
      return body.case ?? "nothing";
  }
}

function answerText(event: ReturnType<typeof readEvent> | undefined): string {
  const { eventType } = event ?? {};
  switch (eventType?.case) {
    case "entityOperationCompleted":
      return `completed ${eventType.value.requestId} ${JSON.stringify(eventType.value.output)}`;
    case "entityOperationFailed": {
      const { requestId, failureDetails } = eventType.value;
      return `failed ${requestId} ${failureDetails?.errorType}: ${failureDetails?.errorMessage}`;
    }
    case "entityLockGranted":
      return `granted ${eventType.value.criticalSectionId}`;
    case "eventRaised":
      return `raised ${eventType.value.name} ${eventType.value.input}`;
    default:
      return "nothing";
  }
}

function timeOf({ dueAt }: Sent): Timestamp | undefined {
  return dueAt === undefined ? undefined : parseTime(dueAt);
}
