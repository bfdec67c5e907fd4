import {
  type OrchestrationContext,
  OrchestrationStatus,
  RetryPolicy,
  whenAll,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { Gates } from "../support/gates.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, newId, present } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const gates = new Gates();
const runs = new Map<string, number>();

interface ChildCall {
  readonly name: string;
  readonly input?: unknown;
  readonly instanceId?: string;
  readonly tags?: Record<string, string>;
  readonly version?: string;
}

const passGate = suite.activity("passGate", (_context, name: string) => gates.pass(name));
const countRun = suite.activity("countRun", (_context, key: string) => {
  const run = (runs.get(key) ?? 0) + 1;
  runs.set(key, run);
  return run;
});

const double = suite.orchestrator("double", async (_context, input: number) => input * 2);
const parentCalled = suite.orchestrator("parentCalled", async ({ parent, version }) => ({
  parent,
  version,
}));
const broken = suite.orchestrator("broken", async () => {
  throw new TypeError("the child is not well");
});
const waiting = suite.orchestrator("waiting", async function* (context): Steps {
  return yield context.waitForExternalEvent("go");
});
const callsChild = suite.orchestrator(
  "callsChild",
  async function* (context: OrchestrationContext, call: ChildCall): Steps {
    const { name, input, ...options } = call;
    return yield context.callSubOrchestrator(name, input, options);
  },
);
const callsChildren = suite.orchestrator(
  "callsChildren",
  async function* (context: OrchestrationContext, count: number): Steps {
    const tasks = Array.from({ length: count }, (_, i) => context.callSubOrchestrator(double, i));
    return yield whenAll(tasks);
  },
);
const levels = suite.orchestrator(
  "levels",
  async function* (context: OrchestrationContext, depth: number): Steps {
    if (depth === 0) return ["bottom"];
    const below: string[] = yield context.callSubOrchestrator("levels", depth - 1);
    return [`level ${depth}`, ...below];
  },
);
const failsUntil = suite.orchestrator(
  "failsUntil",
  async function* (
    context: OrchestrationContext,
    { key, goodRun }: { key: string; goodRun: number },
  ): Steps {
    const run: number = yield context.callActivity(countRun, key);
    if (run < goodRun) throw new Error(`run ${run} failed`);
    return run;
  },
);
const retriesChild = suite.orchestrator(
  "retriesChild",
  async function* (context: OrchestrationContext, input: { key: string; goodRun: number }): Steps {
    const retry = new RetryPolicy({ maxNumberOfAttempts: 3, firstRetryIntervalInMilliseconds: 1 });
    return yield context.callSubOrchestrator(failsUntil, input, { retry });
  },
);
const leavesChild = suite.orchestrator(
  "leavesChild",
  async function* (
    context: OrchestrationContext,
    { instanceId, gate }: { instanceId: string; gate: string },
  ): Steps<string> {
    context.callSubOrchestrator(waiting, undefined, { instanceId });
    yield context.callActivity(passGate, gate);
    return "left";
  },
);

test.concurrent("a child is called by its name and its output comes back", async () => {
  expect(await suite.outputOf(callsChild, { name: double, input: 21 })).toBe(42);
});

test.concurrent("a child knows its parent's name, id and task, and its own version", async () => {
  const state = await suite.run(callsChild, { name: parentCalled, version: "2.1" });
  expect(JSON.parse(present(state.serializedOutput))).toEqual({
    parent: { name: callsChild, instanceId: state.instanceId, taskScheduledId: 1 },
    version: "2.1",
  });
});

test.concurrent("an orchestration that a client started has no parent", async () => {
  expect(await suite.outputOf(parentCalled)).toEqual({ version: "" });
});

test.concurrent("fifty children run side by side", async () => {
  const doubles = Array.from({ length: 50 }, (_, i) => i * 2);
  expect(await suite.outputOf(callsChildren, 50)).toEqual(doubles);
});

test.concurrent("outputs pass up through three levels", async () => {
  expect(await suite.outputOf(levels, 3)).toEqual(["level 3", "level 2", "level 1", "bottom"]);
});

test.concurrent("a child's failure passes up with its text", async () => {
  const state = await suite.run(callsChild, { name: callsChild, input: { name: broken } });
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).message).toContain("the child is not well");
});

test.concurrent("a child gets the id that its parent gives it", async () => {
  const instanceId = newId("child");
  await suite.run(callsChild, { name: double, input: 1, instanceId });
  expect(await suite.client.getOrchestrationState(instanceId)).toMatchObject({
    name: double,
    runtimeStatus: OrchestrationStatus.COMPLETED,
    serializedOutput: "2",
  });
});

test.concurrent("a child gets the tags that its parent gives it", async () => {
  const instanceId = newId("child");
  await suite.run(callsChild, { name: double, input: 1, instanceId, tags: { team: "blue" } });
  const child = await suite.client.getOrchestrationState(instanceId);
  expect(child?.tags).toEqual({ team: "blue" });
});

test.concurrent("a child that fails twice is run three times under the same id", async () => {
  const key = newId("key");
  const state = await suite.run(retriesChild, { key, goodRun: 3 });
  expect(state.serializedOutput).toBe("3");
  expect(runs.get(key)).toBe(3);
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  const children = history.flatMap((event) =>
    event.type === "SubOrchestrationInstanceCreated" ? [event.instanceId] : [],
  );
  expect(children.length).toBe(3);
  expect(new Set(children).size).toBe(1);
});

test.concurrent("a child is not run more often than its retry policy says", async () => {
  const key = newId("key");
  const state = await suite.run(retriesChild, { key, goodRun: 4 });
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(runs.get(key)).toBe(3);
});

test.concurrent("calling a child that is running fails the call and leaves it alone", async () => {
  const instanceId = newId("child");
  await suite.start(waiting, undefined, { instanceId });
  await suite.client.waitForOrchestrationStart(instanceId);
  const state = await suite.run(callsChild, { name: double, input: 1, instanceId });
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).message).toContain(instanceId);
  await suite.client.raiseOrchestrationEvent(instanceId, "go", "still here");
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"still here"');
});

test.concurrent("a terminated child fails its parent's call", async () => {
  const instanceId = newId("child");
  const parent = await suite.start(callsChild, { name: waiting, instanceId });
  await suite.client.waitForOrchestrationStart(instanceId);
  await suite.client.terminateOrchestration(instanceId, "no longer needed");
  const state = await suite.completed(parent);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).message).toContain("no longer needed");
});

test.concurrent("a child goes on when its parent has completed without it", async () => {
  const instanceId = newId("child");
  const gate = gates.create();
  const parent = await suite.start(leavesChild, { instanceId, gate: gate.name });
  await suite.client.waitForOrchestrationStart(instanceId);
  gate.open();
  expect((await suite.completed(parent)).serializedOutput).toBe('"left"');
  await suite.client.raiseOrchestrationEvent(instanceId, "go", 1);
  expect((await suite.completed(instanceId)).serializedOutput).toBe("1");
});
