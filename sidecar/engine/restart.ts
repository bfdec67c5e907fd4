/**
 * Starting an instance again as it was started: its name, version and tags, and the input of its
 * current generation. Nobody waits for the new life: it has no parent.
 *
 * @see PROTOCOL.md 2.2
 */
import { OrchestrationStatusSchema } from "../wire/gen/orchestrator_service_pb.ts";
import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionStarted, present } from "../wire/history-event.ts";
import { type Decision, type Environment, refuse } from "./decision.ts";
import { beginLife } from "./start.ts";
import { startedEventOf } from "./started-event.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal, shownStatus } from "./status.ts";

/** What is started again. */
export interface Restarted {
  readonly name: string;
  readonly version: string | undefined;
  readonly input: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** What a restart of the instance would start; undefined for what is no orchestration. */
export function restartOf(state: InstanceState | undefined): Restarted | undefined {
  if (state === undefined || state.kind !== Kind.ORCHESTRATION) return undefined;
  const { name, version, tags } = state;
  return { name, version, tags, input: startedEventOf(state).input };
}

export interface RestartCommand {
  readonly instanceId: string;
  readonly restarted: Restarted;
  /** Why a maintenance window lets no such instance be started, if one does. */
  readonly refusedBecause: string | undefined;
}

/**
 * Begins the life that a restart asks for, under the id of a finished instance or under one that
 * nobody has.
 */
export function decideRestart(
  existing: InstanceState | undefined,
  { instanceId, restarted, refusedBecause }: RestartCommand,
  environment: Environment,
): Decision {
  if (existing !== undefined && !isTerminal(existing)) return refuseRestart(existing);
  if (refusedBecause !== undefined) return refuse("unavailable", refusedBecause);
  const executionId = environment.ids.next();
  const { name, version, input } = restarted;
  const tags = { ...restarted.tags };
  const started = executionStarted(environment.now, {
    name,
    tags,
    orchestrationInstance: { instanceId, executionId },
    ...present("version", version),
    ...present("input", input),
  });
  return beginLife(existing, environment, {
    instanceId,
    name,
    version,
    tags,
    executionId,
    started,
    scheduledStartAt: undefined,
    fingerprint: undefined,
    parent: undefined,
    ancestors: [],
  });
}

function refuseRestart(state: InstanceState): Decision {
  const status = OrchestrationStatusSchema.value[shownStatus(state)]?.localName;
  const id = JSON.stringify(state.instanceId);
  return refuse(
    "failed-precondition",
    `instance ${id} is in the ${status} state: only a finished one is restarted under its own id`,
  );
}
