/** One sidecar process, one client and one worker of the published SDK for all tests of a file. */
import { randomUUID } from "node:crypto";
import type {
  HistoryEvent,
  ITaskEntity,
  OrchestrationState,
  StartOrchestrationOptions,
  TActivity,
  TaskHubGrpcClient,
  TaskHubGrpcWorker,
  TInput,
  TOrchestrator,
  TOutput,
} from "@microsoft/durabletask-js";
import { afterAll, beforeAll, expect, test } from "vitest";
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
  /** Registers an entity with the file's worker; only while the file is loaded. */
  entity(name: string, run: ITaskEntity["run"]): string;
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
    entity(name, run) {
      registrations.push((worker) => worker.addNamedEntity(name, () => ({ run })));
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
  patienceSeconds: number = PATIENCE_SECONDS,
): Promise<OrchestrationState> {
  return present(await client.waitForOrchestrationCompletion(instanceId, true, patienceSeconds));
}

/** The output of a completed orchestration; the failure is thrown if there is one. */
export function outputOf(state: OrchestrationState): unknown {
  state.raiseIfFailed();
  const text = state.serializedOutput;
  return text === undefined ? undefined : JSON.parse(text);
}

/** A scenario that this SDK has no means for. */
export function cannot(name: string, reason: string): void {
  test.skip(`${name} (not with this SDK: ${reason})`);
}

export function typesOf(history: readonly HistoryEvent[]): string[] {
  return history.map(({ type }) => type);
}

/** What the SDK gives one by one. */
export async function collected<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * Starts orchestrations, one after the other, that do not begin within this hour. Each is made in a
 * millisecond of its own, with one in between: the SDK knows no smaller times.
 */
export async function startPending(
  client: TaskHubGrpcClient,
  count: number,
  prefix: string,
): Promise<readonly string[]> {
  const startAt = new Date(Date.now() + 3_600_000);
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${String(i).padStart(2, "0")}`);
  for (const instanceId of ids) {
    await client.scheduleNewOrchestration("nobody's", undefined, { instanceId, startAt });
    await millisecondsBehind(await createdAt(client, instanceId));
  }
  return ids;
}

export async function createdAt(
  client: TaskHubGrpcClient,
  instanceId: string | undefined,
): Promise<Date> {
  return present(await client.getOrchestrationState(present(instanceId))).createdAt;
}

/** Resolves when it is two milliseconds ago. */
export async function millisecondsBehind(time: Date): Promise<void> {
  while (Date.now() < time.getTime() + 2) await new Promise(setImmediate);
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
    const complaints = sidecar.complaints();
    expect({ end, complaints }).toEqual({ end: 0, complaints: [] });
  };
  return { port, client, stop };
}
