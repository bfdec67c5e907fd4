import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { facts, programArea, rows, steps } from "../support/program-area.ts";
import type { ProgramState, PythonEvent } from "../support/program-state.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { scenario } = await programArea("entities", {
  java: "it has no entities",
  go: "it has no entities",
});

scenario(
  "an entity keeps its state and what waits when its sidecar is killed",
  steps(async ({ start, taskHub }) => {
    await using directory = await temporaryDirectory();
    const options = { dataDirectory: directory.path };
    const before = await startSidecar(options);
    const { address } = before;
    await using program = start("entities", address, taskHub);
    const given = [`@account@${randomUUID()}`, randomUUID()];
    await program.ask("begin", ...given);
    await before.kill();
    await using _after = await startSidecar({ ...options, listen: [address] });
    expect(await program.ask("finish", ...given)).toEqual([{ result: 3 }]);
    await program.kill();
  }),
);

scenario(
  "a client's signal reaches its entity",
  facts((seen) => expect(seen).toMatchObject([3, { state: 3, backlog: 0 }])),
);

scenario(
  "an orchestration calls an entity and gets its result",
  facts((outcomes) => expect(outcomes).toEqual([{ result: 1 }, { result: 3 }, { result: 3 }])),
);

scenario(
  "an orchestration that signals an entity and ends has signalled it",
  facts((told) => expect(told).toMatchObject({ state: 1 })),
);

scenario(
  "a failed operation reaches its caller, and its state and messages are rolled back",
  facts((outcomes) =>
    expect(outcomes).toMatchObject([
      { result: "whole" },
      {
        failed: {
          // The SDK names its own exception instead of that of the entity.
          type: expect.stringContaining("EntityOperationFailedException"),
          message: expect.stringContaining("out of range"),
        },
      },
      { result: "whole" },
      { result: null },
    ]),
  ),
);

scenario(
  "a failed operation does not take back those before it, nor stop those behind it",
  facts((state) => expect(state).toBe(3)),
);

scenario(
  "calling an entity that no worker has registered fails the call",
  facts((outcome) =>
    expect(outcome).toMatchObject({
      failed: { message: expect.stringContaining("'nobody' was not registered") },
    }),
  ),
);

scenario(
  "a value of $text is kept as the state of an entity and comes back",
  rows(
    [0, false, "", "ä\u0000€😀", [], { deep: [null] }].map((value) => ({
      value,
      text: JSON.stringify(value),
    })),
    async ({ value }, { ask }) => expect(await ask("keep", value)).toEqual([value, value, value]),
  ),
);

scenario(
  "a mebibyte passes through the input, the state and the result of an operation",
  facts((same) => expect(same).toEqual([true, true])),
);

scenario(
  "$key is the key of an entity",
  rows(
    ["a::b", "../x", "__proto__", "ключ 🔑", " ", "x".repeat(400)].map((text) => ({
      text,
      key: JSON.stringify(text).slice(0, 20),
    })),
    async ({ text }, { ask }) =>
      expect(await ask("keepUnder", text)).toEqual([text, `@account@${text}`]),
  ),
);

scenario(
  "the names of entities are compared without case, their keys with it",
  facts((states) => expect(states).toEqual([1, null])),
);

scenario(
  "a deleted entity is gone, and begins anew",
  facts((seen) => expect(seen).toEqual([null, 2])),
);

scenario(
  "an entity signals another one",
  facts((told) => expect(told).toMatchObject({ state: "forwarded" })),
);

scenario(
  "an entity starts an orchestration",
  facts<{ isItsResult: boolean; state: ProgramState; started: PythonEvent }>(
    ({ isItsResult, state, started }) => {
      expect(isItsResult).toBe(true);
      expect(state).toMatchObject({ name: "returns", status: "COMPLETED" });
      expect(started).toMatchObject({ type: "ExecutionStarted", parent_instance: null });
    },
  ),
);

const senders = ["a client", "an orchestration", "an entity"].map((sender) => ({ sender }));

interface SignalledLater {
  readonly meanwhile: string;
  readonly told: { readonly state: string; readonly at: number };
  readonly at: number;
}

scenario(
  "a scheduled signal of $sender does not arrive early",
  rows(senders, async ({ sender }, { ask }) => {
    const { meanwhile, told, at } = await ask<SignalledLater>("signalLater", sender);
    expect([meanwhile, told.state]).toEqual(["meanwhile", "meanwhile"]);
    expect(told.at).toBeGreaterThanOrEqual(at);
  }),
);

scenario(
  "a hundred signals of $sender arrive in their order",
  rows(senders, async ({ sender }, { ask }) => {
    const state = await ask("signalHundred", sender);
    expect(state).toEqual(Array.from({ length: 100 }, (_, i) => i));
  }),
);

scenario(
  "a call that the orchestration does not wait for is carried out",
  facts((seen) => expect(seen).toEqual({ result: 2, last: "ExecutionCompleted" })),
);

scenario(
  "the history of an orchestration shows what it has sent to entities and got back",
  facts<{ to: string; instanceId: string; history: readonly PythonEvent[] }>(
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
  ),
);

scenario(
  "an entity that no worker's filter takes waits for one that does",
  facts((seen) => expect(seen).toMatchObject({ before: null, told: { state: null } })),
);
