import type { OrchestrationContext } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { Gates } from "../support/gates.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import { cannot, javaScriptSuite, present, typesOf } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const gates = new Gates();

interface Collected {
  readonly wanted: number;
  readonly received: readonly number[];
}

const passGate = suite.activity("passGate", async (_context, name: string) => {
  await gates.pass(name);
  return name;
});
const addOne = suite.activity("addOne", (_context, input: number) => input + 1);

const counts = suite.orchestrator("counts", async (context, generation: number) => {
  if (generation < 10) context.continueAsNew(generation + 1, false);
  return generation;
});
const countsInActivities = suite.orchestrator(
  "countsInActivities",
  async function* (context: OrchestrationContext, generation: number): Steps {
    const next: number = yield context.callActivity(addOne, generation);
    if (next < 10) context.continueAsNew(next, false);
    return next;
  },
);
const double = suite.orchestrator("double", async (_context, input: number) => input * 2);
const countsInChildren = suite.orchestrator(
  "countsInChildren",
  async function* (context: OrchestrationContext, input: number): Steps {
    const next: number = yield context.callSubOrchestrator(double, input);
    if (next < 1024) context.continueAsNew(next, false);
    return next;
  },
);
const collectsOneByOne = suite.orchestrator(
  "collectsOneByOne",
  async function* (
    context: OrchestrationContext,
    { wanted, received }: Collected,
  ): Steps<readonly number[]> {
    const next: number = yield context.waitForExternalEvent("item");
    const all = [...received, next];
    if (all.length < wanted) context.continueAsNew({ wanted, received: all }, true);
    return all;
  },
);
const keepsEvents = suite.orchestrator(
  "keepsEvents",
  async function* (
    context: OrchestrationContext,
    { first, second, keep }: { first?: string; second: string; keep: boolean },
  ): Steps {
    yield context.callActivity(passGate, first ?? second);
    if (first === undefined) return yield context.waitForExternalEvent("item");
    yield context.waitForExternalEvent("ready");
    context.continueAsNew({ second, keep }, keep);
    return undefined;
  },
);
const talksToItself = suite.orchestrator(
  "talksToItself",
  async function* (context: OrchestrationContext, input: string | null): Steps {
    if (input !== "again") {
      context.sendEvent(context.instanceId, "note", "to my next life");
      context.continueAsNew("again", false);
      return undefined;
    }
    return yield context.waitForExternalEvent("note");
  },
);
const callsCounting = suite.orchestrator(
  "callsCounting",
  async function* (context: OrchestrationContext): Steps {
    return yield context.callSubOrchestrator(counts, 1);
  },
);
const asksTwice = suite.orchestrator(
  "asksTwice",
  async function* (
    context: OrchestrationContext,
    { first, second }: { first?: string; second: string },
  ): Steps {
    if (first === undefined) return yield context.callActivity(passGate, second);
    context.callActivity(passGate, first);
    yield context.waitForExternalEvent("restart");
    context.continueAsNew({ second }, false);
    return undefined;
  },
);

test.concurrent("an orchestration starts anew ten times, and its last input is shown", async () => {
  const state = await suite.run(counts, 1);
  expect(state.serializedOutput).toBe("10");
  expect(state.serializedInput).toBe("10");
});

test.concurrent("only the last generation is in the history", async () => {
  const { instanceId } = await suite.run(countsInActivities, 1);
  expect(typesOf(await suite.client.getOrchestrationHistory(instanceId))).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
});

test.concurrent("each generation may call children without choosing their ids", async () => {
  expect(await suite.outputOf(countsInChildren, 1)).toBe(1024);
});

test.concurrent("tags and version stay over continue-as-new", async () => {
  const state = await suite.run(counts, 1, { tags: { tenant: "a" }, version: "3" });
  expect(state.tags).toEqual({ tenant: "a" });
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  expect(history[1]).toMatchObject({ type: "ExecutionStarted", version: "3" });
});

cannot("an orchestration continues as new in another version", "it keeps its version");

test.concurrent("every event of a storm is consumed once over fifty generations", async () => {
  const wanted = 50;
  const instanceId = await suite.start(collectsOneByOne, { wanted, received: [] });
  const numbers = Array.from({ length: wanted }, (_, i) => i);
  await Promise.all(
    numbers.map((i) => suite.client.raiseOrchestrationEvent(instanceId, "item", i)),
  );
  const received: number[] = JSON.parse(
    present((await suite.completed(instanceId)).serializedOutput),
  );
  expect(received.toSorted((a, b) => a - b)).toEqual(numbers);
});

test.concurrent("events of one caller keep their order over generations", async () => {
  const instanceId = await suite.start(collectsOneByOne, { wanted: 20, received: [] });
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  for (const i of numbers) await suite.client.raiseOrchestrationEvent(instanceId, "item", i);
  expect((await suite.completed(instanceId)).serializedOutput).toBe(JSON.stringify(numbers));
});

test.concurrent.for([
  { keep: true, read: "old", fact: "is carried over when events are kept" },
  { keep: false, read: "new", fact: "is gone when events are not kept" },
])("an event that was read and not used $fact", async ({ keep, read }) => {
  const first = gates.create();
  const second = gates.create();
  const input = { first: first.name, second: second.name, keep };
  const instanceId = await suite.start(keepsEvents, input);
  await first.reached;
  await suite.client.raiseOrchestrationEvent(instanceId, "item", "old");
  await suite.client.raiseOrchestrationEvent(instanceId, "ready");
  first.open();
  await second.reached;
  await suite.client.raiseOrchestrationEvent(instanceId, "item", "new");
  second.open();
  expect((await suite.completed(instanceId)).serializedOutput).toBe(JSON.stringify(read));
});

test.concurrent("an event that an orchestration sends itself reaches its next generation", async () => {
  expect(await suite.outputOf(talksToItself)).toBe("to my next life");
});

test.concurrent("a parent hears of its child's last generation only", async () => {
  const state = await suite.run(callsCounting);
  expect(state.serializedOutput).toBe("10");
});

test.concurrent("a result for an earlier generation does not complete a task of this one", async () => {
  const first = gates.create();
  const second = gates.create();
  const instanceId = await suite.start(asksTwice, { first: first.name, second: second.name });
  await first.reached;
  await suite.client.raiseOrchestrationEvent(instanceId, "restart");
  await second.reached;
  first.open();
  await suite.client.getOrchestrationState(instanceId);
  second.open();
  const state = await suite.completed(instanceId);
  expect(state.serializedOutput).toBe(JSON.stringify(second.name));
});
