import { type OrchestrationContext, OrchestrationStatus } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { newClient, type Steps } from "../support/javascript-sdk.ts";
import {
  cannot,
  javaScriptSuite,
  NEVER_SECONDS,
  newId,
  present,
  typesOf,
} from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();

const addOne = suite.activity("addOne", (_context, input: number) => input + 1);
const echo = suite.activity("echo", (_context, input: unknown) => input);
const empty = suite.orchestrator("empty", async () => "done");
const broken = suite.orchestrator("broken", async () => {
  throw new SyntaxError("out of order");
});
const startedAt = suite.orchestrator("startedAt", async (context) =>
  context.currentUtcDateTime.getTime(),
);
const listens = suite.orchestrator(
  "listens",
  async function* (context: OrchestrationContext): Steps {
    return yield context.waitForExternalEvent("go");
  },
);
const reports = suite.orchestrator(
  "reports",
  async function* (context: OrchestrationContext, statuses: unknown[]): Steps<void> {
    for (const status of statuses) {
      context.setCustomStatus(status);
      yield context.waitForExternalEvent("next");
    }
  },
);
const callsEachOnce = suite.orchestrator(
  "callsEachOnce",
  async function* (context: OrchestrationContext): Steps {
    yield context.callActivity(addOne, 1);
    yield context.createTimer(0.01);
    return yield context.callSubOrchestrator(empty);
  },
);
const remembers = suite.orchestrator(
  "remembers",
  async function* (context: OrchestrationContext): Steps {
    const now = () => ({ id: context.newGuid(), time: context.currentUtcDateTime.toISOString() });
    const first = now();
    const firstAsItWas: unknown = yield context.callActivity(echo, first);
    const second = now();
    const secondAsItWas: unknown = yield context.callActivity(echo, second);
    return { first, second, asTheyWere: [firstAsItWas, secondAsItWas] };
  },
);
const seen: string[] = [];
const looksAround = suite.orchestrator(
  "looksAround",
  async function* (context: OrchestrationContext): Steps {
    seen.push(`start ${context.isReplaying}`);
    yield context.callActivity(echo, 1);
    seen.push(`end ${context.isReplaying}`);
    return "done";
  },
);
const callsParentOfTwo = suite.orchestrator(
  "callsParentOfTwo",
  async function* (context: OrchestrationContext, instanceIds: string[]): Steps<void> {
    for (const instanceId of instanceIds) {
      yield context.callSubOrchestrator(empty, undefined, { instanceId });
    }
  },
);

async function startListening(instanceId: string): Promise<void> {
  await suite.start(listens, undefined, { instanceId });
  await suite.client.waitForOrchestrationStart(instanceId);
}

test.concurrent("the custom status of the first turn is there when the start was waited for", async () => {
  const instanceId = await suite.start(reports, [{ step: 1 }]);
  const state = await suite.client.waitForOrchestrationStart(instanceId, true);
  expect(state?.serializedCustomStatus).toBe('{"step":1}');
  await suite.client.raiseOrchestrationEvent(instanceId, "next");
  expect((await suite.completed(instanceId)).serializedCustomStatus).toBe('{"step":1}');
});

test.concurrent.for([
  { statuses: ["first", "second"], last: '"second"', fact: "is replaced by the next one" },
  { statuses: ["first", null], last: undefined, fact: "goes when it is cleared" },
  { statuses: ["first", ""], last: '""', fact: "may be an empty string" },
  { statuses: ["first", 0], last: "0", fact: "may be zero" },
  { statuses: [false], last: "false", fact: "may be false" },
])("a custom status $fact", async ({ statuses, last }) => {
  const instanceId = await suite.start(reports, statuses);
  for (const _ of statuses) await suite.client.raiseOrchestrationEvent(instanceId, "next");
  expect((await suite.completed(instanceId)).serializedCustomStatus).toBe(last);
});

test.concurrent("input, output and custom status are left out when they are not asked for", async () => {
  const instanceId = await suite.start(reports, ["status"]);
  await suite.client.raiseOrchestrationEvent(instanceId, "next");
  await suite.completed(instanceId);
  const state = await suite.client.getOrchestrationState(instanceId, false);
  expect(state).toMatchObject({
    name: reports,
    runtimeStatus: OrchestrationStatus.COMPLETED,
    serializedInput: undefined,
    serializedOutput: undefined,
    serializedCustomStatus: undefined,
  });
});

test.concurrent("the history of an activity, a timer and a child has exactly twelve events", async () => {
  const { instanceId } = await suite.run(callsEachOnce);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(typesOf(history)).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "TimerCreated",
    "OrchestratorStarted",
    "TimerFired",
    "SubOrchestrationInstanceCreated",
    "OrchestratorStarted",
    "SubOrchestrationInstanceCompleted",
    "ExecutionCompleted",
  ]);
  expect(history.map(({ eventId }) => eventId)).toEqual([
    -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4,
  ]);
  const turns = history.filter(({ type }) => type === "OrchestratorStarted");
  const times = turns.map(({ timestamp }) => timestamp.getTime());
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  for (const { timestamp } of history) expect(timestamp.getTime()).toBeGreaterThan(0);
});

test.concurrent("the history of an unknown instance is empty", async () => {
  expect(await suite.client.getOrchestrationHistory(newId("nobody"))).toEqual([]);
});

test.concurrent("an unknown instance has no state", async () => {
  expect(await suite.client.getOrchestrationState(newId("nobody"))).toBeUndefined();
});

test.concurrent("a wait begun before the instance exists ends with the instance", async () => {
  const instanceId = newId("later");
  const wait = suite.completed(instanceId);
  await suite.start(empty, undefined, { instanceId });
  expect((await wait).serializedOutput).toBe('"done"');
});

test.concurrent("identifiers and times that an orchestrator makes are the same at each replay", async () => {
  const state = await suite.run(remembers);
  const { first, second, asTheyWere } = JSON.parse(present(state.serializedOutput));
  expect([first, second]).toEqual(asTheyWere);
  expect(first.id).not.toBe(second.id);
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  const turns = history.filter(({ type }) => type === "OrchestratorStarted");
  const times = turns.map(({ timestamp }) => timestamp.toISOString());
  expect([first.time, second.time]).toEqual(times.slice(0, 2));
});

test.concurrent("an orchestrator is told what is replayed", async () => {
  expect(await suite.run(looksAround)).toMatchObject({ serializedOutput: '"done"' });
  expect(seen).toEqual(["start false", "start true", "end false"]);
});

test.concurrent("starting an instance that is running is ALREADY_EXISTS", async () => {
  const instanceId = newId("one");
  await startListening(instanceId);
  const again = suite.start(empty, undefined, { instanceId });
  await expect(again).rejects.toMatchObject({ code: 6 });
  await suite.client.raiseOrchestrationEvent(instanceId, "go", 1);
  expect((await suite.completed(instanceId)).name).toBe(listens);
});

test.concurrent("starting a completed, failed or terminated instance again replaces it", async () => {
  const instanceId = newId("again");
  await suite.run(broken, undefined, { instanceId, tags: { old: "yes" } });
  await suite.run(empty, 1, { instanceId });
  await startListening(instanceId);
  await suite.client.terminateOrchestration(instanceId, "ended");
  const state = await suite.run(empty, 2, { instanceId });
  expect(state).toMatchObject({
    name: empty,
    runtimeStatus: OrchestrationStatus.COMPLETED,
    serializedInput: "2",
    failureDetails: undefined,
    tags: undefined,
  });
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(typesOf(history)).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "ExecutionCompleted",
  ]);
});

cannot("a start whose policy $fact", "its client sends none");

test.concurrent("an orchestration does not start before its scheduled time", async () => {
  const startAt = new Date(Date.now() + 1_500);
  const instanceId = await suite.start(startedAt, undefined, { startAt });
  const pending = present(await suite.client.getOrchestrationState(instanceId));
  expect(pending.runtimeStatus).toBe(OrchestrationStatus.PENDING);
  const state = await suite.completed(instanceId);
  expect(Number(state.serializedOutput)).toBeGreaterThanOrEqual(startAt.getTime());
});

test.concurrent("tags of the start are in the state", async () => {
  const tags = { tenant: "north", "empty value": "", schlüssel: "wert" };
  const state = await suite.run(empty, undefined, { tags });
  expect(state.tags).toEqual(tags);
});

test.concurrent("tags and version of the start are in the history", async () => {
  const tags = { tenant: "north", "empty value": "", schlüssel: "wert" };
  const state = await suite.run(empty, undefined, { tags, version: "1.2.3" });
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  expect(history[1]).toMatchObject({ type: "ExecutionStarted", version: "1.2.3", tags });
});

test.concurrent("the version that a client is made with is that of its orchestrations", async () => {
  const client = newClient({ port: suite.port }, { defaultVersion: "9.0" });
  const instanceId = await client.scheduleNewOrchestration(empty);
  await suite.completed(instanceId);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(history[1]).toMatchObject({ version: "9.0" });
  await client.stop();
});

test.concurrent("a purged instance is gone and its id is free", async () => {
  const { instanceId } = await suite.run(empty);
  expect(await suite.client.purgeOrchestration(instanceId)).toMatchObject({
    deletedInstanceCount: 1,
  });
  expect(await suite.client.getOrchestrationState(instanceId)).toBeUndefined();
  expect(await suite.client.getOrchestrationHistory(instanceId)).toEqual([]);
  expect((await suite.run(empty, 3, { instanceId })).serializedInput).toBe("3");
});

test.concurrent("a running or an unknown instance is not purged", async () => {
  const instanceId = newId("running");
  await startListening(instanceId);
  for (const id of [instanceId, newId("nobody")]) {
    const purged = await suite.client.purgeOrchestration(id);
    expect(purged).toMatchObject({ deletedInstanceCount: 0 });
  }
  await suite.client.raiseOrchestrationEvent(instanceId, "go", "alive");
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"alive"');
});

test.concurrent.for([
  { recursive: false, count: 1 },
  { recursive: true, count: 3 },
])(
  "a purge with recursive=$recursive of a parent of two deletes $count",
  async ({ recursive, count }) => {
    const children = [newId("child"), newId("child")];
    const { instanceId } = await suite.run(callsParentOfTwo, children);
    expect(await suite.client.purgeOrchestration(instanceId, { recursive })).toMatchObject({
      deletedInstanceCount: count,
    });
    for (const child of children) {
      const state = await suite.client.getOrchestrationState(child);
      expect(state === undefined).toBe(recursive);
    }
  },
);

test.concurrent("a wait that is given up does not disturb the instance", async () => {
  const instanceId = newId("patient");
  await startListening(instanceId);
  const wait = suite.client.waitForOrchestrationCompletion(instanceId, true, NEVER_SECONDS);
  await expect(wait).rejects.toThrow("Timed out");
  await suite.client.raiseOrchestrationEvent(instanceId, "go", 1);
  expect((await suite.completed(instanceId)).serializedOutput).toBe("1");
});
