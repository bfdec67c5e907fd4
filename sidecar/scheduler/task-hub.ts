/**
 * One task hub while it is served: what clients and workers can ask of it. Every answer waits until
 * the head that it was decided on is durable, also a refusal, a no-op and "does not exist".
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Coverable } from "../engine/hub/covers.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import type { InstanceState } from "../engine/state.ts";
import type { DueRow, QueryIndexes, ReadyRow, StorageNumber, Store } from "../store/store.ts";
import type {
  ActivityResponse,
  EntityBatchResult,
  GetWorkItemsRequest,
  OrchestratorResponse,
} from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Entities } from "./entities.ts";
import type { WorkKind } from "./figures.ts";
import { deleteHub } from "./hub-deletion.ts";
import { HubParts, type TaskHubOptions } from "./hub-parts.ts";
import type { InstanceCommands } from "./instance-commands.ts";
import type { View } from "./instance-reader.ts";
import type { Purging } from "./purging.ts";
import type { Reruns } from "./reruns.ts";
import type { Retention } from "./retention.ts";
import { ScannedHub } from "./scanned-hub.ts";
import type { StatusSchemas } from "./status-schemas.ts";
import type { Stillnesses } from "./stillness.ts";
import type { Suspensions } from "./suspensions.ts";
import type { Watches } from "./watches.ts";
import type { WorkerConnection } from "./worker-stream.ts";

export class TaskHub {
  readonly name: string;
  readonly instances: InstanceCommands;
  readonly purging: Purging;
  readonly reruns: Reruns;
  readonly retention: Retention;
  readonly entities: Entities;
  readonly suspensions: Suspensions;
  readonly stillnesses: Stillnesses;
  readonly watches: Watches;
  readonly schemas: StatusSchemas;
  readonly scanned: ScannedHub;
  readonly #options: TaskHubOptions;
  readonly #store: Store;
  readonly #parts: HubParts;

  constructor(options: TaskHubOptions, state: HubState | undefined) {
    this.name = options.name;
    this.#options = options;
    this.#store = options.store;
    const parts = new HubParts(options, state);
    this.#parts = parts;
    this.instances = parts.instances;
    this.purging = parts.purging;
    this.reruns = parts.reruns;
    this.retention = parts.retention;
    this.entities = parts.entities;
    this.suspensions = parts.suspensions;
    this.stillnesses = parts.stillnesses;
    this.watches = parts.watches;
    this.schemas = parts.schemas;
    this.scanned = new ScannedHub(parts, {
      ...options,
      now: () => this.now(),
    });
    parts.gate.changed();
    parts.alarms.arm();
  }

  /** Hub time. */
  now(): Timestamp {
    return this.#options.hubClock.now();
  }

  /** The hub as decided, which may be ahead of the disk; undefined while it does not exist. */
  get state(): HubState | undefined {
    return this.#parts.log.state;
  }

  /** Trees and windows that hold the subject now. */
  holdsOn(subject: Coverable): readonly HubHold[] {
    return this.#parts.log.holdsOn(subject, this.now());
  }

  /** Trees and windows, whether they have begun or not. */
  get hubHolds(): readonly HubHold[] {
    return this.#parts.log.holds;
  }

  /** How far the paced release of a tree or window has come. */
  releaseProgress(hold: HubHold): { letThrough: number; awaitingResume: boolean } | undefined {
    return this.#parts.gate.progress(hold);
  }

  /** Random text that tells this creation of the hub from others; undefined while it does not exist. */
  get incarnation(): string | undefined {
    return this.#parts.log.state?.incarnation;
  }

  get indexes(): QueryIndexes {
    return this.#store;
  }

  /** Resolves when all that was decided about the hub itself is durable. */
  hubSettled(): Promise<void> {
    return this.#store.whenDurable(this.#parts.log.position);
  }

  /** Storage number; undefined until the first write creates the hub. */
  get number(): StorageNumber | undefined {
    return this.#parts.log.number;
  }

  /** Somebody is attached, or something is stored: the object must be kept. */
  get inUse(): boolean {
    return (
      this.#parts.log.number !== undefined ||
      this.#parts.log.position > this.#store.durablePosition ||
      this.#parts.heads.inUse ||
      this.#parts.waiters.count > 0 ||
      this.stillnesses.waiting > 0 ||
      this.watches.count > 0 ||
      this.#parts.desk.inUse
    );
  }

  /** @see InstanceReader.read */
  read<T>(instanceId: string, view: View<T>): Promise<T | undefined> {
    return this.#parts.reader.read(instanceId, view);
  }

  /** @see InstanceReader.wait */
  wait<T>(
    instanceId: string,
    done: (state: InstanceState) => boolean,
    view: View<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#parts.reader.wait(instanceId, done, view, signal);
  }

  /** @see HistoryStreams.history */
  history(
    instanceId: string,
    executionId: string | undefined,
    forWorker: boolean,
  ): AsyncGenerator<Uint8Array> {
    return this.#parts.histories.history({ instanceId, executionId, forWorker });
  }

  /** Encoded work items for one worker, until `connection.signal` is aborted. */
  workItems(
    request: GetWorkItemsRequest,
    connection: WorkerConnection,
  ): AsyncGenerator<Uint8Array> {
    return this.#parts.desk.workItems(request, connection);
  }

  completeTurn(response: OrchestratorResponse): Promise<void> {
    return this.#parts.desk.completeTurn(response);
  }

  completeActivity(response: ActivityResponse): Promise<void> {
    return this.#parts.desk.completeActivity(response);
  }

  completeBatch(result: EntityBatchResult): Promise<void> {
    return this.#parts.desk.completeBatch(result);
  }

  abandon(kind: WorkKind, token: string): Promise<void> {
    return this.#parts.desk.abandon(kind, token);
  }

  connectionClosed(connection: string): void {
    this.#parts.desk.connectionClosed(connection);
  }

  /**
   * Makes the hub exist; deletes what is in it first when it `recreates` it.
   *
   * @throws HubError "limit-exceeded", and nothing has changed
   */
  async create(recreates = false): Promise<void> {
    if (this.number === undefined) this.#options.admission.admit(Cause.CREATE_HUB);
    if (recreates) await this.delete();
    this.#parts.road.createHub();
    await this.#store.whenDurable(this.#parts.log.position);
  }

  /** Deletes all instances. Waits end with "instance-not-found"; worker streams stay open. */
  delete(): Promise<void> {
    return deleteHub(this.name, this.#parts);
  }

  /**
   * Lets an instance that was ready when the process ended go on: being loaded is all it takes. When
   * there are too many, those that wait for workers wait outside memory.
   */
  async recover({ number, address: { instanceId, waitsForWorker } }: ReadyRow): Promise<void> {
    if (waitsForWorker && this.#parts.desk.postponesUnknown(number)) return;
    await this.load(instanceId);
  }

  /** Brings an instance into memory: what was going on there goes on. */
  async load(instanceId: string): Promise<void> {
    this.#parts.heads.unpin(await this.#parts.heads.pin(instanceId));
  }

  /** All that was ready when the process ended is in memory or held back. */
  recovered(): void {
    this.#parts.gate.recovered();
    this.#parts.desk.feedAll();
    this.#parts.ages.look();
    this.retention.start();
  }

  /** The wall clock was set back. */
  clockSetBack(): void {
    this.#parts.flow.clockSetBack();
  }

  /** Fires what is due in one instance. */
  due(row: DueRow): Promise<void> {
    return this.#parts.instanceAlarms.due(row);
  }

  /** Nothing is handed out from now on; resolves when workers have answered what they have. */
  stopHandingOut(reason: Error): Promise<void> {
    return this.#parts.desk.stopHandingOut(reason);
  }

  /**
   * Ends streams and waits with `reason`. Resolves when nothing goes on by itself any more; answers
   * of workers are still taken.
   */
  async close(reason: Error): Promise<void> {
    this.#parts.flow.close();
    this.#parts.road.stopMail();
    this.#parts.desk.close();
    this.#parts.gate.close();
    this.#parts.alarms.close();
    this.#parts.instanceAlarms.forget();
    this.#parts.ages.close();
    this.retention.close();
    this.stillnesses.close(reason);
    this.watches.endAll(reason);
    await this.#parts.waiters.endAll(reason, Promise.resolve());
    await this.#parts.background.settled();
  }
}
