/**
 * What stays of a history that is rewound: all that has succeeded. What failed, and what had no
 * answer yet, is forgotten, so that the orchestrator asks for it again. Children stay: they are told
 * to go on.
 *
 * A failure that the orchestrator has dealt with by another attempt stays too: without it the replay
 * would never come to the attempts that followed (trap T2).
 *
 * @see PROTOCOL.md 4.13
 */
import type {
  EventSentEvent,
  SubOrchestrationInstanceCreatedEvent,
  TaskScheduledEvent,
} from "../../wire/gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, present, readEvent } from "../../wire/history-event.ts";
import { childIdProblem } from "../child-start.ts";
import { legacyMessageIn } from "../turn/legacy-entity-messages.ts";

export interface OpenChild {
  readonly taskScheduledId: number;
  readonly created: SubOrchestrationInstanceCreatedEvent;
}

export interface KeptHistory {
  /** The events themselves, in order. */
  readonly events: readonly StoredEvent[];
  /** Children whose result is not among them. */
  readonly children: readonly OpenChild[];
}

export function keptHistory(history: readonly StoredEvent[]): KeptHistory {
  const reading = new HistoryReading();
  for (const [index, event] of history.entries()) reading.add(index, event);
  return reading.end(history);
}

/** One time that something was asked for. Numbers are places in the history. */
interface Attempt {
  readonly at: number;
  isAnswered: boolean;
  failedAt: number | undefined;
  failedInTurn: number | undefined;
  isRetried: boolean;
}

interface ActivityAttempt extends Attempt {
  readonly scheduled: TaskScheduledEvent;
}

interface ChildAttempt extends Attempt, OpenChild {}

interface RunningTimer {
  readonly at: number;
  readonly turn: number;
}

class HistoryReading {
  readonly #forgotten = new Set<number>();
  readonly #activities: ActivityAttempt[] = [];
  readonly #children: ChildAttempt[] = [];
  /** The newest attempt under each action id. */
  readonly #activityOf = new Map<number, ActivityAttempt>();
  readonly #childOf = new Map<number, ChildAttempt>();
  readonly #childNamed = new Map<string, ChildAttempt>();
  readonly #timers = new Map<number, RunningTimer>();
  /** Operations and locks of entities without an answer: their places, by request. */
  readonly #requests = new Map<string, number>();
  #turn = 0;
  /** Where an earlier rewind ended: failures that it kept are dealt with. */
  #rewoundAt = 0;
  readonly #failedIn = new Map<number, ActivityAttempt[]>();
  /** Turns that made a timer that has fired in this turn. */
  #pausedSince = new Set<number>();
  /** Activities that failed in this turn or in one of those, by what they were asked. */
  #mayBeRetried = new Map<string, ActivityAttempt[]>();

  add(index: number, stored: StoredEvent): void {
    if (stored.kind === EventKind.executionStarted) return;
    // Most of a history may be these, and nearly always there is nothing to learn from them.
    if (stored.kind === EventKind.eventRaised && this.#requests.size === 0) return;
    const { eventId, eventType: type } = readEvent(stored);
    switch (type.case) {
      case "orchestratorStarted":
        this.#turn += 1;
        this.#pausedSince = new Set();
        this.#mayBeRetried = new Map();
        return;
      case "executionCompleted":
        this.#forgotten.add(index);
        return;
      case "executionRewound":
        this.#rewoundAt = index;
        return;
      case "taskScheduled":
        return this.#scheduled(index, eventId, type.value);
      case "taskCompleted":
        return answer(this.#activityOf.get(type.value.taskScheduledId));
      case "taskFailed":
        return this.#failed(index, type.value.taskScheduledId);
      case "subOrchestrationInstanceCreated":
        return this.#created(index, { taskScheduledId: eventId, created: type.value });
      case "subOrchestrationInstanceCompleted":
        return answer(this.#childOf.get(type.value.taskScheduledId));
      case "subOrchestrationInstanceFailed":
        return this.#childFailed(index, type.value.taskScheduledId);
      case "timerCreated":
        this.#timers.set(eventId, { at: index, turn: this.#turn });
        return;
      case "timerFired":
        return this.#fired(type.value.timerId);
      case "entityOperationCalled":
        this.#requests.set(type.value.requestId, index);
        return;
      case "entityOperationCompleted":
      case "entityOperationFailed":
        this.#requests.delete(type.value.requestId);
        return;
      case "entityLockRequested":
        this.#requests.set(type.value.criticalSectionId, index);
        return;
      case "entityLockGranted":
        this.#requests.delete(type.value.criticalSectionId);
        return;
      case "eventSent":
        return this.#sent(index, type.value);
      case "eventRaised":
        this.#requests.delete(type.value.name);
        return;
      default:
    }
  }

  end(history: readonly StoredEvent[]): KeptHistory {
    const timersOf = new Set(Array.from(this.#timers.values(), ({ turn }) => turn));
    for (const attempt of this.#activities) {
      if (attempt.isAnswered || this.#isDealtWith(attempt, timersOf)) continue;
      this.#forgotten.add(attempt.at);
      if (attempt.failedAt !== undefined) this.#forgotten.add(attempt.failedAt);
    }
    const children = this.#children.filter((attempt) => {
      if (attempt.isAnswered || this.#isDealtWith(attempt, timersOf)) return false;
      if (attempt.failedAt === undefined) return true;
      // Nobody can ever be called so: it fails for good.
      if (childIdProblem(attempt.created.instanceId) !== undefined) return false;
      this.#forgotten.add(attempt.failedAt);
      return true;
    });
    for (const { at } of this.#timers.values()) this.#forgotten.add(at);
    for (const at of this.#requests.values()) this.#forgotten.add(at);
    return { events: history.filter((_, index) => !this.#forgotten.has(index)), children };
  }

  #scheduled(at: number, taskId: number, scheduled: TaskScheduledEvent): void {
    const attempt = { ...newAttempt(at), scheduled };
    // Python makes the next attempt under the same action id, other SDKs under a new one.
    const earlier = this.#activityOf.get(taskId) ?? this.#retriedBy(scheduled);
    if (earlier?.failedAt !== undefined) earlier.isRetried = true;
    this.#activities.push(attempt);
    this.#activityOf.set(taskId, attempt);
  }

  #retriedBy(scheduled: TaskScheduledEvent): ActivityAttempt | undefined {
    if (this.#mayBeRetried.size === 0) return undefined;
    return this.#mayBeRetried.get(askedFor(scheduled))?.shift();
  }

  #failed(at: number, taskId: number): void {
    const attempt = this.#activityOf.get(taskId);
    if (attempt === undefined) {
      this.#forgotten.add(at);
      return;
    }
    fail(attempt, at, this.#turn);
    const others = this.#failedIn.get(this.#turn);
    if (others === undefined) this.#failedIn.set(this.#turn, [attempt]);
    else others.push(attempt);
    // Some orchestrators try again in the turn that hears of it, without a pause.
    this.#awaitRetry(attempt);
  }

  #awaitRetry(attempt: ActivityAttempt): void {
    const asked = askedFor(attempt.scheduled);
    const others = this.#mayBeRetried.get(asked);
    if (others === undefined) this.#mayBeRetried.set(asked, [attempt]);
    else others.push(attempt);
  }

  #created(at: number, child: OpenChild): void {
    const attempt = { ...newAttempt(at), ...child };
    const { taskScheduledId, created } = child;
    // The next attempt has the same instance id in all SDKs.
    for (const earlier of [
      this.#childOf.get(taskScheduledId),
      this.#childNamed.get(created.instanceId),
    ]) {
      if (earlier?.failedAt !== undefined) earlier.isRetried = true;
    }
    this.#children.push(attempt);
    this.#childOf.set(taskScheduledId, attempt);
    this.#childNamed.set(created.instanceId, attempt);
  }

  #childFailed(at: number, taskScheduledId: number): void {
    const attempt = this.#childOf.get(taskScheduledId);
    if (attempt === undefined) this.#forgotten.add(at);
    else fail(attempt, at, this.#turn);
  }

  /** In the older encoding operations and locks are events, and so are their answers. */
  #sent(at: number, { instanceId, name, input }: EventSentEvent): void {
    const message = legacyMessageIn(instanceId, { name, ...present("data", input) });
    if (message?.kind === "call") this.#requests.set(message.sent.requestId, at);
    if (message?.kind === "lock") this.#requests.set(message.sent.criticalSectionId, at);
  }

  #fired(timerId: number): void {
    const timer = this.#timers.get(timerId);
    this.#timers.delete(timerId);
    if (timer === undefined || this.#pausedSince.has(timer.turn)) return;
    this.#pausedSince.add(timer.turn);
    for (const attempt of this.#failedIn.get(timer.turn) ?? []) {
      if (!attempt.isRetried) this.#awaitRetry(attempt);
    }
  }

  /**
   * Another attempt followed, or may follow: a timer runs that was made when this one failed. Not in
   * the last turn, behind which nothing followed any more.
   */
  #isDealtWith(
    { isRetried, failedAt, failedInTurn }: Attempt,
    timersOf: ReadonlySet<number>,
  ): boolean {
    if (failedAt === undefined || failedInTurn === undefined) return false;
    if (isRetried || failedAt < this.#rewoundAt) return true;
    return failedInTurn !== this.#turn && timersOf.has(failedInTurn);
  }
}

function newAttempt(at: number): Attempt {
  return {
    at,
    isAnswered: false,
    failedAt: undefined,
    failedInTurn: undefined,
    isRetried: false,
  };
}

function askedFor({ name, input }: TaskScheduledEvent): string {
  return input === undefined ? name : `${name}\n${input}`;
}

function answer(attempt: Attempt | undefined): void {
  if (attempt !== undefined) attempt.isAnswered = true;
}

function fail(attempt: Attempt, at: number, turn: number): void {
  attempt.failedAt = at;
  attempt.failedInTurn = turn;
}
