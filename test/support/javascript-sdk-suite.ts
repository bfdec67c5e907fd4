/** One sidecar process, one client and one worker of the published SDK for all tests of a file. */
import { randomUUID } from "node:crypto";
import type {
  HistoryEvent,
  OrchestrationState,
  StartOrchestrationOptions,
  TActivity,
  TaskHubGrpcClient,
  TaskHubGrpcWorker,
  TInput,
  TOrchestrator,
  TOutput,
} from "@microsoft/durabletask-js";
import { afterAll, beforeAll, expect } from "vitest";
import { type HubAddress, newClient, newWorker } from "./javascript-sdk.ts";
import { startSidecar } from "./sidecar-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** How long the SDK may wait for something, in seconds: less than a test may take. */
export const PATIENCE_SECONDS = 30;
/** How long the SDK waits for something that must not happen, in seconds. */
export const NEVER_SECONDS = 0.3;

export interface JavaScriptSuite {
  readonly client: TaskHubGrpcClient;
  readonly port: number;
  /** Registers an orchestrator with the file's worker; only while the file is loaded. */
  orchestrator(name: string, run: TOrchestrator): string;
  /** Registers an activity with the file's worker; only while the file is loaded. */
  activity<Input extends TInput, Output extends TOutput>(
    name: string,
    run: TActivity<Input, Output>,
  ): string;
  start(name: string, input?: unknown, options?: StartOrchestrationOptions): Promise<string>;
  completed(instanceId: string): Promise<OrchestrationState>;
  /** Starts an orchestration and waits for its end. */
  run(
    name: string,
    input?: unknown,
    options?: StartOrchestrationOptions,
  ): Promise<OrchestrationState>;
  /** Runs an orchestration that must complete. @returns its output, undefined when it has none */
  outputOf(name: string, input?: unknown): Promise<unknown>;
}

export function javaScriptSuite(): JavaScriptSuite {
  const registrations: ((worker: TaskHubGrpcWorker) => void)[] = [];
  let running: { port: number; client: TaskHubGrpcClient; stop: () => Promise<void> } | undefined;
  beforeAll(async () => {
    running = await startAll(registrations);
  });
  afterAll(() => running?.stop());

  const suite: JavaScriptSuite = {
    get client() {
      return present(running).client;
    },
    get port() {
      return present(running).port;
    },
    orchestrator(name, run) {
      registrations.push((worker) => worker.addNamedOrchestrator(name, run));
      return name;
    },
    activity(name, run) {
      registrations.push((worker) => worker.addNamedActivity(name, run));
      return name;
    },
    start: (name, input, options) =>
      suite.client.scheduleNewOrchestration(name, input, { instanceId: newId(name), ...options }),
    completed: (instanceId) => completed(suite.client, instanceId),
    run: async (name, input, options) => suite.completed(await suite.start(name, input, options)),
    outputOf: async (name, input) => outputOf(await suite.run(name, input)),
  };
  return suite;
}

/** An instance id that no other test uses. */
export function newId(name: string): string {
  return `${name}-${randomUUID()}`;
}

/** Waits for the end of an orchestration; only as long as the SDK is patient. */
export async function completed(
  client: TaskHubGrpcClient,
  instanceId: string,
): Promise<OrchestrationState> {
  return present(await client.waitForOrchestrationCompletion(instanceId, true, PATIENCE_SECONDS));
}

/** The output of a completed orchestration; the failure is thrown if there is one. */
export function outputOf(state: OrchestrationState): unknown {
  state.raiseIfFailed();
  const text = state.serializedOutput;
  return text === undefined ? undefined : JSON.parse(text);
}

export function typesOf(history: readonly HistoryEvent[]): string[] {
  return history.map(({ type }) => type);
}

export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it is not there");
  return value;
}

/** A client and a worker of their own, for tests that start and stop them. */
export function pair(address: HubAddress) {
  return { client: newClient(address), worker: newWorker(address) };
}

async function startAll(registrations: readonly ((worker: TaskHubGrpcWorker) => void)[]) {
  const directory = await temporaryDirectory();
  const sidecar = await startSidecar({ dataDirectory: directory.path });
  const { port } = sidecar;
  const { client, worker } = pair({ port });
  for (const register of registrations) register(worker);
  await worker.start();
  const stop = async () => {
    await Promise.all([worker.stop(), client.stop()]);
    const end = await sidecar.stop();
    await directory[Symbol.asyncDispose]();
    // Whatever the tests did, it was nothing that a sidecar complains about.
    const complaints = sidecar.logs().filter(({ level }) => level !== "info" && level !== "debug");
    expect({ end, complaints }).toEqual({ end: 0, complaints: [] });
  };
  return { port, client, stop };
}
