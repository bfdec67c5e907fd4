import { expect } from "vitest";
import { newId } from "../support/javascript-sdk-suite.ts";
import { parsed } from "../support/program-suite.ts";
import { PythonProgram } from "../support/python-program.ts";
import { type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = await pythonSuite("workers");
const { scenario, test, ask } = suite;

scenario<{ state: PythonState; runs: readonly [number[], number[]] }>(
  "two workers share the work, and each activity runs once",
  ({ state, runs }) => {
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    expect(parsed(state.output)).toEqual(numbers.map((i) => i * i));
    expect(runs.flat().toSorted((a, b) => a - b)).toEqual(numbers);
    for (const mine of runs) expect(mine.length).toBeGreaterThan(0);
  },
);

scenario<PythonState>(
  "another worker goes on with an orchestration whose worker has stopped",
  (state) => expect(state.output).toBe('"on"'),
);

scenario("an orchestration that no worker's filter takes waits for one that does", (facts) =>
  expect(facts).toMatchObject({
    known: { output: '"known"' },
    status: "PENDING",
    stranger: { output: '"stranger"' },
  }),
);

scenario("an orchestration that one worker rejects for its version goes to another", (outputs) =>
  expect(outputs).toEqual(["by 2.0.0", "by 1.0.0"]),
);

scenario("an orchestration of the wrong version fails where the worker says so", (states) =>
  expect(states).toMatchObject([
    { status: "FAILED", failure: { type: "VersionMismatch" } },
    { status: "COMPLETED", output: '"something"' },
  ]),
);

scenario("task hubs do not see each other's instances", (facts) =>
  expect(facts).toEqual({ unseen: null, inputs: ['"of one"', '"of the other"'] }),
);

const turnsOfStopping = [
  "OrchestratorStarted",
  "ExecutionStarted",
  "TaskScheduled",
  "OrchestratorStarted",
  "TaskCompleted",
  "ExecutionCompleted",
];

interface Ended {
  readonly state: PythonState;
  readonly types: readonly string[];
}

/** Kills a worker at a gate; another one then goes through all gates. */
async function killAtGate(
  orchestrator: string,
  given: unknown,
  gates: readonly [string, ...string[]],
): Promise<Ended> {
  const taskHub = newId("hub");
  const { toolchain: python, sidecar } = suite;
  await using lost = new PythonProgram(python, "lost_worker", sidecar.address, taskHub);
  const instanceId = await lost.ask("start", orchestrator, given);
  await lost.ask("open_gate", "open");
  await lost.ask("reached", gates[0]);
  await lost.kill();
  await using worker = new PythonProgram(python, "lost_worker", sidecar.address, taskHub);
  for (const gate of ["open", ...gates]) await worker.ask("open_gate", gate);
  return (await worker.ask("completed", instanceId)) as Ended;
}

test("an activity whose worker is gone runs again on another one", async () => {
  const gates = [newId("gate"), newId("gate")] as const;
  const { state, types } = await killAtGate("passes_two", gates, gates);
  expect(parsed(state.output)).toEqual(gates);
  expect(types.filter((type) => type === "TaskScheduled").length).toBe(2);
  expect(types.filter((type) => type === "TaskCompleted").length).toBe(2);
});

test("a turn whose worker is gone is taken by another one", async () => {
  const gate = newId("gate");
  const { state, types } = await killAtGate("stops_in_its_turn", gate, [gate]);
  expect(parsed(state.output)).toEqual(["open", gate]);
  expect(types).toEqual(turnsOfStopping);
});

test("a turn whose sidecar is killed is taken up again when it is back", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const gate = newId("gate");
  const before = await startSidecar(options);
  const { address } = before;
  await using worker = new PythonProgram(suite.toolchain, "lost_worker", address);
  const instanceId = await worker.ask("start", "stops_in_its_turn", gate);
  await worker.ask("open_gate", "open");
  await worker.ask("reached", gate);
  await before.kill();
  await worker.ask("open_gate", gate);
  await using _after = await startSidecar({ ...options, listen: [address] });
  const { state, types } = (await worker.ask("completed", instanceId)) as Ended;
  expect(parsed(state.output)).toEqual(["open", gate]);
  expect(types).toEqual(turnsOfStopping);
  await worker.kill();
});

test("a worker that is there before the sidecar, and while it is restarted, goes on by itself", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const before = await startSidecar(options);
  const { address } = before;
  expect(await before.stop()).toBe(0);
  await ask("begin", address);
  const first = await startSidecar({ ...options, listen: [address] });
  expect(await ask("begun", address)).toBe("RUNNING");
  expect(await first.stop()).toBe(0);
  await using second = await startSidecar({ ...options, listen: [address] });
  const state = await ask<PythonState>("finish", address);
  expect(state.output).toBe('"on"');
  expect(await second.stop()).toBe(0);
});
