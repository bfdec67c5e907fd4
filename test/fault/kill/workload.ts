/** Orchestrators whose outputs follow from their inputs alone, and what the outputs must be. */
import {
  EntityInstanceId,
  type OrchestrationContext,
  type TaskEntityOperation,
  type TaskHubGrpcWorker,
  whenAll,
} from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";

/** What the events of this test carry. */
export interface Item {
  readonly mark: string;
  readonly last: boolean;
}

export interface Generations {
  readonly value: number;
  readonly left: number;
}

export function register(worker: TaskHubGrpcWorker): void {
  worker.addNamedActivity("mix", (_context, value: number) => mix(value));
  worker.addNamedActivity("mixIfMended", (_context, input: Breakable) => mixIfMended(input));
  worker.addNamedOrchestrator("chain", chain);
  worker.addNamedOrchestrator("fanOut", fanOut);
  worker.addNamedOrchestrator("nap", nap);
  worker.addNamedOrchestrator("family", family);
  worker.addNamedOrchestrator("generations", generations);
  worker.addNamedOrchestrator("inbox", inbox);
  worker.addNamedOrchestrator("storm", storm);
  worker.addNamedOrchestrator("guardian", guardian);
  worker.addNamedOrchestrator("fragile", fragile);
  worker.addNamedOrchestrator("tally", tally);
  worker.addNamedEntity("tally", () => ({ run: addMark }));
}

/** One step of every computation here. */
export function mix(value: number): number {
  return (value * 31 + 7) % 1_000_003;
}

export function chainOf(value: number, length: number): number {
  return Array.from({ length }).reduce<number>(mix, value);
}

export function fanOutOf(value: number, width: number): number {
  return sum(Array.from({ length: width }, (_, i) => mix(value + i)));
}

export function familyOf(value: number): number {
  return chainOf(value, 2) + chainOf(value + 1, 3) + fanOutOf(value, 3);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

async function* chain(
  context: OrchestrationContext,
  { value, length }: { value: number; length: number },
): Steps<number> {
  let result = value;
  for (let i = 0; i < length; i += 1) result = yield context.callActivity("mix", result);
  return result;
}

async function* fanOut(
  context: OrchestrationContext,
  { value, width }: { value: number; width: number },
): Steps<number> {
  const tasks = Array.from({ length: width }, (_, i) => context.callActivity("mix", value + i));
  const results: number[] = yield whenAll(tasks);
  return sum(results);
}

async function* nap(
  context: OrchestrationContext,
  { value, napMs }: { value: number; napMs: number },
): Steps<number> {
  yield context.createTimer(napMs / 1000);
  const result: number = yield context.callActivity("mix", value);
  yield context.createTimer(napMs / 1000);
  return result;
}

async function* family(context: OrchestrationContext, { value }: { value: number }): Steps<number> {
  const children = [
    context.callSubOrchestrator("chain", { value, length: 2 }),
    context.callSubOrchestrator("chain", { value: value + 1, length: 3 }),
  ];
  const first: number[] = yield whenAll(children);
  const last: number = yield context.callSubOrchestrator("fanOut", { value, width: 3 });
  return sum(first) + last;
}

async function* generations(
  context: OrchestrationContext,
  { value, left }: Generations,
): Steps<number> {
  const next: number = yield context.callActivity("mix", value);
  if (left > 1) context.continueAsNew({ value: next, left: left - 1 }, true);
  return next;
}

/** Collects the marks of its events in one generation. */
async function* inbox(context: OrchestrationContext): Steps<string[]> {
  const marks: string[] = [];
  for (;;) {
    const item: Item = yield context.waitForExternalEvent("item");
    marks.push(item.mark);
    if (item.last) return marks;
  }
}

/** Collects the marks of its events, with a generation for each of them. */
async function* storm(
  context: OrchestrationContext,
  { marks }: { marks: string[] },
): Steps<string[]> {
  const item: Item = yield context.waitForExternalEvent("item");
  const all = [...marks, item.mark];
  if (!item.last) context.continueAsNew({ marks: all }, true);
  return all;
}

/** Waits for a child that waits for ever, until both are terminated. */
async function* guardian(
  context: OrchestrationContext,
  { childId }: { childId: string },
): Steps<void> {
  yield context.callSubOrchestrator("inbox", undefined, { instanceId: childId });
}

export interface Breakable {
  readonly value: number;
  readonly instanceId: string;
}

const mended = new Set<string>();

/** From now on the activity of this instance does not fail. */
export function mend(instanceId: string): void {
  mended.add(instanceId);
}

function mixIfMended({ value, instanceId }: Breakable): number {
  if (!mended.has(instanceId)) throw new Error("broken");
  return mix(value);
}

/** Fails until it is mended, behind something that is not done again. */
async function* fragile(
  context: OrchestrationContext,
  { value, instanceId }: Breakable,
): Steps<number> {
  const next: number = yield context.callActivity("mix", value);
  return yield context.callActivity("mixIfMended", { value: next, instanceId });
}

/** An entity that keeps the marks of its signals. */
function addMark(operation: TaskEntityOperation): readonly string[] {
  const { name, state } = operation;
  const marks = state.getState<readonly string[]>() ?? [];
  if (name !== "add") return marks;
  const all = [...marks, String(operation.getInput<string>())];
  state.setState(all);
  return all;
}

/** Has the entity to itself while it reads it. */
async function* tally(
  context: OrchestrationContext,
  { entity }: { entity: string },
): Steps<string[]> {
  const id = EntityInstanceId.fromString(entity);
  const lock: { release(): void } = yield context.entities.lockEntities(id);
  const marks: string[] = yield context.entities.callEntity(id, "read");
  lock.release();
  return marks;
}
