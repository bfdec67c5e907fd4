import {
  type OrchestrationContext,
  OrchestrationStatus,
  terminateOptions,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { Gates } from "../support/gates.ts";
import { newClient, type Steps } from "../support/javascript-sdk.ts";
import {
  completed,
  javaScriptSuite,
  NEVER_SECONDS,
  newId,
  present,
  typesOf,
} from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const gates = new Gates();
const NOT_FOUND = { code: 5 };

const passGate = suite.activity("passGate", async (_context, name: string) => {
  await gates.pass(name);
  return name;
});
const empty = suite.orchestrator("empty", async () => "done");
const listens = suite.orchestrator(
  "listens",
  async function* (context: OrchestrationContext): Steps {
    return yield context.waitForExternalEvent("go");
  },
);
const collects = suite.orchestrator(
  "collects",
  async function* (context: OrchestrationContext, count: number): Steps {
    const received: unknown[] = [];
    while (received.length < count) {
      const next: unknown = yield context.waitForExternalEvent("item");
      received.push(next);
    }
    return received;
  },
);
const collectsAnew = suite.orchestrator(
  "collectsAnew",
  async function* (
    context: OrchestrationContext,
    { wanted, received }: { wanted: number; received: number[] },
  ): Steps {
    const next: number = yield context.waitForExternalEvent("item");
    const all = [...received, next];
    if (all.length < wanted) context.continueAsNew({ wanted, received: all }, true);
    return all;
  },
);
const passes = suite.orchestrator(
  "passes",
  async function* (context: OrchestrationContext, gate: string): Steps {
    return yield context.callActivity(passGate, gate);
  },
);
const naps = suite.orchestrator("naps", async function* (context): Steps<string> {
  yield context.createTimer(2);
  return "rested";
});
const callsTwo = suite.orchestrator(
  "callsTwo",
  async function* (context: OrchestrationContext, instanceIds: string[]): Steps {
    const [first, second] = instanceIds.map((instanceId) =>
      context.callSubOrchestrator(listens, undefined, { instanceId }),
    );
    yield present(first);
    return yield present(second);
  },
);

async function statusOf(instanceId: string): Promise<OrchestrationStatus> {
  return present(await suite.client.getOrchestrationState(instanceId)).runtimeStatus;
}

/** Waits a little for something that does not happen. */
async function expectNotCompleted(instanceId: string, seconds = NEVER_SECONDS): Promise<void> {
  const wait = suite.client.waitForOrchestrationCompletion(instanceId, true, seconds);
  await expect(wait).rejects.toThrow("Timed out");
}

async function startListening(): Promise<string> {
  const instanceId = await suite.start(listens);
  await suite.client.waitForOrchestrationStart(instanceId);
  return instanceId;
}

test.concurrent("an event raised while suspended is delivered after the resume, not before", async () => {
  const instanceId = await startListening();
  await suite.client.suspendOrchestration(instanceId);
  expect(await statusOf(instanceId)).toBe(OrchestrationStatus.SUSPENDED);
  await suite.client.raiseOrchestrationEvent(instanceId, "go", 5);
  await expectNotCompleted(instanceId);
  expect(await statusOf(instanceId)).toBe(OrchestrationStatus.SUSPENDED);
  await suite.client.resumeOrchestration(instanceId);
  expect((await suite.completed(instanceId)).serializedOutput).toBe("5");
});

test.concurrent("a resumed orchestration that waits is running", async () => {
  const instanceId = await startListening();
  await suite.client.suspendOrchestration(instanceId);
  await suite.client.resumeOrchestration(instanceId);
  expect(await statusOf(instanceId)).toBe(OrchestrationStatus.RUNNING);
});

test.concurrent("events raised while suspended keep their order", async () => {
  const instanceId = await suite.start(collects, 3);
  await suite.client.raiseOrchestrationEvent(instanceId, "item", 1);
  await suite.client.suspendOrchestration(instanceId);
  await suite.client.raiseOrchestrationEvent(instanceId, "item", 2);
  await suite.client.raiseOrchestrationEvent(instanceId, "item", 3);
  await suite.client.resumeOrchestration(instanceId);
  expect((await suite.completed(instanceId)).serializedOutput).toBe("[1,2,3]");
});

test.concurrent("an activity's result that comes while suspended is used after the resume", async () => {
  const gate = gates.create();
  const instanceId = await suite.start(passes, gate.name);
  await gate.reached;
  await suite.client.suspendOrchestration(instanceId);
  gate.open();
  await expectNotCompleted(instanceId);
  await suite.client.resumeOrchestration(instanceId);
  expect((await suite.completed(instanceId)).serializedOutput).toBe(JSON.stringify(gate.name));
});

test.concurrent("a timer that fires while suspended is used after the resume", async () => {
  const instanceId = await suite.start(naps);
  await suite.client.waitForOrchestrationStart(instanceId);
  await suite.client.suspendOrchestration(instanceId);
  await expectNotCompleted(instanceId, 2.5);
  await suite.client.resumeOrchestration(instanceId);
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"rested"');
});

test.concurrent("events of a storm are each consumed once while it is suspended and resumed", async () => {
  const numbers = Array.from({ length: 60 }, (_, i) => i);
  const instanceId = await suite.start(collectsAnew, { wanted: numbers.length, received: [] });
  const raising = numbers.map((i) => suite.client.raiseOrchestrationEvent(instanceId, "item", i));
  for (let round = 0; round < 10; round += 1) {
    await suite.client.suspendOrchestration(instanceId);
    await suite.client.resumeOrchestration(instanceId);
  }
  await Promise.all(raising);
  const { serializedOutput } = await suite.completed(instanceId);
  const received: number[] = JSON.parse(present(serializedOutput));
  expect(received.toSorted((a, b) => a - b)).toEqual(numbers);
});

test.concurrent("the history shows one suspension and one resumption, however often they are asked for", async () => {
  const instanceId = await startListening();
  await suite.client.resumeOrchestration(instanceId);
  await suite.client.suspendOrchestration(instanceId);
  await suite.client.suspendOrchestration(instanceId);
  await suite.client.resumeOrchestration(instanceId);
  await suite.client.resumeOrchestration(instanceId);
  await suite.client.raiseOrchestrationEvent(instanceId, "go", null);
  await suite.completed(instanceId);
  expect(typesOf(await suite.client.getOrchestrationHistory(instanceId))).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "ExecutionSuspended",
    "ExecutionResumed",
    "OrchestratorStarted",
    "EventRaised",
    "ExecutionCompleted",
  ]);
});

test.concurrent("suspending, resuming or terminating a completed orchestration changes nothing", async () => {
  const before = await suite.run(empty);
  await suite.client.suspendOrchestration(before.instanceId);
  await suite.client.resumeOrchestration(before.instanceId);
  await suite.client.terminateOrchestration(before.instanceId, "too late");
  expect(await suite.client.getOrchestrationState(before.instanceId)).toEqual(before);
});

test.concurrent("suspending, resuming or terminating an unknown instance is NOT_FOUND", async () => {
  const { client } = suite;
  const instanceId = newId("nobody");
  await expect(client.suspendOrchestration(instanceId)).rejects.toMatchObject(NOT_FOUND);
  await expect(client.resumeOrchestration(instanceId)).rejects.toMatchObject(NOT_FOUND);
  await expect(client.terminateOrchestration(instanceId)).rejects.toMatchObject(NOT_FOUND);
});

test.concurrent("a running orchestration is terminated with the output it is given", async () => {
  const instanceId = await startListening();
  await suite.client.terminateOrchestration(instanceId, { reason: "enough" });
  const state = await suite.completed(instanceId);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
  expect(state.serializedOutput).toBe('{"reason":"enough"}');
  expect(state.failureDetails).toBeUndefined();
});

test.concurrent("the first of two terminations wins", async () => {
  const instanceId = await startListening();
  await suite.client.terminateOrchestration(instanceId, "first");
  await suite.client.terminateOrchestration(instanceId, "second");
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"first"');
});

test.concurrent("a suspended orchestration is terminated", async () => {
  const instanceId = await startListening();
  await suite.client.suspendOrchestration(instanceId);
  await suite.client.terminateOrchestration(instanceId, "stopped");
  const state = await suite.completed(instanceId);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
  expect(state.serializedOutput).toBe('"stopped"');
});

test.concurrent("an orchestration that waits for an activity is terminated at once", async () => {
  const gate = gates.create();
  const instanceId = await suite.start(passes, gate.name);
  await gate.reached;
  await suite.client.terminateOrchestration(instanceId);
  const before = await suite.completed(instanceId);
  expect(before.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
  gate.open();
  await suite.run(empty);
  expect(await suite.client.getOrchestrationState(instanceId)).toEqual(before);
});

test.concurrent("an orchestration that no worker has seen is suspended, resumed and terminated", async () => {
  const client = newClient({ port: suite.port, taskHub: newId("hub") });
  const instanceId = await client.scheduleNewOrchestration(empty);
  const status = async () => (await client.getOrchestrationState(instanceId))?.runtimeStatus;
  expect(await status()).toBe(OrchestrationStatus.PENDING);
  await client.suspendOrchestration(instanceId);
  expect((await client.waitForOrchestrationStart(instanceId))?.runtimeStatus).toBe(
    OrchestrationStatus.SUSPENDED,
  );
  await client.resumeOrchestration(instanceId);
  expect(await status()).toBe(OrchestrationStatus.PENDING);
  await client.terminateOrchestration(instanceId, "never ran");
  const state = await completed(client, instanceId);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
  expect(state.serializedOutput).toBe('"never ran"');
  await client.stop();
});

test.concurrent("a recursive termination ends the children too", async () => {
  const children = [newId("child"), newId("child")];
  const parent = await suite.start(callsTwo, children);
  for (const child of children) await suite.client.waitForOrchestrationStart(child);
  await suite.client.terminateOrchestration(
    parent,
    terminateOptions({ output: "all of you", recursive: true }),
  );
  for (const instanceId of [parent, ...children]) {
    const state = await suite.completed(instanceId);
    expect(state.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
    expect(state.serializedOutput).toBe('"all of you"');
  }
});

test.concurrent("a termination that is not recursive leaves the children running", async () => {
  const children = [newId("child"), newId("child")];
  const parent = await suite.start(callsTwo, children);
  for (const child of children) await suite.client.waitForOrchestrationStart(child);
  await suite.client.terminateOrchestration(parent, "only you");
  for (const child of children) {
    expect(await statusOf(child)).toBe(OrchestrationStatus.RUNNING);
    await suite.client.raiseOrchestrationEvent(child, "go", "on");
    expect((await suite.completed(child)).serializedOutput).toBe('"on"');
  }
});
