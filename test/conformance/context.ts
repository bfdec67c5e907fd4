/** What a check works with: calls, workers and ids of its own at the service under test. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  type CreateInstanceRequestSchema,
  type HistoryEvent,
  type OrchestrationState,
  type OrchestrationStatus,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { BoundTransport, quietClient } from "./bound-transport.ts";
import { CheckFailure, expectEqual, expectPresent, expectThat } from "./check.ts";
import { statusName } from "./events.ts";
import { connectAs } from "./other-software.ts";
import type { Switchboard } from "./switchboard.ts";
import { Waits } from "./waits.ts";
import { ConformanceWorker, type ServiceClient, type WorkItemsRequest } from "./worker.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
  /** Sent as the `taskhub` metadata key; without it, none is sent. */
  readonly taskHub?: string | undefined;
  readonly transport: GrpcTransport;
  readonly switchboard: Switchboard;
}

export type WorkerOptions = WorkItemsRequest & {
  /** A TCP connection that only this worker has. */
  readonly ownConnection?: boolean;
  /** The user agent of the connection, which is its own: `grpc-java-netty/1.60.0`. */
  readonly userAgent?: string;
  /** Takes everything of the hub: only on a hub of the check's own. */
  readonly unfiltered?: boolean;
};

/** The names that workers ask for when a check does not say otherwise. */
const ORCHESTRATORS = ["Main", "Child", "Grandchild", "Other"];
const ACTIVITIES = ["Work", "Other"];
const ENTITIES = ["counter", "other"];
const CLEANUP_MS = 3_000;
/** Longer than the patience of any check: what a wait without a deadline does is a check of its own. */
const WAIT_MS = 300_000;

export class CheckContext {
  /** Part of every name and id that this check uses. Lower case. */
  readonly tag: string;
  readonly client: ServiceClient;
  readonly waits = new Waits();
  readonly #calls = new Set<string>();
  readonly #target: Target;
  readonly #end = new AbortController();
  readonly #workers: ConformanceWorker[] = [];
  readonly #connections: Disposable[] = [];
  readonly #started = new Set<string>();
  readonly #entities = new Set<string>();
  readonly #hubs: CheckContext[] = [];

  constructor(target: Target) {
    this.#target = target;
    this.tag = target.switchboard.newTag();
    this.client = this.#clientOver(target.transport);
  }

  /** Names of the methods that were called for it, in its hubs too. */
  get calls(): ReadonlySet<string> {
    return new Set([...this.#calls, ...this.#hubs.flatMap((hub) => [...hub.calls])]);
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Calls that name no hub, and do not end with the check. */
  get bareTransport(): GrpcTransport {
    return this.#target.transport;
  }

  /** `host:port`. */
  get address(): string {
    const { host, port } = this.#target;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** An instance id that nobody else has. */
  id(label = "main"): string {
    return `${this.tag}-${label}`;
  }

  /** The name of an orchestrator or an activity that nobody else has. */
  name(label = "Main"): string {
    return `${label}-${this.tag}`;
  }

  /** The id of an entity that nobody else has. */
  entityId(key = "key", label = "counter"): string {
    const entityId = `@${label}-${this.tag}@${key}`;
    this.#entities.add(entityId);
    return entityId;
  }

  /** Begins something that is awaited later: a check that has failed by then does not wait for it. */
  quietly<T>(work: () => Promise<T>): Promise<T> {
    const promise = work();
    promise.catch(() => {});
    return promise;
  }

  /** Starts an instance of `Main`, and returns its id. */
  start(fields: MessageInitShape<typeof CreateInstanceRequestSchema> = {}): Promise<string> {
    const request = { instanceId: this.id(), name: this.name(), ...fields };
    this.#started.add(request.instanceId);
    return this.quietly(async () => {
      const { instanceId } = await this.client.startInstance(request);
      this.#started.add(instanceId);
      return instanceId;
    });
  }

  /** A stream of work items of the names of this check. */
  worker(options: WorkerOptions = {}): ConformanceWorker {
    const { ownConnection, userAgent, unfiltered, ...request } = options;
    const isOwn = ownConnection || userAgent !== undefined;
    const client = isOwn ? this.#clientOver(this.#connect(userAgent)) : this.client;
    const filters = unfiltered ? {} : { workItemFilters: this.filters() };
    const worker = new ConformanceWorker({
      client,
      waits: this.waits,
      switchboard: this.#target.switchboard,
      tag: this.tag,
      request: { ...filters, ...request } as WorkItemsRequest,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** What accepts the names of this check, and no others. */
  filters() {
    const accept = (label: string) => ({ name: this.name(label) });
    return {
      orchestrations: ORCHESTRATORS.map(accept),
      activities: ACTIVITIES.map(accept),
      entities: ENTITIES.map((label) => ({ name: `${label}-${this.tag}` })),
    };
  }

  /** Closes the streams and the connections of its workers, as a process does that dies. */
  loseConnections(): void {
    for (const worker of this.#workers) worker.close();
    for (const connection of this.#connections.splice(0)) connection[Symbol.dispose]();
  }

  /** What a reader is shown with all payloads. @throws CheckFailure when there is none */
  state(instanceId: string): Promise<OrchestrationState> {
    return this.quietly(async () => {
      const request = { instanceId, getInputsAndOutputs: true };
      const { exists, orchestrationState } = await this.client.getInstance(request);
      expectThat(exists, `expected ${instanceId} to exist, but GetInstance says that it does not`);
      return expectPresent("the state in the answer of GetInstance", orchestrationState);
    });
  }

  async expectStatus(instanceId: string, expected: keyof typeof OrchestrationStatus) {
    const { orchestrationStatus } = await this.state(instanceId);
    expectEqual("the status", statusName(orchestrationStatus), expected);
  }

  async expectExists(instanceId: string, expected: boolean): Promise<void> {
    const { exists } = await this.client.getInstance({ instanceId });
    expectEqual(`"exists" of ${instanceId}`, exists, expected);
  }

  /** Waits until the instance has ended. */
  ended(instanceId: string): Promise<OrchestrationState> {
    return this.quietly(async () => {
      const request = { instanceId, getInputsAndOutputs: true };
      const { orchestrationState } = await this.client.waitForInstanceCompletion(request, {
        timeoutMs: WAIT_MS,
      });
      return expectPresent("the state when a wait has ended", orchestrationState);
    });
  }

  /** Waits until it has ended, in this status. */
  endedAs(instanceId: string, expected: keyof typeof OrchestrationStatus) {
    return this.quietly(async () => {
      const state = await this.ended(instanceId);
      expectEqual("the status at the end", statusName(state.orchestrationStatus), expected);
      return state;
    });
  }

  history(instanceId: string, more = {}): Promise<HistoryEvent[]> {
    const read = this.quietly(async () => {
      const events: HistoryEvent[] = [];
      const chunks = this.client.streamInstanceHistory({ instanceId, ...more });
      for await (const chunk of chunks) events.push(...chunk.events);
      return events;
    });
    return this.waits.during("the end of a history", read);
  }

  raise(instanceId: string, name: string, input?: string): Promise<unknown> {
    const payload = input === undefined ? {} : { input };
    return this.client.raiseEvent({ instanceId, name, ...payload });
  }

  /** The call is refused with this code. A service that does not offer the method is told apart. */
  async refused(call: Promise<unknown>, code: Code, words?: RegExp): Promise<void> {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => ConnectError.from(reason),
    );
    const expected = Code[code];
    if (error === undefined) throw new CheckFailure(`expected ${expected}, but the answer was OK`);
    if (error.code === Code.Unimplemented && code !== Code.Unimplemented) throw error;
    const message = error.rawMessage;
    expectThat(
      error.code === code,
      `expected ${expected}, but got ${Code[error.code]}: ${message}`,
    );
    if (words === undefined) return;
    expectThat(words.test(message), `expected words that match ${words}, but got "${message}"`);
  }

  /** The same check on a hub that nobody else uses, and which is deleted at the end. */
  ownHub(label = "own"): CheckContext {
    const hub = new CheckContext({ ...this.#target, taskHub: `${this.tag}-${label}` });
    this.#hubs.push(hub);
    return hub;
  }

  /** Notes an instance that the service has named, so that it is removed at the end. */
  remember(...instanceIds: readonly string[]): void {
    for (const instanceId of instanceIds) this.#started.add(instanceId);
  }

  /** What it waits for; the empty text for nothing. */
  waitsFor(): string {
    const all = [this, ...this.#hubs].map(({ waits }) => waits.describe());
    return all.filter((text) => text !== "").join(" and ");
  }

  /** Ends everything that is under way, and leaves as little behind as the service lets it. */
  async close(deletesHubs = true): Promise<void> {
    for (const hub of this.#hubs) await hub.#closeHub(deletesHubs);
    this.loseConnections();
    this.#end.abort();
    await this.#removeInstances();
  }

  async #closeHub(isDeleted: boolean): Promise<void> {
    this.loseConnections();
    this.#end.abort();
    if (!isDeleted) return;
    const headers = { taskhub: this.#target.taskHub ?? "" };
    const client = createClient(TaskHubSidecarService, this.#target.transport);
    await client.deleteTaskHub({}, { headers, timeoutMs: CLEANUP_MS }).catch(() => {});
  }

  async #removeInstances(): Promise<void> {
    const { transport, taskHub } = this.#target;
    const client = createClient(TaskHubSidecarService, transport);
    const options = {
      timeoutMs: CLEANUP_MS,
      ...(taskHub === undefined ? {} : { headers: { taskhub: taskHub } }),
    };
    await Promise.all(this.#workers.map((worker) => worker.giveUp(client)));
    const instanceIds = [...this.#started].filter((id) => id !== "");
    const ended = instanceIds.map((instanceId) =>
      client.terminateInstance({ instanceId, recursive: true }, options),
    );
    await Promise.allSettled(ended);
    const request = { case: "instanceBatch" as const, value: { instanceIds } };
    const purged = [...this.#entities].map((value) =>
      client.purgeInstances({ request: { case: "instanceId", value } }, options),
    );
    purged.push(client.purgeInstances({ request, recursive: true }, options));
    await Promise.allSettled(purged);
  }

  #connect(userAgent: string | undefined): Transport {
    if (userAgent !== undefined) {
      const connection = connectAs(userAgent, this.#target);
      this.#connections.push(connection);
      return connection.transport;
    }
    const connection = new GrpcTransport(this.#target);
    this.#connections.push(connection);
    return connection;
  }

  #clientOver(transport: Transport): ServiceClient {
    const { taskHub } = this.#target;
    const bound = new BoundTransport(transport, {
      signal: this.signal,
      waits: this.waits,
      calls: this.#calls,
      taskHub,
    });
    return quietClient(createClient(TaskHubSidecarService, bound));
  }
}
