import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { typesOf } from "../support/history-events.ts";
import { JavaProgram } from "../support/java-program.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { historyOf, type ProgramState, parsed } from "../support/program-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = await javaSuite("workers");
const { scenario, test, cannot, ask } = suite;

scenario<{ state: ProgramState; runs: readonly [number[], number[]] }>(
  "two workers share the work, and each activity runs once",
  ({ state, runs }) => {
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    expect(parsed(state.output)).toEqual(numbers.map((i) => i * i));
    expect(runs.flat().toSorted((a, b) => a - b)).toEqual(numbers);
    for (const mine of runs) expect(mine.length).toBeGreaterThan(0);
  },
);

scenario<ProgramState>(
  "another worker goes on with an orchestration whose worker has stopped",
  (state) => expect(state.output).toBe('"on"'),
);

cannot(
  "an orchestration that no worker's filter takes waits for one that does",
  "its worker has no filters",
);
cannot(
  "an orchestration that one worker rejects for its version goes to another",
  "its worker does not look at versions",
);
cannot(
  "an orchestration of the wrong version fails where the worker says so",
  "its worker does not look at versions",
);

scenario("task hubs do not see each other's instances", (facts) =>
  expect(facts).toEqual({ unseen: null, inputs: ['"of one"', '"of the other"'] }),
);

const turnsOfStopping = [
  "orchestratorStarted",
  "executionStarted",
  "taskScheduled",
  "orchestratorStarted",
  "taskCompleted",
  "executionCompleted",
];

interface Ended {
  readonly state: ProgramState;
  readonly types: ReturnType<typeof typesOf>;
}

/** Kills a worker at a gate; another one then goes through all gates. */
async function killAtGate(
  orchestrator: string,
  given: unknown,
  gates: readonly [string, ...string[]],
): Promise<Ended> {
  const taskHub = `java-${randomUUID()}`;
  const { toolchain: java, sidecar } = suite;
  await using lost = new JavaProgram(java, "lost-worker", sidecar.address, taskHub);
  const instanceId = (await lost.ask("start", orchestrator, given)) as string;
  await lost.ask("openGate", "open");
  await lost.ask("reached", gates[0]);
  await lost.kill();
  const state = await ask<ProgramState>("goOn", taskHub, instanceId, ["open", ...gates]);
  return { state, types: typesOf(await historyOf(sidecar.port, taskHub, instanceId)) };
}

test("an activity whose worker is gone runs again on another one", async () => {
  const gates = [`gate-${randomUUID()}`, `gate-${randomUUID()}`] as const;
  const { state, types } = await killAtGate("passesTwo", gates, gates);
  expect(parsed(state.output)).toEqual(gates);
  expect(types.filter((type) => type === "taskScheduled").length).toBe(2);
  expect(types.filter((type) => type === "taskCompleted").length).toBe(2);
});

test("a turn whose worker is gone is taken by another one", async () => {
  const gate = `gate-${randomUUID()}`;
  const { state, types } = await killAtGate("stopsInItsTurn", gate, [gate]);
  expect(parsed(state.output)).toEqual(["open", gate]);
  expect(types).toEqual(turnsOfStopping);
});

test("a turn whose sidecar is killed is taken up again when it is back", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const gate = `gate-${randomUUID()}`;
  const before = await startSidecar(options);
  const { address } = before;
  await using worker = new JavaProgram(suite.toolchain, "lost-worker", address, "default");
  const instanceId = (await worker.ask("start", "stopsInItsTurn", gate)) as string;
  await worker.ask("openGate", "open");
  await worker.ask("reached", gate);
  await before.kill();
  await worker.ask("openGate", gate);
  await using after = await startSidecar({ ...options, listen: [address] });
  const state = (await worker.ask("completed", instanceId)) as ProgramState;
  expect(parsed(state.output)).toEqual(["open", gate]);
  const history = await historyOf(after.port, "default", instanceId);
  expect(typesOf(history)).toEqual(turnsOfStopping);
  await worker.kill();
});

// The SDK waits for five seconds each time that it has lost its sidecar.
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
  const state = await ask<ProgramState>("finish", address);
  expect(state.output).toBe('"on"');
  expect(await second.stop()).toBe(0);
});
