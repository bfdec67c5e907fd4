/** What an instance still is and has when its log begins anew: all that is not of the run before. */
import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import type { Decision } from "../../sidecar/engine/decision.ts";
import { decideCompactEntity } from "../../sidecar/engine/entity/care.ts";
import { newEntityState } from "../../sidecar/engine/entity/entity-state.ts";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { decideRewind } from "../../sidecar/engine/rewind/rewind.ts";
import { decideWorkerRewind } from "../../sidecar/engine/rewind/worker-history.ts";
import { type InstanceState, newState } from "../../sidecar/engine/state.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  CustomStatusOverflowSchema,
  CustomStatusSchema,
  HoldSchema,
  Kind,
  LockRequestSchema,
  MailSchema,
  MarkerSchema,
  ParentSchema,
  PendingTerminateSchema,
  RememberedRequestSchema,
  Status,
  type StoredEvent,
  TerminateMailSchema,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  eventRaised,
  executionStarted,
  executionSuspended,
  orchestratorStarted,
  readEvent,
} from "../../sidecar/wire/history-event.ts";

const then = timestampFromMs(1_000);
const now = timestampFromMs(9_000);
const ids = { next: () => "new" };

function historyOf() {
  const orchestrationInstance = { instanceId: "order", executionId: "old" };
  return [
    orchestratorStarted(then),
    executionStarted(then, { name: "Order", orchestrationInstance }),
  ];
}

/** With something in everything that a rewind has to keep. */
function stateWith(more: Partial<InstanceState>): InstanceState {
  const history = historyOf();
  const value = create(TerminateMailSchema, { recurse: true });
  const status = (revision: bigint) => create(CustomStatusSchema, { text: "busy", revision });
  return newState({
    number: 7n,
    sequence: 4,
    kind: Kind.ORCHESTRATION,
    instanceId: "order",
    name: "Order",
    version: "2",
    tags: { colour: "red" },
    parent: create(ParentSchema, { instanceId: "parent", number: 3n, executionId: "p" }),
    ancestors: [3n, 2n],
    status: Status.RUNNING,
    createdAt: then,
    updatedAt: then,
    scheduledStartAt: then,
    executionId: "old",
    customStatus: status(2n),
    customStatusHistory: [status(1n)],
    customStatusOverflow: create(CustomStatusOverflowSchema, { dropped: 1n }),
    started: history[1],
    outbox: [
      create(MailSchema, { number: 5n, targetInstanceId: "x", body: { case: "terminate", value } }),
    ],
    nextMailNumber: 6n,
    senderMarks: new Map([[3n, 8n]]),
    nextWorkId: 9n,
    turnClock: then,
    rememberedRequests: [create(RememberedRequestSchema, { requestId: "key" })],
    startFingerprint: Buffer.from("start"),
    historyEvents: history.length,
    ...more,
  });
}

/** The instance behind the decision, and the fields in which it is another one. */
function outcomeOf(before: InstanceState, decision: Decision) {
  if (decision.kind !== "append" || (decision.more ?? []).length > 0)
    throw new Error(decision.kind);
  const after = evolve(before, before.number, before.sequence + 1, decision.entry);
  const keys = Object.keys(after) as (keyof InstanceState)[];
  const changed = keys.filter((key) => !isDeepStrictEqual(after[key], before[key])).sort();
  return { after, changed };
}

/** What comes of an answer to a turn with so many events of the inbox. */
function rewoundByWorker(before: InstanceState, taken: number): Decision {
  const environment = { now, ids, cause: Cause.COMPLETE_TURN, principal: "" };
  const newHistory = historyOf().map(readEvent);
  const answer = { actions: [], newHistory, taken, clock: now };
  const outcome = decideWorkerRewind(before, answer, environment);
  if ("failure" in outcome) throw new Error(outcome.failure.errorMessage);
  return outcome.decision;
}

const ofTheRun = ["executionId", "generation", "historyBytes", "sequence", "started"];
const ofTheTurn = ["turnClock", "turnWanted", "updatedAt"];

test("an instance that had failed is the same but for its end", () => {
  const before = stateWith({ status: Status.FAILED, completedAt: then, completed: historyOf()[0] });
  const command = { instanceId: "order", reason: undefined };
  const environment = { now, ids, cause: Cause.REWIND, principal: "" };
  const decision = decideRewind(before, historyOf(), command, environment);
  const ofTheEnd = ["completed", "completedAt", "historyEvents", "status"];
  const { changed } = outcomeOf(before, decision);
  expect(changed).toEqual([...ofTheEnd, ...ofTheRun, ...ofTheTurn].sort());
});

test("an instance that its worker rewinds keeps what holds it, and what has come for it", () => {
  const shownEvent = (stored: StoredEvent) => {
    const { eventType: type } = readEvent(stored);
    return type.case === "eventRaised" ? `${type.case} ${type.value.name}` : type.case;
  };
  const raised = (name: string) => eventRaised(then, name, undefined);
  const before = stateWith({
    holds: [create(HoldSchema, { name: "mine", timerPolicy: TimerPolicy.FREEZE })],
    heldSince: then,
    frozenSince: then,
    pendingTerminate: create(PendingTerminateSchema, { recurse: true }),
    markers: [create(MarkerSchema, { event: executionSuspended(then, "mine") })],
    inbox: [raised("taken"), raised("later")],
  });
  const { after, changed } = outcomeOf(before, rewoundByWorker(before, 1));
  const ofWhatWaits = ["bufferedBytes", "bufferedEvents", "inbox", "markers"];
  expect(changed).toEqual([...ofWhatWaits, ...ofTheRun, ...ofTheTurn].sort());
  const waits = [...after.inbox, ...after.markers.flatMap(({ event }) => event ?? [])];
  expect(waits.map(shownEvent)).toEqual(["eventRaised later", "executionSuspended"]);
});

test("an instance that its worker rewinds leaves the critical sections in which it is", () => {
  const request = (id: bigint, granted: boolean, lockSet: string[]) =>
    [
      id,
      create(LockRequestSchema, { id, criticalSectionId: `cs${id}`, granted, lockSet }),
    ] as const;
  const before = stateWith({
    lockRequests: new Map([request(1n, true, ["@a@1", "@a@2"]), request(2n, false, ["@b@1"])]),
  });
  const outbox = before.outbox.length;
  const { after } = outcomeOf(before, rewoundByWorker(before, 0));
  expect(after.lockRequests.size).toBe(0);
  const sent = after.outbox.slice(outbox).map(({ number, targetInstanceId, body }) => {
    const { executionId, criticalSectionId } =
      body.case === "entityRelease" ? body.value : { executionId: "", criticalSectionId: "" };
    return `${number} ${targetInstanceId} ${executionId} ${criticalSectionId}`;
  });
  expect(sent).toEqual(["6 @a@1 old cs1", "7 @a@2 old cs1", "8 @b@1 old cs2"]);
});

test("an entity whose log begins again is the same, with what it remembers of requests", () => {
  const before = stateWith({
    kind: Kind.ENTITY,
    instanceId: "@a@1",
    entity: { ...newEntityState(), text: "1", modifiedAt: then },
    started: undefined,
    historyEvents: 0,
    parent: undefined,
  });
  const environment = { now, ids, cause: Cause.COMPACT_ENTITY, principal: "" };
  const decision = decideCompactEntity(before, environment);
  expect(outcomeOf(before, decision).changed).toEqual(["generation", "sequence", "updatedAt"]);
});
