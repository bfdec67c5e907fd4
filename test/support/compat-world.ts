/** The compatible service on a task hub in memory, behind a transport, with what a test wants to see of it. */
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { compatibleService } from "../../sidecar/rpc/compat/service.ts";
import {
  type GetInstanceResponse,
  type HistoryEvent,
  type OrchestrationState,
  OrchestrationStatusSchema,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CallLog } from "./compat-calls.ts";
import { CompatWorker, type CompatWorkerOptions } from "./compat-worker.ts";
import { countedIds } from "./fake-clock.ts";
import type { Served, transports } from "./rpc-harness.ts";
import { type HubOptions, openHub, type TestHub } from "./scheduler-harness.ts";

export type Serve = (typeof transports)[number]["serve"];
export type CompatClient = Client<typeof TaskHubSidecarService>;

/** How a call ended that was refused. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

export async function openCompat(serve: Serve, options: HubOptions = {}): Promise<CompatWorld> {
  const hub = await openHub(options);
  const calls = new CallLog();
  const served = await serve(calls.over(compatibleService(hub.hubs, countedIds("c"))));
  return new CompatWorld(hub, served, calls);
}

export class CompatWorld implements AsyncDisposable {
  readonly hub: TestHub;
  readonly calls: CallLog;
  readonly client: CompatClient;
  readonly #served: Served;
  readonly #workers: CompatWorker[] = [];

  constructor(hub: TestHub, served: Served, calls: CallLog) {
    this.hub = hub;
    this.calls = calls;
    this.#served = served;
    this.client = createClient(TaskHubSidecarService, served.transport);
  }

  get transport() {
    return this.#served.transport;
  }

  get internalErrors() {
    return this.#served.internalErrors;
  }

  /** A worker whose stream the service has seen. */
  async worker(options: CompatWorkerOptions = {}): Promise<CompatWorker> {
    const arrived = this.calls.next("getWorkItems");
    const worker = new CompatWorker(this.client, options);
    this.#workers.push(worker);
    await Promise.race([arrived, worker.ended]);
    return worker;
  }

  /** Starts an instance, and fails the test if it cannot. */
  async start(instanceId: string, name = "Main", input?: string): Promise<string> {
    const request = { instanceId, name, ...(input === undefined ? {} : { input }) };
    const answer = await this.client.startInstance(request);
    return answer.instanceId;
  }

  /** What a reader is shown with all payloads; undefined when the instance does not exist. */
  async state(instanceId: string, options = {}): Promise<OrchestrationState | undefined> {
    const request = { instanceId, getInputsAndOutputs: true };
    const { exists, orchestrationState } = await this.client.getInstance(request, options);
    expect(exists).toBe(orchestrationState !== undefined);
    return orchestrationState;
  }

  async status(instanceId: string, options = {}): Promise<string | undefined> {
    const state = await this.state(instanceId, options);
    return state && statusName(state);
  }

  async history(instanceId: string, request = {}, options = {}): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    const stream = this.client.streamInstanceHistory({ instanceId, ...request }, options);
    for await (const chunk of stream) events.push(...chunk.events);
    return events;
  }

  async kinds(instanceId: string, request = {}): Promise<(string | undefined)[]> {
    return (await this.history(instanceId, request)).map(({ eventType }) => eventType.case);
  }

  /**
   * Everything a refused call must leave as it was: how much was ever written, the hubs, and one
   * instance.
   */
  async facts(instanceId = "witness") {
    await this.hub.settled();
    const { store } = this.hub;
    const written = store.durablePosition;
    return { written, hubs: await store.listHubs(), state: await this.state(instanceId) };
  }

  /**
   * The call is refused with this code, in words that match, and without a word about what is
   * inside. Nothing has changed, and the service goes on serving.
   */
  async expectRefused(call: () => Promise<unknown>, code: string, words: RegExp): Promise<void> {
    const before = await this.facts();
    const failure = await failureOf(call());
    expect(failure).toEqual({ code, message: expect.stringMatching(words) });
    expect(failure.message).not.toMatch(internals);
    expect(await this.facts()).toEqual(before);
    await this.client.hello({});
    expect(this.internalErrors).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) worker.close();
    await this.#served[Symbol.asyncDispose]();
    await this.hub[Symbol.asyncDispose]();
  }
}

/** Files, stacks, types and places in memory are nobody's business. */
const internals = /\.[jt]s\b|\bat \S+ \(|node:|Error:|undefined|\[object|0x[0-9a-f]{4}/;

/** The failure of a call; fails the test when there is none. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => expect.fail("the call was answered"),
    (reason: unknown) => ConnectError.from(reason),
  );
  return { code: Code[error.code] ?? "", message: error.rawMessage };
}

/** Reads a stream to its end. */
export async function readAll<M>(stream: AsyncIterable<M>): Promise<M[]> {
  const messages: M[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

/** Reads a response's state, which must be there. */
export function stateIn({ exists, orchestrationState }: GetInstanceResponse): OrchestrationState {
  if (!exists || orchestrationState === undefined) throw new Error("the instance does not exist");
  return orchestrationState;
}

export function statusName({ orchestrationStatus }: OrchestrationState): string {
  return OrchestrationStatusSchema.value[orchestrationStatus]?.localName ?? "";
}

/** The metadata that selects a hub. */
export function inHub(taskhub: string) {
  return { headers: { taskhub } };
}
