/** Creation of an instance by a client, and of a child by its parent's mail. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { TraceContext } from "../wire/gen/orchestrator_service_pb.ts";
import { Death, type Entry } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type CustomStatus,
  CustomStatusSchema,
  Kind,
  type Parent,
  Status,
  type StoredEvent,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { executionStarted, present } from "../wire/history-event.ts";
import { isAfter } from "../wire/timestamp.ts";
import { type Decision, type Environment, newEntry, nothing, refuse } from "./decision.ts";
import { releasesOf } from "./entity/leave.ts";
import { decideIdReuse, type IdReusePolicy } from "./id-reuse.ts";
import { type InstanceState, newState } from "./state.ts";
import { toStoredState } from "./stored-state.ts";

export interface StartCommand {
  readonly instanceId: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly input: string | undefined;
  readonly tags: Record<string, string>;
  readonly parentTraceContext: TraceContext | undefined;
  readonly scheduledStartAt: Timestamp | undefined;
  /** Adopted when the client names one; normally absent or empty. */
  readonly executionId: string | undefined;
  readonly idReusePolicy: IdReusePolicy | undefined;
  /**
   * Digest of the request when it carries its own time: the same one again is a repeat, not a
   * duplicate.
   */
  readonly fingerprint: Uint8Array | undefined;
  /** Why a maintenance window lets no such instance be started, if one does. */
  readonly refusedBecause: string | undefined;
}

export function decideStart(
  existing: InstanceState | undefined,
  command: StartCommand,
  environment: Environment,
): Decision {
  const { now, ids } = environment;
  if (existing !== undefined) {
    if (isRepeat(existing, command)) return nothing;
  }
  if (command.refusedBecause !== undefined) return refuse("unavailable", command.refusedBecause);
  if (existing !== undefined) {
    const refusal = decideIdReuse(existing, command.idReusePolicy);
    if (refusal !== undefined) return refusal;
  }
  const executionId = command.executionId || ids.next();
  // JavaScript sends the epoch for "now"; a start that is not in the future is none (trap T21).
  const scheduledStartAt =
    command.scheduledStartAt !== undefined && isAfter(command.scheduledStartAt, now)
      ? command.scheduledStartAt
      : undefined;
  const { instanceId, name, version, input, tags, parentTraceContext, fingerprint } = command;
  const started = executionStarted(now, {
    name,
    tags,
    orchestrationInstance: { instanceId, executionId },
    ...present("version", version),
    ...present("input", input),
    ...present("parentTraceContext", parentTraceContext),
    ...present("scheduledStartTimestamp", scheduledStartAt),
  });
  return beginLife(existing, environment, {
    instanceId,
    name,
    version,
    tags,
    executionId,
    started,
    scheduledStartAt,
    fingerprint,
    parent: undefined,
    ancestors: [],
  });
}

/**
 * A client that lost the reply sends the same request again; its time of sending proves that it is
 * the same.
 */
function isRepeat(existing: InstanceState, command: StartCommand): boolean {
  const { startFingerprint } = existing;
  if (startFingerprint === undefined || command.fingerprint === undefined) return false;
  return Buffer.from(startFingerprint).equals(command.fingerprint);
}

export interface NewLife {
  readonly instanceId: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly tags: Record<string, string>;
  readonly executionId: string;
  readonly started: StoredEvent;
  readonly scheduledStartAt: Timestamp | undefined;
  readonly fingerprint: Uint8Array | undefined;
  readonly parent: Parent | undefined;
  readonly ancestors: readonly bigint[];
}

/** Begins a life with `life.started` in its inbox, in place of `existing` if there is one. */
export function beginLife(
  existing: InstanceState | undefined,
  environment: Environment,
  life: NewLife,
): Decision {
  const entry = newEntry(environment);
  entry.base = toStoredState(
    newState({
      kind: Kind.ORCHESTRATION,
      instanceId: life.instanceId,
      name: life.name,
      version: life.version,
      tags: life.tags,
      parent: life.parent,
      ancestors: [...life.ancestors],
      status: Status.PENDING,
      createdAt: environment.now,
      updatedAt: environment.now,
      scheduledStartAt: life.scheduledStartAt,
      startPending: life.scheduledStartAt !== undefined,
      executionId: life.executionId,
      startFingerprint: life.fingerprint,
      customStatus: continuedRevision(existing, environment),
      // Replay derives identities from the instance id and the clock of a turn (trap T12).
      turnClock: existing?.turnClock,
      // Mail that reached the replaced life and is delivered again is still a repeat.
      senderMarks: new Map(existing?.senderMarks),
      inbox: [life.started],
      ...inheritedMail(existing),
    }),
  );
  return { kind: "begin", entry, ended: existing && endOf(environment, Death.REPLACED) };
}

/**
 * Mail that the replaced life had committed to send still goes out, under numbers of the new log; and
 * entities that it had locked are released.
 */
function inheritedMail(existing: InstanceState | undefined) {
  const outbox = (existing?.outbox ?? []).map((mail, index) => ({
    ...mail,
    number: BigInt(index + 1),
  }));
  if (existing !== undefined) outbox.push(...releasesOf(existing, BigInt(outbox.length + 1)));
  return { outbox, nextMailNumber: BigInt(outbox.length + 1) };
}

/**
 * Revisions go on over a replacement, so that somebody who knows an old one never takes it for a
 * newer.
 */
function continuedRevision(
  existing: InstanceState | undefined,
  { now }: Environment,
): CustomStatus | undefined {
  const last = existing?.customStatus;
  if (last === undefined || last.text === undefined) return last;
  return create(CustomStatusSchema, { revision: last.revision + 1n, updatedAt: now });
}

/** The last entry of a life. */
export function endOf(environment: Environment, death: Death): Entry {
  const entry = newEntry(environment);
  entry.death = death;
  return entry;
}
