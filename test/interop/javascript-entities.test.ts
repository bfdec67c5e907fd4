import { randomUUID } from "node:crypto";
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import {
  idOf,
  newEntityId,
  outcome,
  resultOf,
  type Sent,
  told,
  withEntities,
  workingWith,
} from "../support/javascript-entities.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import {
  collected,
  completed,
  javaScriptSuite,
  newId,
  outputOf,
  typesOf,
} from "../support/javascript-sdk-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = javaScriptSuite();
const { gates, call, signal, outcomes } = withEntities(suite);
const hundred = Array.from({ length: 100 }, (_, i) => i);

suite.orchestrator(
  "signalsAndCalls",
  async function* (context: OrchestrationContext, sent: Sent): Steps {
    context.entities.signalEntity(idOf(sent.to), sent.operation, sent.input);
    return resultOf(yield* outcome(context, sent));
  },
);
suite.orchestrator("waitsForNoCall", async (context, to: string) => {
  context.entities.callEntity(idOf(to), "add", 1);
});

test.concurrent("an entity keeps its state and what waits when its sidecar is killed", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const [to, gate] = [newEntityId(), gates.create()];
  const before = await startSidecar(options);
  const { address, port } = before;
  await using there = await workingWith({ port }, "account", gates);
  const { client } = there;
  await client.signalEntity(idOf(to), "add", 1);
  await client.signalEntity(idOf(to), "pass", gate.name);
  await gate.reached;
  await client.signalEntity(idOf(to), "add", 2);
  await before.kill();
  gate.open();
  await using _after = await startSidecar({ ...options, listen: [address] });
  const instanceId = await client.scheduleNewOrchestration("calls", [{ to, operation: "get" }]);
  expect(outputOf(await completed(client, instanceId))).toEqual([{ result: 3 }]);
});

test.concurrent("a client's signal reaches its entity", async () => {
  const id = newEntityId();
  await signal(id, "add", 1);
  expect(await call(id, "add", 2)).toBe(3);
  expect(await suite.client.getEntity(idOf(id))).toMatchObject({ state: 3, backlogQueueSize: 0 });
});

test.concurrent("an orchestration calls an entity and gets its result", async () => {
  const to = newEntityId();
  const results = await outcomes(
    { to, operation: "add", input: 1 },
    { to, operation: "add", input: 2 },
    { to, operation: "get" },
  );
  expect(results.map(resultOf)).toEqual([1, 3, 3]);
});

test.concurrent("an orchestration that signals an entity and ends has signalled it", async () => {
  const [to, teller] = [newEntityId(), newId("told")];
  await suite.run("signals", [
    { to, operation: "add", input: 1 },
    { to, operation: "tell", input: teller },
  ]);
  expect(await told(suite, teller)).toMatchObject({ state: 1 });
});

test.concurrent("a failed operation reaches its caller, and its state and messages are rolled back", async () => {
  const [to, other] = [newEntityId(), newEntityId()];
  const results = await outcomes(
    { to, operation: "set", input: "whole" },
    { to, operation: "break", input: [{ to: other, operation: "set", input: "broken" }] },
    { to, operation: "get" },
    { to: other, operation: "get" },
  );
  expect(results).toEqual([
    { result: "whole" },
    { failed: { type: "RangeError", message: "out of range" } },
    { result: "whole" },
    { result: undefined },
  ]);
});

test.concurrent("a failed operation does not take back those before it, nor stop those behind it", async () => {
  const id = newEntityId();
  const gate = gates.create();
  await signal(id, "pass", gate.name);
  await gate.reached;
  // These are there for one batch.
  await signal(id, "add", 1);
  await signal(id, "break", []);
  await signal(id, "add", 2);
  gate.open();
  expect(await call(id, "get")).toBe(3);
});

test.concurrent("calling an entity that no worker has registered fails the call", async () => {
  const [failure] = await outcomes({ to: `@nobody@${randomUUID()}`, operation: "get" });
  expect(failure).toMatchObject({ failed: { type: "EntityTaskNotFound" } });
});

test.concurrent.for(
  [0, false, "", "ä\u0000€😀", [], { deep: [null] }].map((value) => ({
    value,
    text: JSON.stringify(value),
  })),
)("a value of $text is kept as the state of an entity and comes back", async ({ value }) => {
  const id = newEntityId();
  expect(await call(id, "set", value)).toEqual(value);
  expect(await call(id, "get")).toEqual(value);
  expect(await suite.client.getEntity(idOf(id))).toMatchObject({ state: value });
});

test.concurrent("a mebibyte passes through the input, the state and the result of an operation", async () => {
  const id = newEntityId();
  const text = "€".repeat(2 ** 20 / 3);
  expect((await call(id, "set", text)) === text).toBe(true);
  expect((await call(id, "get")) === text).toBe(true);
});

test.concurrent.for(
  ["a::b", "../x", "__proto__", "ключ 🔑", " ", "x".repeat(400)].map((text) => ({
    text,
    key: JSON.stringify(text).slice(0, 20),
  })),
)("$key is the key of an entity", async ({ text }) => {
  const id = `@account@${text}`;
  await signal(id, "set", text);
  expect(await call(id, "get")).toBe(text);
  const found = await collected(suite.client.getEntities({ instanceIdStartsWith: id }));
  expect(found.map((entity) => entity.id.key)).toEqual([text]);
});

test.concurrent("the names of entities are compared without case, their keys with it", async () => {
  const key = `Key-${randomUUID()}`;
  await call(`@ACCOUNT@${key}`, "set", 1);
  expect(await call(`@Account@${key}`, "get")).toBe(1);
  expect(await call(`@account@${key.toLowerCase()}`, "get")).toBeUndefined();
});

test.concurrent("a deleted entity is gone, and begins anew", async () => {
  const id = newEntityId();
  await call(id, "add", 1);
  await call(id, "delete");
  expect(await suite.client.getEntity(idOf(id))).toBeUndefined();
  expect(await call(id, "add", 2)).toBe(2);
});

test.concurrent("an entity signals another one", async () => {
  const [first, second, teller] = [newEntityId(), newEntityId(), newId("told")];
  await signal(first, "forward", [
    { to: second, operation: "set", input: "forwarded" },
    { to: second, operation: "tell", input: teller },
  ]);
  expect(await told(suite, teller)).toMatchObject({ state: "forwarded" });
});

test.concurrent("an entity starts an orchestration", async () => {
  const instanceId = newId("started");
  expect(await call(newEntityId(), "tell", instanceId)).toBe(instanceId);
  const state = await suite.completed(instanceId);
  expect(state).toMatchObject({ name: "returns" });
  const [, started] = await suite.client.getOrchestrationHistory(instanceId);
  expect(started).toMatchObject({ type: "ExecutionStarted", parentInstance: undefined });
});

test.concurrent.for(["a client", "an orchestration", "an entity"].map((sender) => ({ sender })))(
  "a scheduled signal of $sender does not arrive early",
  async ({ sender }) => {
    const [id, teller] = [newEntityId(), newId("told")];
    const atMs = Date.now() + 1_500;
    const sent = { to: id, operation: "tell", input: teller, atMs };
    if (sender === "a client") {
      const signalTime = new Date(atMs);
      await suite.client.signalEntity(idOf(id), "tell", teller, { signalTime });
    } else if (sender === "an orchestration") await suite.run("signals", [sent]);
    else await signal(newEntityId(), "forward", [sent]);
    // Nothing waits for it.
    expect(await call(id, "set", "meanwhile")).toBe("meanwhile");
    const facts = await told(suite, teller);
    expect(facts.state).toBe("meanwhile");
    expect(facts.atMs).toBeGreaterThanOrEqual(atMs);
  },
);

test.concurrent.for(["a client", "an orchestration", "an entity"].map((sender) => ({ sender })))(
  "a hundred signals of $sender arrive in their order",
  async ({ sender }) => {
    const [to, teller] = [newEntityId(), newId("told")];
    const sent = [
      ...hundred.map((input) => ({ to, operation: "append", input })),
      { to, operation: "tell", input: teller },
    ];
    if (sender === "an orchestration") await suite.run("signals", sent);
    else if (sender === "an entity") await signal(newEntityId(), "forward", sent);
    else for (const { operation, input } of sent) await signal(to, operation, input);
    expect(await told(suite, teller)).toMatchObject({ state: hundred });
  },
);

test.concurrent("a call that the orchestration does not wait for is carried out", async () => {
  const id = newEntityId();
  const { instanceId } = await suite.run("waitsForNoCall", id);
  expect(await call(id, "add", 1)).toBe(2);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(history.at(-1)).toMatchObject({ type: "ExecutionCompleted" });
});

test.concurrent("the history of an orchestration shows what it has sent to entities and got back", async () => {
  const sent = { to: newEntityId(), operation: "add", input: 1 };
  const { instanceId } = await suite.run("signalsAndCalls", sent);
  const history = await suite.client.getOrchestrationHistory(instanceId);
  expect(typesOf(history)).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "EntityOperationSignaled",
    "EntityOperationCalled",
    "OrchestratorStarted",
    "EntityOperationCompleted",
    "ExecutionCompleted",
  ]);
  const [, , signaled, called, , answer] = history;
  const operation = { operation: "add", input: "1", targetInstanceId: sent.to };
  expect(signaled).toMatchObject(operation);
  expect(called).toMatchObject({ ...operation, parentInstanceId: instanceId });
  expect(answer).toMatchObject({ output: "2" });
});

test.concurrent("an entity that no worker's filter takes waits for one that does", async () => {
  const hub = { port: suite.port, taskHub: newId("hub") };
  await using known = await workingWith(hub, "known", gates);
  const { client } = known;
  const toldBy = { known: newId("told"), stranger: newId("told") };
  await client.signalEntity(idOf("@stranger@1"), "tell", toldBy.stranger);
  await client.signalEntity(idOf("@known@1"), "tell", toldBy.known);
  await completed(client, toldBy.known);
  const [waiting] = await collected(
    client.getEntities({ instanceIdStartsWith: "@stranger", includeTransient: true }),
  );
  expect(waiting).toMatchObject({ backlogQueueSize: 1 });
  await using _stranger = await workingWith(hub, "stranger", gates);
  await completed(client, toldBy.stranger);
});
