/** With what a child orchestration begins: its own event, and what it knows of its ancestors. */
import { create } from "@bufbuild/protobuf";
import { assert } from "../foundation/assert.ts";
import { isEntityId } from "../foundation/entity-id.ts";
import { LIMITS } from "../foundation/limits.ts";
import { instanceIdProblem } from "../foundation/text-rules.ts";
import type { CreateSubOrchestrationAction } from "../wire/gen/orchestrator_service_pb.ts";
import {
  type Parent,
  ParentSchema,
  type StoredEvent,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent, executionStarted, present, readEvent } from "../wire/history-event.ts";
import { isAfter } from "../wire/timestamp.ts";
import type { Decision, Environment } from "./decision.ts";
import { fireAndForgetTag } from "./outbox.ts";
import { beginLife } from "./start.ts";
import type { InstanceState } from "./state.ts";

/** What a parent asks for; the event of the creation says the same as the action that led to it. */
export type WantedChild = Pick<
  CreateSubOrchestrationAction,
  "name" | "version" | "input" | "parentTraceContext" | "tags"
>;

export interface ChildStart {
  /** ExecutionStarted. */
  readonly started: StoredEvent;
  readonly parent: Parent;
  readonly ancestors: bigint[];
  /** It does not report. */
  readonly detached: boolean;
}

type ParentFacts = Pick<
  InstanceState,
  "instanceId" | "executionId" | "name" | "version" | "tags" | "number" | "ancestors"
>;

/** @param taskScheduledId action id of the creation */
export function childStart(
  of: ParentFacts,
  taskScheduledId: number,
  instanceId: string,
  wanted: WantedChild,
  { now, ids }: Pick<Environment, "now" | "ids">,
): ChildStart {
  const executionId = ids.next();
  // Not this one: its own children would never report, and it would wait for them for ever.
  const { [fireAndForgetTag]: _, ...inherited } = of.tags;
  const tags = { ...inherited, ...wanted.tags };
  const ofParent = {
    taskScheduledId,
    name: of.name,
    ...present("version", of.version),
  };
  const started = executionStarted(now, {
    name: wanted.name,
    tags,
    orchestrationInstance: { instanceId, executionId },
    parentInstance: {
      ...ofParent,
      orchestrationInstance: { instanceId: of.instanceId, executionId: of.executionId },
    },
    ...present("version", wanted.version),
    ...present("input", wanted.input),
    ...present("parentTraceContext", wanted.parentTraceContext),
  });
  const parent = create(ParentSchema, {
    ...ofParent,
    instanceId: of.instanceId,
    executionId: of.executionId,
    number: of.number,
  });
  const ancestors = [of.number, ...of.ancestors].slice(0, LIMITS.ancestorsMax);
  return { started, parent, ancestors, detached: Object.hasOwn(tags, fireAndForgetTag) };
}

/** Begins the life of a child, in the place of a finished one that has its id. */
export function beginChild(
  existing: InstanceState | undefined,
  child: Omit<ChildStart, "parent" | "detached"> & { readonly parent: Parent | undefined },
  environment: Environment,
): Decision {
  const { eventType } = readEvent(child.started);
  assert(eventType.case === "executionStarted", "a stored event is of its kind");
  const { name, version, tags, orchestrationInstance, scheduledStartTimestamp } = eventType.value;
  const executionId = orchestrationInstance?.executionId;
  assert(orchestrationInstance !== undefined && executionId !== undefined, "a child has its ids");
  return beginLife(existing, environment, {
    instanceId: orchestrationInstance.instanceId,
    name,
    version,
    tags,
    executionId,
    started: copyEvent(child.started),
    // Only entities start orchestrations for later.
    scheduledStartAt:
      scheduledStartTimestamp !== undefined && isAfter(scheduledStartTimestamp, environment.now)
        ? scheduledStartTimestamp
        : undefined,
    fingerprint: undefined,
    parent: child.parent,
    ancestors: child.ancestors,
  });
}

/** Why no orchestration can have this id; undefined when it can. */
export function childIdProblem(instanceId: string): string | undefined {
  return isEntityId(instanceId) ? "has the form of an entity id" : instanceIdProblem(instanceId);
}
