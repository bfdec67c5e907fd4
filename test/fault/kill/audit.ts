/** Compares the ledger with what the sidecar has. */
import {
  EntityInstanceId,
  type HistoryEvent,
  type OrchestrationState,
  OrchestrationStatus,
  type TaskHubGrpcClient,
} from "@microsoft/durabletask-js";
import { expect } from "vitest";
import { present } from "../../support/javascript-sdk-suite.ts";
import { terminationOutput } from "./driver.ts";
import { type Collection, compareMarks, eventOf, type Job, type Tally, tallyOf } from "./jobs.ts";
import type { Ledger, Line } from "./ledger.ts";

/** Checks all that was acknowledged. @returns how many instances that were, with children */
export async function audit(client: TaskHubGrpcClient, ledger: Ledger): Promise<number> {
  let count = 0;
  for (const line of ledger.lines()) {
    if (line.kind !== "started") continue;
    count += await auditJob(client, line.job, ledger.of(line.job.instanceId));
  }
  return count;
}

async function auditJob(
  client: TaskHubGrpcClient,
  job: Job,
  lines: readonly Line[],
): Promise<number> {
  const { instanceId } = job;
  const state = await client.getOrchestrationState(instanceId);
  if (lines.some(({ kind }) => kind === "purged")) {
    expect({ instanceId, state }).toEqual({ instanceId, state: undefined });
    return 0;
  }
  const ends = lines.flatMap((line) => (line.kind === "ended" ? [line.state] : []));
  // What was seen as the end is the end, to the last detail: nothing has completed it again.
  expect([state]).toEqual(ends);
  expectEnd(job, present(state), lines);
  if (job.kind === "tally") await auditTally(client, job, lines);
  return auditHistory(client, instanceId, job.kind === "termination");
}

function expectEnd(job: Job, state: OrchestrationState, lines: readonly Line[]): void {
  const { instanceId } = job;
  const status = state.runtimeStatus;
  const output: unknown = JSON.parse(state.serializedOutput ?? "null");
  switch (job.kind) {
    case "computation":
    case "repair":
      expect({ instanceId, status, output }).toEqual({
        instanceId,
        status: OrchestrationStatus.COMPLETED,
        output: job.output,
      });
      break;
    case "termination":
      expect({ instanceId, status, output }).toEqual({
        instanceId,
        status: OrchestrationStatus.TERMINATED,
        output: terminationOutput,
      });
      break;
    case "collection":
      expect({ instanceId, status }).toEqual({ instanceId, status: OrchestrationStatus.COMPLETED });
      expectMarks(job, output as string[], lines);
      break;
    case "disposal":
      throw new Error(`${instanceId} was never purged`);
    case "tally":
      expect({ instanceId, status }).toEqual({ instanceId, status: OrchestrationStatus.COMPLETED });
      expectSignals(job, output as string[], lines);
      break;
  }
}

/** Each acknowledged event was consumed once, in order; one whose answer was lost, at most once. */
function expectMarks(job: Collection, marks: readonly string[], lines: readonly Line[]): void {
  const { instanceId, events } = job;
  const last = events - 1;
  const raised = lines.flatMap((line) => (line.kind === "raised" ? [line.mark] : []));
  // An earlier attempt at the last event may have been taken; its instance had ended then.
  const needed = raised.filter((mark) => eventOf(mark) !== last);
  const consumed = marks.filter((mark) => raised.includes(mark) && eventOf(mark) !== last);
  expect({ instanceId, consumed }).toEqual({ instanceId, consumed: needed });
  expect({ instanceId, marks }).toEqual({ instanceId, marks: inOrder(marks) });
  expect(marks.filter((mark) => eventOf(mark) === last).length).toBe(1);
  expect(new Set(marks.map(eventOf)).size).toBe(events);
}

/** Nothing has run since it was read, and nobody has it locked. */
async function auditTally(
  client: TaskHubGrpcClient,
  job: Tally,
  lines: readonly Line[],
): Promise<void> {
  const id = EntityInstanceId.fromString(tallyOf(job));
  const entity = present(await client.getEntity<string[]>(id));
  expect({ waiting: entity.backlogQueueSize, lockedBy: entity.lockedBy }).toEqual({ waiting: 0 });
  expectSignals(job, present(entity.state), lines);
}

/** Each acknowledged signal has run once, in order; one whose answer was lost, at most once. */
function expectSignals(job: Tally, marks: readonly string[], lines: readonly Line[]): void {
  const { instanceId, signals } = job;
  const raised = lines.flatMap((line) => (line.kind === "raised" ? [line.mark] : []));
  const counted = marks.filter((mark) => raised.includes(mark));
  expect({ instanceId, counted }).toEqual({ instanceId, counted: raised });
  expect({ instanceId, marks }).toEqual({ instanceId, marks: inOrder(marks) });
  expect(raised).toHaveLength(signals);
}

function inOrder(marks: readonly string[]): readonly string[] {
  return [...new Set(marks)].toSorted(compareMarks);
}

/** Checks a history and those of its children. @returns how many there were */
async function auditHistory(
  client: TaskHubGrpcClient,
  instanceId: string,
  terminated: boolean,
): Promise<number> {
  const history = await client.getOrchestrationHistory(instanceId);
  expect({ instanceId, problems: problemsOf(history, terminated) }).toEqual({
    instanceId,
    problems: [],
  });
  let count = 1;
  for (const event of history) {
    if (event.type !== "SubOrchestrationInstanceCreated") continue;
    count += await auditHistory(client, present(event.instanceId), terminated);
  }
  return count;
}

/** What a history says that cannot have happened. */
function problemsOf(history: readonly HistoryEvent[], terminated: boolean): string[] {
  const problems: string[] = [];
  const count = (type: string) => history.filter((event) => event.type === type).length;
  const once = [
    "ExecutionStarted",
    "ExecutionCompleted",
    ...(terminated ? ["ExecutionTerminated"] : []),
  ];
  for (const type of once) {
    if (count(type) !== 1) problems.push(`${count(type)} times ${type}`);
  }
  if (history.at(-1)?.type !== "ExecutionCompleted") problems.push("it goes on after its end");
  if (count("ExecutionSuspended") !== count("ExecutionResumed")) problems.push("still suspended");
  const asked = history.flatMap(askedBy);
  const answered = history.flatMap(answeredBy);
  if (new Set(asked).size !== asked.length) problems.push(`asked twice: ${asked}`);
  for (const answer of answered) {
    if (!asked.includes(answer)) problems.push(`answered unasked: ${answer}`);
  }
  for (const question of asked) {
    const answers = answered.filter((answer) => answer === question).length;
    if (answers > 1 || (answers === 0 && !terminated)) {
      problems.push(`${answers} answers to ${question}`);
    }
  }
  return problems;
}

function askedBy(event: HistoryEvent): string[] {
  switch (event.type) {
    case "TaskScheduled":
      return [`activity ${event.eventId}`];
    case "TimerCreated":
      return [`timer ${event.eventId}`];
    case "SubOrchestrationInstanceCreated":
      return [`child ${event.eventId}`];
    default:
      return [];
  }
}

function answeredBy(event: HistoryEvent): string[] {
  switch (event.type) {
    case "TaskCompleted":
      return [`activity ${event.taskScheduledId}`];
    case "TimerFired":
      return [`timer ${event.timerId}`];
    case "SubOrchestrationInstanceCompleted":
      return [`child ${event.taskScheduledId}`];
    case "TaskFailed":
    case "SubOrchestrationInstanceFailed":
      return [`failure of ${event.taskScheduledId}`];
    default:
      return [];
  }
}
