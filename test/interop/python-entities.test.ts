import { expect } from "vitest";
import { newId } from "../support/javascript-sdk-suite.ts";
import { PythonProgram } from "../support/python-program.ts";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = await pythonSuite("entities");
const { scenario, test, testFor, ask } = suite;

test("an entity keeps its state and what waits when its sidecar is killed", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const before = await startSidecar(options);
  const { address } = before;
  await using program = new PythonProgram(suite.toolchain, "entities", address);
  const given = [`@account@${newId("killed")}`, newId("gate")];
  await program.ask("begin", ...given);
  await before.kill();
  await using _after = await startSidecar({ ...options, listen: [address] });
  expect(await program.ask("finish", ...given)).toEqual([{ result: 3 }]);
  await program.kill();
});

scenario("a client's signal reaches its entity", (facts) =>
  expect(facts).toMatchObject([3, { state: 3, backlog: 0 }]),
);

scenario("an orchestration calls an entity and gets its result", (outcomes) =>
  expect(outcomes).toEqual([{ result: 1 }, { result: 3 }, { result: 3 }]),
);

scenario("an orchestration that signals an entity and ends has signalled it", (told) =>
  expect(told).toMatchObject({ state: 1 }),
);

// The SDK names its own exception instead of that of the entity.
scenario(
  "a failed operation reaches its caller, and its state and messages are rolled back",
  (outcomes) =>
    expect(outcomes).toMatchObject([
      { result: "whole" },
      {
        failed: {
          type: expect.stringContaining("EntityOperationFailedException"),
          message: expect.stringContaining("out of range"),
        },
      },
      { result: "whole" },
      { result: null },
    ]),
);

scenario(
  "a failed operation does not take back those before it, nor stop those behind it",
  (state) => expect(state).toBe(3),
);

scenario("calling an entity that no worker has registered fails the call", (outcome) =>
  expect(outcome).toMatchObject({
    failed: { message: expect.stringContaining("'nobody' was not registered") },
  }),
);

testFor(
  "a value of $text is kept as the state of an entity and comes back",
  [0, false, "", "ä\u0000€😀", [], { deep: [null] }].map((value) => ({
    value,
    text: JSON.stringify(value),
  })),
  async ({ value }) => expect(await ask("keep", value)).toEqual([value, value, value]),
);

scenario("a mebibyte passes through the input, the state and the result of an operation", (same) =>
  expect(same).toEqual([true, true]),
);

testFor(
  "$key is the key of an entity",
  ["a::b", "../x", "__proto__", "ключ 🔑", " ", "x".repeat(400)].map((text) => ({
    text,
    key: JSON.stringify(text).slice(0, 20),
  })),
  async ({ text }) => expect(await ask("keep_under", text)).toEqual([text, `@account@${text}`]),
);

scenario("the names of entities are compared without case, their keys with it", (states) =>
  expect(states).toEqual([1, null]),
);

scenario("a deleted entity is gone, and begins anew", (facts) => expect(facts).toEqual([null, 2]));

scenario("an entity signals another one", (told) =>
  expect(told).toMatchObject({ state: "forwarded" }),
);

scenario<{ isItsResult: boolean; state: PythonState; started: PythonEvent }>(
  "an entity starts an orchestration",
  ({ isItsResult, state, started }) => {
    expect(isItsResult).toBe(true);
    expect(state).toMatchObject({ name: "returns", status: "COMPLETED" });
    expect(started).toMatchObject({ type: "ExecutionStarted", parent_instance: null });
  },
);

const senders = ["a client", "an orchestration", "an entity"].map((sender) => ({ sender }));

testFor("a scheduled signal of $sender does not arrive early", senders, async ({ sender }) => {
  const { meanwhile, told, at } = await ask<{
    meanwhile: string;
    told: { state: string; at: number };
    at: number;
  }>("signal_later", sender);
  expect([meanwhile, told.state]).toEqual(["meanwhile", "meanwhile"]);
  expect(told.at).toBeGreaterThanOrEqual(at);
});

testFor("a hundred signals of $sender arrive in their order", senders, async ({ sender }) => {
  const state = await ask("signal_hundred", sender);
  expect(state).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

scenario("a call that the orchestration does not wait for is carried out", (facts) =>
  expect(facts).toEqual({ result: 2, last: "ExecutionCompleted" }),
);

scenario<{ to: string; instanceId: string; history: readonly PythonEvent[] }>(
  "the history of an orchestration shows what it has sent to entities and got back",
  ({ to, instanceId, history }) => {
    expect(history.map(({ type }) => type)).toEqual([
      "OrchestratorStarted",
      "ExecutionStarted",
      "EntityOperationSignaled",
      "EntityOperationCalled",
      "OrchestratorStarted",
      "EntityOperationCompleted",
      "ExecutionCompleted",
    ]);
    const [, , signaled, called, , answer] = history;
    const operation = { operation: "add", input: "1", target_instance_id: to };
    expect(signaled).toMatchObject(operation);
    expect(called).toMatchObject({ ...operation, parent_instance_id: instanceId });
    expect(answer).toMatchObject({ output: "2" });
  },
);

scenario("an entity that no worker's filter takes waits for one that does", (facts) =>
  expect(facts).toMatchObject({ before: null, told: { state: null } }),
);
