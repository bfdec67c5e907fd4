import {
  type OrchestrationContext,
  OrchestrationStatus,
  type TaskHubGrpcWorker,
  VersionFailureStrategy,
  VersionMatchStrategy,
  whenAll,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { Gates } from "../support/gates.ts";
import { type HubAddress, newClient, newWorker, type Steps } from "../support/javascript-sdk.ts";
import {
  completed,
  javaScriptSuite,
  newId,
  present,
  typesOf,
} from "../support/javascript-sdk-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = javaScriptSuite();

function newHub(): HubAddress {
  return { port: suite.port, taskHub: newId("hub") };
}

async function* listens(context: OrchestrationContext): Steps {
  return yield context.waitForExternalEvent("go");
}

/** Its second turn waits for something else than a task, as no orchestrator should. */
function stopsInItsTurn(gates: Gates, gate: string): (worker: TaskHubGrpcWorker) => void {
  return (worker) => {
    worker.addNamedActivity("open", () => "open");
    worker.addNamedOrchestrator("stopsInItsTurn", async function* (context): Steps {
      const passed: string = yield context.callActivity("open");
      await gates.pass(gate);
      return passed;
    });
  };
}

const turnsOfStopping = [
  "OrchestratorStarted",
  "ExecutionStarted",
  "TaskScheduled",
  "OrchestratorStarted",
  "TaskCompleted",
  "ExecutionCompleted",
];

async function* passesTwo(context: OrchestrationContext, gates: string[]): Steps {
  const first: string = yield context.callActivity("pass", gates[0]);
  const second: string = yield context.callActivity("pass", gates[1]);
  return [first, second];
}

async function* squares(context: OrchestrationContext, count: number): Steps {
  const tasks = Array.from({ length: count }, (_, i) => context.callActivity("square", i));
  return yield whenAll(tasks);
}

async function started(
  worker: TaskHubGrpcWorker,
  register: (worker: TaskHubGrpcWorker) => void,
): Promise<TaskHubGrpcWorker> {
  register(worker);
  await worker.start();
  return worker;
}

test.concurrent("two workers share the work, and each activity runs once", async () => {
  const hub = newHub();
  const runs = [new Map<number, number>(), new Map<number, number>()];
  const workers = await Promise.all(
    runs.map((mine) =>
      started(newWorker(hub), (worker) => {
        worker.addNamedOrchestrator("squares", squares);
        worker.addNamedActivity("square", (_context, input: number) => {
          mine.set(input, (mine.get(input) ?? 0) + 1);
          return input * input;
        });
      }),
    ),
  );
  const client = newClient(hub);
  const instanceId = await client.scheduleNewOrchestration("squares", 200);
  const state = await completed(client, instanceId);
  const numbers = Array.from({ length: 200 }, (_, i) => i);
  expect(JSON.parse(present(state.serializedOutput))).toEqual(numbers.map((i) => i * i));
  const all = runs.flatMap((mine) => [...mine]).toSorted(([a], [b]) => a - b);
  expect(all).toEqual(numbers.map((i) => [i, 1]));
  for (const mine of runs) expect(mine.size).toBeGreaterThan(0);
  await Promise.all([client.stop(), ...workers.map((worker) => worker.stop())]);
});

test.concurrent("another worker goes on with an orchestration whose worker has stopped", async () => {
  const hub = newHub();
  const register = (worker: TaskHubGrpcWorker) => worker.addNamedOrchestrator("listens", listens);
  const client = newClient(hub);
  const first = await started(newWorker(hub), register);
  const instanceId = await client.scheduleNewOrchestration("listens");
  await client.waitForOrchestrationStart(instanceId);
  await first.stop();
  await client.raiseOrchestrationEvent(instanceId, "go", "on");
  const second = await started(newWorker(hub), register);
  expect((await completed(client, instanceId)).serializedOutput).toBe('"on"');
  await Promise.all([client.stop(), second.stop()]);
});

test.concurrent("an activity whose worker is gone runs again on another one", async () => {
  const hub = newHub();
  const gates = new Gates();
  const [first, second] = [gates.create(), gates.create()];
  const ranBy: string[] = [];
  const register = (name: string) => (worker: TaskHubGrpcWorker) => {
    worker.addNamedOrchestrator("passesTwo", passesTwo);
    worker.addNamedActivity("pass", async (_context, gate: string) => {
      ranBy.push(name);
      if (name === "second worker") gates.open(gate);
      await gates.pass(gate);
      return name;
    });
  };
  const client = newClient(hub);
  const lost = await started(newWorker(hub, { shutdownTimeoutMs: 1 }), register("first worker"));
  const input = [first.name, second.name];
  const instanceId = await client.scheduleNewOrchestration("passesTwo", input);
  await first.reached;
  await lost.stop();
  const worker = await started(newWorker(hub), register("second worker"));
  const state = await completed(client, instanceId);
  expect(state.serializedOutput).toBe('["second worker","second worker"]');
  expect(ranBy).toEqual(["first worker", "second worker", "second worker"]);
  await Promise.all([client.stop(), worker.stop()]);
});

test.concurrent("a turn whose worker is gone is taken by another one", async () => {
  const hub = newHub();
  const gates = new Gates();
  const gate = gates.create();
  const register = stopsInItsTurn(gates, gate.name);
  const client = newClient(hub);
  const lost = await started(newWorker(hub, { shutdownTimeoutMs: 1 }), register);
  const instanceId = await client.scheduleNewOrchestration("stopsInItsTurn");
  await gate.reached;
  await lost.stop();
  const worker = await started(newWorker(hub), register);
  gate.open();
  expect((await completed(client, instanceId)).serializedOutput).toBe('"open"');
  expect(typesOf(await client.getOrchestrationHistory(instanceId))).toEqual(turnsOfStopping);
  await Promise.all([client.stop(), worker.stop()]);
});

test.concurrent("a turn whose sidecar is killed is taken up again when it is back", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const gates = new Gates();
  const gate = gates.create();
  const before = await startSidecar(options);
  const { address, port } = before;
  const client = newClient({ port });
  const worker = await started(newWorker({ port }), stopsInItsTurn(gates, gate.name));
  const instanceId = await client.scheduleNewOrchestration("stopsInItsTurn");
  await gate.reached;
  await before.kill();
  gate.open();
  await using _after = await startSidecar({ ...options, listen: [address] });
  expect((await completed(client, instanceId)).serializedOutput).toBe('"open"');
  expect(typesOf(await client.getOrchestrationHistory(instanceId))).toEqual(turnsOfStopping);
  await Promise.all([client.stop(), worker.stop()]);
});

test.concurrent("an orchestration that no worker's filter takes waits for one that does", async () => {
  const hub = newHub();
  const client = newClient(hub);
  const register = (name: string) => (worker: TaskHubGrpcWorker) =>
    worker.addNamedOrchestrator(name, async () => name);
  const workers = [await started(newWorker(hub, { workItemFilters: "auto" }), register("known"))];
  const stranger = await client.scheduleNewOrchestration("stranger");
  const known = await client.scheduleNewOrchestration("known");
  expect((await completed(client, known)).serializedOutput).toBe('"known"');
  const pending = await client.getOrchestrationState(stranger);
  expect(pending?.runtimeStatus).toBe(OrchestrationStatus.PENDING);
  workers.push(await started(newWorker(hub, { workItemFilters: "auto" }), register("stranger")));
  expect((await completed(client, stranger)).serializedOutput).toBe('"stranger"');
  await Promise.all([client.stop(), ...workers.map((worker) => worker.stop())]);
});

test.concurrent("an orchestration that one worker rejects for its version goes to another", async () => {
  const hub = newHub();
  const client = newClient(hub);
  const workers = await Promise.all(
    ["1.0.0", "2.0.0"].map((version) =>
      started(
        newWorker(hub, { versioning: { version, matchStrategy: VersionMatchStrategy.Strict } }),
        (worker) => worker.addNamedOrchestrator("says", async () => `by ${version}`),
      ),
    ),
  );
  for (const version of ["2.0.0", "1.0.0"]) {
    const instanceId = await client.scheduleNewOrchestration("says", undefined, { version });
    expect((await completed(client, instanceId)).serializedOutput).toBe(`"by ${version}"`);
  }
  await Promise.all([client.stop(), ...workers.map((worker) => worker.stop())]);
});

test.concurrent("an orchestration of the wrong version fails where the worker says so", async () => {
  const hub = newHub();
  const client = newClient(hub);
  const versioning = {
    version: "1.0.0",
    matchStrategy: VersionMatchStrategy.CurrentOrOlder,
    failureStrategy: VersionFailureStrategy.Fail,
  };
  const worker = await started(newWorker(hub, { versioning }), (it) =>
    it.addNamedOrchestrator("says", async () => "something"),
  );
  const newer = await client.scheduleNewOrchestration("says", undefined, { version: "1.1.0" });
  const state = await completed(client, newer);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(present(state.failureDetails).errorType).toBe("VersionMismatch");
  const older = await client.scheduleNewOrchestration("says", undefined, { version: "0.9.0" });
  expect((await completed(client, older)).serializedOutput).toBe('"something"');
  await Promise.all([client.stop(), worker.stop()]);
});

test.concurrent("task hubs do not see each other's instances", async () => {
  const clients = [newClient(newHub()), newClient(newHub())];
  const [one, other] = clients;
  const instanceId = newId("same");
  await present(one).scheduleNewOrchestration("anything", "of one", instanceId);
  expect(await present(other).getOrchestrationState(instanceId)).toBeUndefined();
  await present(other).scheduleNewOrchestration("anything", "of the other", instanceId);
  const inputs = clients.map(
    async (client) => (await client.getOrchestrationState(instanceId))?.serializedInput,
  );
  expect(await Promise.all(inputs)).toEqual(['"of one"', '"of the other"']);
  await Promise.all(clients.map((client) => client.stop()));
});

test.concurrent("a worker that is there before the sidecar, and while it is restarted, goes on by itself", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const before = await startSidecar(options);
  const { address, port } = before;
  expect(await before.stop()).toBe(0);
  const client = newClient({ port });
  const worker = await started(newWorker({ port }), (it) =>
    it.addNamedOrchestrator("listens", listens),
  );
  const starting = client.scheduleNewOrchestration("listens", undefined, newId("listens"));
  const first = await startSidecar({ ...options, listen: [address] });
  const instanceId = await starting;
  await client.waitForOrchestrationStart(instanceId);
  expect(await first.stop()).toBe(0);
  await using second = await startSidecar({ ...options, listen: [address] });
  await client.raiseOrchestrationEvent(instanceId, "go", "on");
  expect((await completed(client, instanceId)).serializedOutput).toBe('"on"');
  await Promise.all([client.stop(), worker.stop()]);
  expect(await second.stop()).toBe(0);
});
