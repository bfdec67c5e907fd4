/** Which instances a filter wants: what its rows can say of an instance, and what its state says. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import type { InstanceClass, TimeRange } from "../store/store.ts";
import { type HubHold, Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type InstanceFilter, InstanceStatus } from "../wire/gen/taskhub/v1/instance_pb.ts";
import { compareTimestamps, isAfter } from "../wire/timestamp.ts";
import { compileCondition, parseStatus, type StatusTest } from "./custom-status-condition.ts";
import { checkFilter, timeBefore } from "./filter-rules.ts";
import { CLASS_OF_STATUS, instanceStatusOf, LIVE_STATUSES } from "./instance-status.ts";

/** What both the row and the state of an instance say. */
export interface InstanceFacts {
  readonly instanceId: string;
  readonly name: string;
  readonly version?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly parentInstanceId: string;
  readonly createdAt: Timestamp;
  readonly completedAt?: Timestamp | undefined;
}

/** What is known without the state of what holds a live instance. */
export interface KnownHolds {
  /** Names and beginning of its own holds; undefined when it has none, "unknown" when unknown. */
  readonly own: OwnHolds | undefined | "unknown";
  /** Tree and selector holds that cover it. */
  readonly covering: readonly HubHold[];
  /** There may be more of them: those of trees, which go by ancestors. */
  readonly mayHaveMore: boolean;
}

export interface OwnHolds {
  readonly names: readonly string[];
  readonly since: Timestamp;
}

/** An answer without the state; "unknown" means that only the state has one. */
export type Answer = "yes" | "no" | "unknown";

/** A filter that was checked. */
export interface CompiledFilter {
  /** Only instances of these classes can match. */
  readonly classes: readonly InstanceClass[];
  /** Only instances that were created then can match. */
  readonly created: TimeRange;
  /** What holds an instance matters. */
  readonly asksForHolds: boolean;
  /** Rows alone never have all the answers. */
  readonly asksForState: boolean;
  matchesFacts(facts: InstanceFacts): boolean;
  /** About an instance whose facts match and whose class is among `classes`. */
  judge(instanceClass: InstanceClass, holds: KnownHolds, now: Timestamp): Answer;
  /** All of it, exactly. `covering`: tree and selector holds that cover the instance now. */
  matchesState(state: InstanceState, covering: readonly HubHold[], now: Timestamp): boolean;
}

/**
 * Checks a filter. An absent one wants everything.
 *
 * @throws HubError "invalid-argument"
 */
export function compileFilter(filter: InstanceFilter): CompiledFilter {
  checkFilter(filter);
  const { heldLongerThan, holdName, held, created } = partsOf(filter);
  const statuses = new Set(filter.statuses);
  const liveStatuses = LIVE_STATUSES.filter(
    (status) => statuses.size === 0 || statuses.has(status),
  );
  const conditions = filter.customStatus.map(compileCondition);
  const asksWhichLive = liveStatuses.length > 0 && liveStatuses.length < LIVE_STATUSES.length;
  const asksForHolds =
    holdName !== undefined || held !== undefined || heldLongerThan !== undefined || asksWhichLive;
  const facts = factTests(filter);
  const matchesFacts = (of: InstanceFacts) => facts.every((test) => test(of));
  return {
    classes: classesOf(filter, liveStatuses),
    created,
    asksForHolds,
    asksForState: asksForHolds || conditions.length > 0,
    matchesFacts,
    judge(instanceClass, holds, now) {
      const known = instanceClass === "live" ? holds : NOTHING_HOLDS;
      const answers: Answer[] = [conditions.length > 0 ? "unknown" : "yes"];
      if (instanceClass === "live") answers.push(judgeStatus(liveStatuses, holds));
      if (held !== undefined) answers.push(held ? isHeldBy(known) : not(isHeldBy(known)));
      if (holdName !== undefined) answers.push(isHeldBy(known, holdName));
      if (heldLongerThan !== undefined) answers.push(judgeAge(known.own, heldLongerThan, now));
      return all(answers);
    },
    matchesState(state, covering, now) {
      if (state.kind !== Kind.ORCHESTRATION || !matchesFacts(factsOf(state))) return false;
      if (statuses.size > 0 && !statuses.has(instanceStatusOf(state))) return false;
      const known = isTerminal(state) ? NOTHING_HOLDS : holdsOf(state, covering);
      if (held !== undefined && (isHeldBy(known) === "yes") !== held) return false;
      if (holdName !== undefined && isHeldBy(known, holdName) !== "yes") return false;
      if (heldLongerThan !== undefined && judgeAge(known.own, heldLongerThan, now) !== "yes") {
        return false;
      }
      return conditions.length === 0 || fulfils(state, conditions);
    },
  };
}

const NOTHING_HOLDS: KnownHolds = { own: undefined, covering: [], mayHaveMore: false };

function partsOf(filter: InstanceFilter) {
  const { heldLongerThan, holdName, held, createdFrom: from, createdTo: to } = filter;
  return { heldLongerThan, holdName, held, created: { from, to } };
}

function classesOf(
  filter: InstanceFilter,
  liveStatuses: readonly InstanceStatus[],
): readonly InstanceClass[] {
  const { statuses, holdName, held, heldLongerThan, completedFrom, completedTo } = filter;
  // A finished instance is held by nothing, and only a finished one has a time of completion.
  const mustBeLive = holdName !== undefined || held === true || heldLongerThan !== undefined;
  const mustBeOver = completedFrom !== undefined || completedTo !== undefined;
  const classes: InstanceClass[] = [];
  if (liveStatuses.length > 0 && !mustBeOver) classes.push("live");
  if (mustBeLive) return classes;
  for (const [status, instanceClass] of CLASS_OF_STATUS) {
    if (statuses.length === 0 || statuses.includes(status)) classes.push(instanceClass);
  }
  return classes;
}

/** One test for each part of the filter that is set. */
function factTests(filter: InstanceFilter): ((facts: InstanceFacts) => boolean)[] {
  const { instanceIdPrefix, parentInstanceId, createdFrom, createdTo } = filter;
  const { completedFrom, completedTo } = filter;
  const names = new Set(filter.names);
  const versions = new Set(filter.versions);
  const tags = Object.entries(filter.tags);
  const tests: ((facts: InstanceFacts) => boolean)[] = [];
  if (names.size > 0) tests.push(({ name }) => names.has(name));
  if (versions.size > 0) tests.push(({ version }) => versions.has(version ?? ""));
  for (const [key, value] of tags) {
    tests.push((facts) => Object.hasOwn(facts.tags, key) && facts.tags[key] === value);
  }
  if (instanceIdPrefix !== "") {
    tests.push(({ instanceId }) => instanceId.startsWith(instanceIdPrefix));
  }
  if (parentInstanceId !== "") tests.push((facts) => facts.parentInstanceId === parentInstanceId);
  if (createdFrom !== undefined || createdTo !== undefined) {
    tests.push(({ createdAt }) => isWithin(createdAt, createdFrom, createdTo));
  }
  if (completedFrom !== undefined || completedTo !== undefined) {
    tests.push(({ completedAt }) => isWithin(completedAt, completedFrom, completedTo));
  }
  return tests;
}

function isWithin(time: Timestamp | undefined, from?: Timestamp, to?: Timestamp): boolean {
  if (time === undefined) return false;
  if (from !== undefined && compareTimestamps(time, from) < 0) return false;
  return to === undefined || compareTimestamps(time, to) < 0;
}

function factsOf(state: InstanceState): InstanceFacts {
  const { instanceId, name, version, tags, createdAt, completedAt } = state;
  const parentInstanceId = state.parent?.instanceId ?? "";
  return { instanceId, name, version, tags, parentInstanceId, createdAt, completedAt };
}

function holdsOf(state: InstanceState, covering: readonly HubHold[]): KnownHolds {
  const { holds, heldSince } = state;
  const since = heldSince ?? holds[0]?.placedAt;
  const own =
    since === undefined || holds.length === 0
      ? undefined
      : { names: holds.map(({ name }) => name), since };
  return { own, covering, mayHaveMore: false };
}

/** Which of the statuses that a live instance may have are wanted, and which can it have? */
function judgeStatus(wanted: readonly InstanceStatus[], { own }: KnownHolds): Answer {
  if (wanted.length === LIVE_STATUSES.length) return "yes";
  const wantsSuspended = wanted.includes(InstanceStatus.SUSPENDED);
  if (own === "unknown") return "unknown";
  if (own !== undefined) return wantsSuspended ? "yes" : "no";
  const others = wanted.length - (wantsSuspended ? 1 : 0);
  if (others === 0) return "no";
  return others === LIVE_STATUSES.length - 1 ? "yes" : "unknown";
}

/** By a hold of this name, or by any. */
function isHeldBy({ own, covering, mayHaveMore }: KnownHolds, name?: string): Answer {
  const isWanted = (each: string | undefined) => name === undefined || each === name;
  if (covering.some(({ hold }) => isWanted(hold?.name))) return "yes";
  if (own === "unknown") return "unknown";
  if (own?.names.some(isWanted)) return "yes";
  return mayHaveMore ? "unknown" : "no";
}

function judgeAge(own: KnownHolds["own"], longerThan: Duration, now: Timestamp): Answer {
  if (own === "unknown") return "unknown";
  if (own === undefined) return "no";
  return isAfter(timeBefore(now, longerThan), own.since) ? "yes" : "no";
}

function fulfils({ customStatus }: InstanceState, conditions: readonly StatusTest[]): boolean {
  const status = parseStatus(customStatus?.text);
  return status !== undefined && conditions.every((test) => test(status));
}

function not(answer: Answer): Answer {
  if (answer === "unknown") return answer;
  return answer === "yes" ? "no" : "yes";
}

function all(answers: readonly Answer[]): Answer {
  if (answers.includes("no")) return "no";
  return answers.includes("unknown") ? "unknown" : "yes";
}
