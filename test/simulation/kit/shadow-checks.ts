/** What must hold of the disk after every write, whatever happened (RELIABILITY.md, section 5). */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import {
  ExpiryAction,
  Status,
  type StoredEvent,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import { hasBatch } from "../../support/entity-invariants.ts";
import { isRewind } from "./rewound-results.ts";
import type { Life, Shadow } from "./shadow.ts";
import { violated } from "./violation.ts";

/** What an instance was at the last look. */
export interface Before {
  readonly generation: number;
  readonly status: Status;
  readonly revision: bigint;
  readonly turnClock: number | undefined;
  readonly historyLength: number;
  readonly isToEnd: boolean;
}

export class ShadowChecks {
  readonly #shadow: Shadow;
  readonly #before = new Map<bigint, Before>();
  /** An instance has come to its end, or is gone. */
  readonly #ended: (life: Life) => void;
  /** The latest time that the hub's clock has ever shown. */
  readonly #highestMs: () => number;
  looked = 0;

  constructor(shadow: Shadow, highestMs: () => number, ended: (life: Life) => void) {
    this.#shadow = shadow;
    this.#highestMs = highestMs;
    this.#ended = ended;
  }

  /** Looks at all that has changed. @throws Violation */
  look(): void {
    const { touched, lives } = this.#shadow;
    for (const number of touched) {
      const life = lives.get(number);
      if (life !== undefined) this.#lookAt(life);
    }
    touched.clear();
  }

  #lookAt(life: Life): void {
    this.looked += 1;
    const { state, number } = life;
    const what = `${state.instanceId} (log ${number})`;
    checkRows(this.#shadow, life, what);
    for (const entry of life.fresh) {
      const { time } = entry.header ?? {};
      if (time === undefined) violated(`${what} has an entry without a time`);
      if (timestampMs(time) > this.#highestMs()) violated(`${what} has an entry of the future`);
    }
    if (!life.isOver) {
      checkState(state, what);
      if (isTerminal(state)) checkTerminal(state, what);
      else checkDriver(this.#shadow, life, what);
      this.#checkAgainstBefore(life, what);
      checkHistory(life, what);
    }
    life.fresh = [];
    if (life.isOver || isTerminal(state)) this.#ended(life);
  }

  #checkAgainstBefore({ number, state, history, fresh }: Life, what: string): void {
    // A rewind is the one way back from an end: see `RewoundResults`.
    const isRewound = fresh.some(isRewind);
    const before = this.#before.get(number);
    const { generation, status, customStatus } = state;
    const revision = customStatus?.revision ?? 0n;
    const turnClock = state.turnClock && timestampMs(state.turnClock);
    if (before !== undefined) {
      if (generation < before.generation) violated(`${what} went back a generation`);
      if (revision < before.revision) violated(`${what}: its custom status went back`);
      if (isRewound && generation === before.generation) violated(`${what} was rewound in place`);
      if (!isRewound && isFinal(before.status) && status !== before.status) {
        violated(`${what} went on behind its end: ${before.status} became ${status}`);
      }
      if (before.status === Status.RUNNING && status === Status.PENDING) {
        violated(`${what} is pending again`);
      }
      if ((turnClock ?? 0) < (before.turnClock ?? 0)) violated(`${what}: the turn clock went back`);
      if (before.isToEnd && state.pendingTerminate === undefined && !isTerminal(state)) {
        violated(`G11: the termination of ${what} was forgotten`);
      }
      const isSame = generation === before.generation;
      if (isSame && history.length < before.historyLength) violated(`${what} lost history`);
      if (isSame && isFinal(before.status) && history.length > before.historyLength) {
        violated(`${what} has history behind its end`);
      }
    }
    const historyLength = history.length;
    const isToEnd = state.pendingTerminate !== undefined;
    const now = { generation, status, revision, turnClock, historyLength, isToEnd };
    this.#before.set(number, now);
  }
}

/** I6 and I8: rows say what the log says. */
function checkRows(shadow: Shadow, { number, hub, state, isOver }: Life, what: string): void {
  const ready = shadow.ready.get(number);
  const due = shadow.dueOf(number);
  if (isOver) {
    if (ready !== undefined) violated(`${what} is over, and has a ready row`);
    if (due.length > 0) violated(`${what} is over, and has a due row`);
    return;
  }
  const row = shadow.row({ hub, instanceId: state.instanceId });
  if (row?.number !== number) violated(`${what} has no row`);
  if (row.generation !== state.generation) violated(`${what}: its row is of another generation`);
  if ((ready !== undefined) !== mustBeReady(state)) {
    violated(`${what} ${ready ? "has a ready row and nothing to do" : "has no ready row"}`);
  }
  const [earliest] = dueTimes(state).sort((left, right) => (left < right ? -1 : 1));
  const shown = due.map(({ seconds, nanos }) => seconds * 1_000_000_000n + BigInt(nanos));
  const expected = earliest === undefined ? [] : [earliest];
  if (shown.join() !== expected.join()) {
    violated(`${what} is due at [${expected}], and its rows say [${shown}]`);
  }
  for (const address of [...(ready ? [ready] : []), ...due]) {
    const isOwn = address.instanceId === state.instanceId && address.hub === hub;
    if (!isOwn) violated(`${what}: a row names ${address.hub}/${address.instanceId}`);
  }
}

/** Worked out apart from the engine: an invariant should not trust what it checks. */
function mustBeReady(state: InstanceState): boolean {
  if (state.pendingTerminate !== undefined || state.outbox.length > 0) return true;
  if (state.holds.length > 0) return false;
  const isWanted = state.inbox.length > 0 || state.turnWanted;
  const hasTurn = !isTerminal(state) && !state.startPending && isWanted;
  return hasTurn || state.activities.size > 0 || hasBatch(state);
}

function dueTimes(state: InstanceState): bigint[] {
  const times: bigint[] = [];
  const add = (time: { readonly seconds: bigint; readonly nanos: number } | undefined) => {
    if (time !== undefined) times.push(time.seconds * 1_000_000_000n + BigInt(time.nanos));
  };
  if (state.startPending) add(state.scheduledStartAt);
  const isFrozen = state.holds.some(({ timerPolicy }) => timerPolicy === TimerPolicy.FREEZE);
  if (!isFrozen) for (const { dueAt } of state.timers.values()) add(dueAt);
  for (const { dueAt } of state.entity?.scheduled.values() ?? []) add(dueAt);
  for (const { expiresAt, expiryAction } of state.holds) {
    const terminates = expiryAction === ExpiryAction.TERMINATE;
    if (expiryAction === ExpiryAction.RESUME) add(expiresAt);
    if (terminates && state.pendingTerminate === undefined) add(expiresAt);
  }
  return times;
}

function checkState(state: InstanceState, what: string): void {
  const numbers = state.outbox.map(({ number }) => number);
  const expected = numbers.map((_, at) => state.nextMailNumber - BigInt(numbers.length - at));
  if (numbers.join() !== expected.join()) violated(`${what}: mail [${numbers}] is not dense`);
  const names = state.holds.map(({ name }) => name);
  if (new Set(names).size !== names.length) violated(`${what} has two holds of one name`);
  for (const id of [...state.activities.keys(), ...state.timers.keys(), ...state.children.keys()]) {
    if (id >= state.nextWorkId) violated(`${what}: work ${id} has an identity of the future`);
  }
}

/** I4. */
function checkTerminal(state: InstanceState, what: string): void {
  const waits = [state.timers, state.children, state.entityCalls, state.lockRequests];
  const left = [state.inbox, state.markers, state.holds, ...waits.map((each) => [...each])];
  if (left.some((each) => each.length > 0)) violated(`${what} has ended, and waits for something`);
  if (state.completed === undefined) violated(`${what} has ended without an ExecutionCompleted`);
  for (const { detached } of state.activities.values()) {
    if (!detached) violated(`${what} has ended, and waits for an activity`);
  }
}

/** I1 and I5: something will wake it; a child that is waited for exists, or is on its way. */
function checkDriver(shadow: Shadow, { number, hub, state }: Life, what: string): void {
  for (const child of state.children.values()) {
    if (child.detached) continue;
    const isMailed = state.outbox.some(
      ({ body, targetInstanceId }) =>
        (body.case === "startChild" || body.case === "rewindChild") &&
        targetInstanceId === child.instanceId,
    );
    if (isMailed) continue;
    const row = shadow.row({ hub, instanceId: child.instanceId });
    const life = row && shadow.lives.get(row.number);
    const parent = life?.state.parent;
    if (parent?.number !== number)
      violated(`${what} waits for ${child.instanceId}, nobody's child`);
    const reports = life?.state.outbox.some(({ body }) => body.case === "childResult");
    if (life !== undefined && isTerminal(life.state) && !reports) {
      violated(`${what} waits for ${child.instanceId}, which has ended without a report`);
    }
  }
}

/** I7 and G3: one start, one end, and one answer to each question. */
function checkHistory({ state, history }: Life, what: string): void {
  if (state.entity !== undefined) return checkEntity(state, what);
  let starts = 0;
  let ends = 0;
  const answered = new Set<string>();
  for (const stored of [...history, ...state.inbox]) {
    const answer = answeredBy(stored);
    if (answer === "start") starts += 1;
    if (answer === "end") ends += 1;
    if (answer === "" || answer === "start" || answer === "end") continue;
    if (answered.has(answer)) violated(`${what} has two answers to ${answer}`);
    answered.add(answer);
  }
  if (starts !== 1) violated(`${what} was started ${starts} times`);
  const expected = isTerminal(state) ? 1 : 0;
  if (ends !== expected) violated(`${what} has ${ends} ends`);
  const last = history.at(-2);
  if (ends === 0 && last !== undefined && state.turnClock === undefined) {
    violated(`${what} has run without a clock`);
  }
}

function checkEntity({ entity, inbox, markers }: InstanceState, what: string): void {
  if (inbox.length + markers.length > 0) violated(`${what} is an entity, and has events`);
  const isFree = entity?.lock === undefined;
  if (isFree && entity?.queue[0]?.item.case === "lockWish") violated(`nobody locks ${what}`);
}

const known = new WeakMap<StoredEvent, string>();

/** What an event answers; "start" and "end" of a generation, and nothing for all others. */
function answeredBy(stored: StoredEvent): string {
  let answer = known.get(stored);
  if (answer === undefined) {
    answer = readAnswer(stored);
    known.set(stored, answer);
  }
  return answer;
}

function readAnswer(stored: StoredEvent): string {
  const { eventType: type } = readEvent(stored);
  switch (type.case) {
    case "executionStarted":
      return "start";
    case "executionCompleted":
      return "end";
    case "taskCompleted":
    case "taskFailed":
      return `activity ${type.value.taskScheduledId}`;
    case "timerFired":
      return `timer ${type.value.timerId}`;
    case "subOrchestrationInstanceCompleted":
    case "subOrchestrationInstanceFailed":
      return `child ${type.value.taskScheduledId}`;
    case "entityOperationCompleted":
    case "entityOperationFailed":
      return `call ${type.value.requestId}`;
    case "entityLockGranted":
      return `section ${type.value.criticalSectionId}`;
    default:
      return "";
  }
}

export function isTerminal({ status }: InstanceState): boolean {
  return isFinal(status);
}

function isFinal(status: Status): boolean {
  return status !== Status.PENDING && status !== Status.RUNNING;
}
