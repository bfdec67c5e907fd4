import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { typesOf } from "../support/history-events.ts";
import { cannot, facts, type ProgramSuite, programArea, steps } from "../support/program-area.ts";
import { historyOf, type ProgramState, parsed } from "../support/program-state.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { scenario } = await programArea("workers");

const noFilters = cannot("its worker has no filters");
const noVersions = cannot("its worker does not look at versions");

scenario(
  "two workers share the work, and each activity runs once",
  facts<{ state: ProgramState; runs: readonly [number[], number[]] }>(({ state, runs }) => {
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    expect(parsed(state.output)).toEqual(numbers.map((i) => i * i));
    expect(runs.flat().toSorted((a, b) => a - b)).toEqual(numbers);
    for (const mine of runs) expect(mine.length).toBeGreaterThan(0);
  }),
);

scenario(
  "another worker goes on with an orchestration whose worker has stopped",
  facts<ProgramState>((state) => expect(state.output).toBe('"on"')),
);

scenario(
  "an orchestration that no worker's filter takes waits for one that does",
  facts((seen) =>
    expect(seen).toMatchObject({
      known: { output: '"known"' },
      status: "PENDING",
      stranger: { output: '"stranger"' },
    }),
  ),
  { java: noFilters, go: noFilters },
);

scenario(
  "an orchestration that one worker rejects for its version goes to another",
  facts((outputs) => expect(outputs).toEqual(["by 2.0.0", "by 1.0.0"])),
  { java: noVersions, go: noVersions },
);

scenario(
  "an orchestration of the wrong version fails where the worker says so",
  facts((states) =>
    expect(states).toMatchObject([
      { status: "FAILED", failure: { type: "VersionMismatch" } },
      { status: "COMPLETED", output: '"something"' },
    ]),
  ),
  { java: noVersions, go: noVersions },
);

scenario(
  "task hubs do not see each other's instances",
  facts((seen) => expect(seen).toEqual({ unseen: null, inputs: ['"of one"', '"of the other"'] })),
);

const turnsOfStopping = [
  "orchestratorStarted",
  "executionStarted",
  "taskScheduled",
  "orchestratorStarted",
  "taskCompleted",
  "executionCompleted",
];

/** Kills a worker at the first gate; another one then goes through all of them. */
async function killAtGate(
  suite: ProgramSuite,
  orchestrator: string,
  given: unknown,
  gates: readonly [string, ...string[]],
) {
  const taskHub = randomUUID();
  const { address, port } = await suite.sidecar();
  await using lost = suite.start("lost-worker", address, taskHub);
  const instanceId = (await lost.ask("start", orchestrator, given)) as string;
  await lost.ask("openGate", "open");
  await lost.ask("reached", gates[0]);
  await lost.kill();
  const { output } = await suite.ask<ProgramState>("goOn", taskHub, instanceId, ["open", ...gates]);
  return { output: parsed(output), types: typesOf(await historyOf(port, taskHub, instanceId)) };
}

scenario(
  "an activity whose worker is gone runs again on another one",
  steps(async (suite) => {
    const gates = [randomUUID(), randomUUID()] as const;
    const { output, types } = await killAtGate(suite, "passesTwo", gates, gates);
    expect(output).toEqual(gates);
    expect(types.filter((type) => type === "taskScheduled").length).toBe(2);
    expect(types.filter((type) => type === "taskCompleted").length).toBe(2);
  }),
);

scenario(
  "a turn whose worker is gone is taken by another one",
  steps(async (suite) => {
    const gate = randomUUID();
    const { output, types } = await killAtGate(suite, "stopsInItsTurn", gate, [gate]);
    expect(output).toEqual(["open", gate]);
    expect(types).toEqual(turnsOfStopping);
  }),
);

scenario(
  "a turn whose sidecar is killed is taken up again when it is back",
  steps(async ({ start, taskHub }) => {
    await using directory = await temporaryDirectory();
    const options = { dataDirectory: directory.path };
    const gate = randomUUID();
    const before = await startSidecar(options);
    const { address } = before;
    await using worker = start("lost-worker", address, taskHub);
    const instanceId = (await worker.ask("start", "stopsInItsTurn", gate)) as string;
    await worker.ask("openGate", "open");
    await worker.ask("reached", gate);
    await before.kill();
    await worker.ask("openGate", gate);
    await using after = await startSidecar({ ...options, listen: [address] });
    const state = (await worker.ask("completed", instanceId)) as ProgramState;
    expect(parsed(state.output)).toEqual(["open", gate]);
    const history = await historyOf(after.port, taskHub, instanceId);
    expect(typesOf(history)).toEqual(turnsOfStopping);
    await worker.kill();
  }),
);

// The Java SDK waits for five seconds each time that it has lost its sidecar.
scenario(
  "a worker that is there before the sidecar, and while it is restarted, goes on by itself",
  steps(async ({ ask }) => {
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
  }),
);
