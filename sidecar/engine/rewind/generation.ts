/**
 * A generation that begins with a history: what the base cannot say is in the entry of the base and
 * in as many further ones as it takes, all of one commit.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { assert } from "../../foundation/assert.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { permanentFailure } from "../../wire/failure-details.ts";
import type { Entry } from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  type Child,
  ChildSchema,
  type Mail,
  MailSchema,
  MarkerSchema,
  type Parent,
  RewindChildSchema,
  Status,
  type StoredEvent,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent, present, subOrchestrationFailed } from "../../wire/history-event.ts";
import { childIdProblem, childStart } from "../child-start.ts";
import { type Decision, type Environment, newEntry } from "../decision.ts";
import { releasesOf } from "../entity/leave.ts";
import { type InstanceState, newState } from "../state.ts";
import { toStoredState } from "../stored-state.ts";
import type { OpenChild } from "./kept-history.ts";

export interface RewoundRun {
  readonly executionId: string;
  readonly parent: Parent | undefined;
  /** What the generation begins with; no event of it belongs to anybody else. */
  readonly history: readonly StoredEvent[];
  /** Children that are told to go on. */
  readonly children: readonly OpenChild[];
  /** External events that wait. */
  readonly inbox: readonly StoredEvent[];
  readonly clock: Timestamp;
  readonly reason: string | undefined;
}

/**
 * Begins the next generation of `state` with a history. Of outstanding work nothing goes on: queued
 * activities are removed, and results for the earlier generation find nobody.
 */
export function beginRewound(
  state: InstanceState,
  run: RewoundRun,
  environment: Environment,
): Decision {
  const first = newEntry(environment);
  first.base = toStoredState(nextGeneration(state, run, environment));
  // Of what workers have too: their tokens are void from here on.
  first.workCancelled = true;
  const entries = new Entries(first, environment);
  for (const event of run.history) entries.withRoomFor(event.event.length).history.push(event);
  for (const mail of releasesOf(state, state.nextMailNumber)) entries.send(mail);
  tellChildren(state, run, entries, environment);
  return { kind: "append", entry: first, more: entries.more };
}

/** Entries of bounded size, the last of which is being filled. */
class Entries {
  readonly more: Entry[] = [];
  readonly #environment: Environment;
  #last: Entry;
  #bytes = 0;
  mailSent = 0;

  constructor(first: Entry, environment: Environment) {
    this.#last = first;
    this.#environment = environment;
  }

  withRoomFor(bytes: number): Entry {
    if (this.#bytes > 0 && this.#bytes + bytes > LIMITS.historyEntryBytesMax) {
      this.#last = newEntry(this.#environment);
      this.more.push(this.#last);
      this.#bytes = 0;
    }
    this.#bytes += bytes;
    return this.#last;
  }

  send(mail: Mail, bytes = 0): void {
    this.withRoomFor(bytes).mailSent.push(mail);
    this.mailSent += 1;
  }
}

function nextGeneration(
  state: InstanceState,
  { executionId, parent, inbox, clock }: RewoundRun,
  { now }: Environment,
): InstanceState {
  return newState({
    kind: state.kind,
    instanceId: state.instanceId,
    name: state.name,
    version: state.version,
    tags: state.tags,
    parent,
    ancestors: state.ancestors,
    status: Status.RUNNING,
    createdAt: state.createdAt,
    updatedAt: now,
    scheduledStartAt: state.scheduledStartAt,
    generation: state.generation + 1,
    executionId,
    customStatus: state.customStatus,
    customStatusHistory: [...state.customStatusHistory],
    customStatusOverflow: state.customStatusOverflow,
    holds: state.holds,
    heldSince: state.heldSince,
    frozenSince: state.frozenSince,
    pendingTerminate: state.pendingTerminate,
    inbox: [...inbox],
    turnWanted: true,
    markers: state.markers.map(({ event }) => {
      assert(event !== undefined, "a marker has its event");
      return create(MarkerSchema, { event: copyEvent(event) });
    }),
    outbox: state.outbox,
    nextMailNumber: state.nextMailNumber,
    senderMarks: state.senderMarks,
    nextWorkId: state.nextWorkId,
    turnClock: clock,
    rememberedRequests: state.rememberedRequests,
    startFingerprint: state.startFingerprint,
  });
}

/**
 * Children that are outstanding again. By mail, so that whatever ends the process, each of them is
 * told once. Those that do not report are left alone.
 */
function tellChildren(
  state: InstanceState,
  { executionId, children, reason }: RewoundRun,
  entries: Entries,
  environment: Environment,
): void {
  let id = state.nextWorkId;
  for (const { taskScheduledId, created } of children) {
    const { instanceId } = created;
    const problem = childIdProblem(instanceId);
    if (problem !== undefined) {
      const message = `the instance id of the child ${problem}`;
      const details = permanentFailure("InvalidInstanceId", message);
      const event = subOrchestrationFailed(taskScheduledId, environment.now, details);
      entries.withRoomFor(event.event.length).inboxAdded.push(event);
      continue;
    }
    const of = { ...state, executionId };
    const { detached, ...start } = childStart(
      of,
      taskScheduledId,
      instanceId,
      created,
      environment,
    );
    const child: Child = create(ChildSchema, { id, taskScheduledId, instanceId, detached });
    id += 1n;
    entries.withRoomFor(0).childrenAdded.push(child);
    if (detached) continue;
    const number = state.nextMailNumber + BigInt(entries.mailSent);
    const value = create(RewindChildSchema, { ...start, ...present("reason", reason) });
    const body: Mail["body"] = { case: "rewindChild", value };
    const mail = create(MailSchema, { number, targetInstanceId: instanceId, body });
    entries.send(mail, start.started.event.length);
  }
}
