/**
 * Where work leaves the task hub and answers come back: streams, leases, and what happens when
 * workers lose what they have.
 */
import type { StorageNumber } from "../store/store.ts";
import type {
  ActivityResponse,
  EntityBatchResult,
  GetWorkItemsRequest,
  OrchestratorResponse,
} from "../wire/gen/orchestrator_service_pb.ts";
import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { ActivityDesk } from "./activity-desk.ts";
import type { Background } from "./background.ts";
import { BacklogDesk } from "./backlog-desk.ts";
import type { Aftermath } from "./commit-draft.ts";
import { Delays } from "./delays.ts";
import type { DeskContext } from "./desk-context.ts";
import { Dispatcher } from "./dispatcher.ts";
import { EarlyTurns } from "./early-turns.ts";
import { EntityDesk } from "./entity-desk.ts";
import { batchInFlight, type Head, turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HoldGate } from "./hold-gate.ts";
import type { HubLog } from "./hub-log.ts";
import { type Lease, Leases, type LossReason } from "./leases.ts";
import type { SchedulerOptions } from "./options.ts";
import type { ReadyItem, ReadyName } from "./ready-queue.ts";
import type { Road } from "./road.ts";
import { TurnDesk } from "./turn-desk.ts";
import type { WorkerConnection, WorkerStream } from "./worker-stream.ts";

export interface WorkDeskOptions {
  readonly hubName: string;
  readonly options: SchedulerOptions;
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly road: Road;
  readonly background: Background;
  readonly gate: HoldGate;
  readonly statusRules: DeskContext["statusRules"];
  /** A worker has answered, or lost, what it had. */
  readonly leaseEnded: (lease: Lease) => void;
}

export class WorkDesk {
  readonly #options: SchedulerOptions;
  readonly #heads: Heads;
  readonly #leases: Leases;
  readonly #dispatcher: Dispatcher;
  readonly #turns: TurnDesk;
  readonly #activities: ActivityDesk;
  readonly #entities: EntityDesk;
  readonly #backlog: BacklogDesk;
  readonly #early: EarlyTurns;
  readonly #delays: Delays;

  constructor(parts: WorkDeskOptions) {
    const { options, heads, leaseEnded } = parts;
    this.#options = options;
    this.#heads = heads;
    this.#delays = new Delays(options.steadyClock);
    const { steadyClock, times } = options;
    this.#leases = new Leases(steadyClock, times, {
      lost: (lease, reason) => this.#lost(lease, reason),
      ended: leaseEnded,
    });
    const owner = {
      handOut: (item: ReadyItem, stream: WorkerStream) =>
        this.#deskOf(item.kind).handOut(item, stream),
      isVoid: ({ kind, head, number, workId }: ReadyItem) => {
        const place = kind === "activity" ? head.activities.get(workId) : head.turn;
        return head.state?.number !== number || place !== "queued";
      },
      streamClosed: (stream: WorkerStream) => this.#leases.streamClosed(stream),
      runningOut: (stream: WorkerStream, isHungry: boolean) =>
        this.#backlog.recall(stream, isHungry),
    };
    this.#dispatcher = new Dispatcher(owner, options);
    const context: DeskContext = {
      ...parts,
      leases: this.#leases,
      offer: (item) => this.#dispatcher.offer(item),
      later: (delayMs, run) => this.#delays.later(delayMs, run),
    };
    this.#turns = new TurnDesk(context);
    this.#activities = new ActivityDesk(context);
    this.#entities = new EntityDesk(context);
    this.#early = new EarlyTurns((head) => {
      // It may have left memory meanwhile, or be another one by now.
      if (this.#heads.peek(head.instanceId) !== head || this.#backlog.isBusy) return;
      this.#consider(head);
    });
    this.#backlog = new BacklogDesk({
      ...parts,
      store: options.store,
      budget: options.readyBudget,
      worksOf: (head) => [
        ...this.#turns.worksOf(head),
        ...this.#activities.worksOf(head),
        ...this.#entities.worksOf(head),
      ],
      isWanted: (work) => this.#dispatcher.isWanted(work),
      queue: (head) => this.#queue(head),
      later: context.later,
      feedAll: () => this.#dispatcher.feedAll(),
    });
  }

  /** What workers have, the oldest first, also those whose stream is gone but may still answer. */
  leases(): Iterable<Lease> {
    return this.#leases.all();
  }

  get leaseCount(): number {
    return this.#leases.count;
  }

  isInForce(lease: Lease): boolean {
    return this.#leases.find(lease.token, lease.kind) === lease;
  }

  /** Work that waits for a worker, by kind, name and version. */
  *readyNames(): Generator<ReadyName> {
    yield* this.#dispatcher.readyNames();
    yield* this.#backlog.names();
  }

  /** How many ready instances wait outside memory. */
  get postponed(): number {
    return this.#backlog.size;
  }

  /** Its work waits outside memory, until workers have room. */
  isPostponed(number: StorageNumber): boolean {
    return this.#backlog.has(number);
  }

  /** Leaves an instance where it is that was ready when the process ended; false: load it. */
  postponesUnknown(number: StorageNumber): boolean {
    return this.#backlog.postponesUnknown(number);
  }

  /** Streams that were opened earlier ask for what has come up since. */
  feedAll(): void {
    this.#dispatcher.feedAll();
  }

  /** Queues what waits outside memory of an instance that somebody looks at. */
  bringUp(head: Head): void {
    this.#backlog.bringUp(head);
  }

  readyItems(): Iterable<ReadyItem> {
    return this.#dispatcher.readyItems();
  }

  /** Open worker streams, in the order of their connecting. */
  streams(): readonly WorkerStream[] {
    return this.#dispatcher.allStreams();
  }

  get inUse(): boolean {
    return this.#dispatcher.streams > 0;
  }

  /** Encoded work items for one worker. The stream is open from the first pull on. */
  async *workItems(
    request: GetWorkItemsRequest,
    connection: WorkerConnection,
  ): AsyncGenerator<Uint8Array> {
    yield* this.#dispatcher.connect(request, connection).items(connection.signal);
  }

  connectionClosed(connection: string): void {
    this.#dispatcher.connectionClosed(connection);
    this.#leases.connectionClosed(connection);
  }

  /** Queues what a durable commit has made possible. */
  goOn(head: Head, { number, activities, released }: Aftermath): void {
    if (this.#backlog.postpones(head)) return;
    if (head.state?.number === number) this.#activities.queueNew(head, activities);
    if (released) {
      this.#activities.queueParked(head);
      // What waited outside memory was given up there while it was held.
      this.#queue(head);
    } else this.#consider(head);
  }

  /** Queues a turn whose events are not durable yet, once all that came with them is decided too. */
  considerEarly(head: Head): void {
    this.#early.add(head);
  }

  /** Holds of the hub have changed: what is queued and held now is set aside, to be looked at again. */
  setAsideHeld(): void {
    this.#backlog.recallAll();
    this.#dispatcher.setAside((item) => this.#deskOf(item.kind).setAside(item));
  }

  /** A life or its work is over: what is queued or with workers of it is void, tokens are stale. */
  voidWork(head: Head, what: "all" | "activities"): void {
    for (const place of head.activities.values()) {
      if (typeof place === "object") this.#leases.end(place);
    }
    head.activities.clear();
    head.delays?.clear();
    if (what === "activities") return;
    const batch = batchInFlight(head);
    if (batch !== undefined) this.#leases.end(batch);
    const turn = turnInFlight(head);
    if (turn !== undefined) this.#leases.end(turn);
    head.turn = undefined;
    head.turnsResent = 0;
  }

  /**
   * Takes the answer to a turn. One without a lease behind it is stale and changes nothing; that is
   * a success, because workers do harmful things when they are told otherwise (trap T9).
   */
  completeTurn(response: OrchestratorResponse): Promise<void> {
    const lease = this.#turns.leaseOf(response);
    return lease === undefined
      ? this.#stale("turn", response.instanceId)
      : this.#turns.complete(lease, response);
  }

  /** Takes the result of an activity; as tolerant as `completeTurn`. */
  completeActivity(response: ActivityResponse): Promise<void> {
    const lease = this.#activities.leaseOf(response);
    return lease === undefined
      ? this.#stale("activity", response.instanceId)
      : this.#activities.complete(lease, response);
  }

  /** Takes the answer to a batch of operations; as tolerant as `completeTurn`. */
  completeBatch(result: EntityBatchResult): Promise<void> {
    const lease = this.#entities.leaseOf(result);
    return lease === undefined ? this.#stale("batch", "") : this.#entities.complete(lease, result);
  }

  /** Gives an item back unprocessed: that is counted. An unknown token changes nothing. */
  async abandon(kind: Lease["kind"], token: string): Promise<void> {
    const lease = this.#leases.find(token, kind);
    if (lease === undefined) return;
    this.#leases.end(lease);
    this.#lost(lease, "abandoned");
    await this.#options.store.whenDurable(lease.head.position);
  }

  /** Forgets what is queued: the hub was deleted. */
  clear(): void {
    this.#backlog.clear();
    this.#dispatcher.clear();
  }

  /** Hands nothing out any more; resolves when workers have nothing left. */
  async stopHandingOut(reason: Error): Promise<void> {
    this.#dispatcher.stopClaims(reason);
    await this.#leases.none();
  }

  close(): void {
    this.#early.close();
    this.#backlog.close();
    this.#dispatcher.endStreams();
    this.#leases.close();
    this.#delays.close();
  }

  #queue(head: Head): void {
    this.#activities.queueAll(head);
    this.#consider(head);
  }

  #consider(head: Head): void {
    if (head.state?.kind === Kind.ENTITY) this.#entities.consider(head);
    else this.#turns.consider(head);
  }

  #deskOf(kind: Lease["kind"]): TurnDesk | ActivityDesk | EntityDesk {
    if (kind === "batch") return this.#entities;
    return kind === "turn" ? this.#turns : this.#activities;
  }

  /** Also the answer to a stale completion waits for what it was decided on. */
  async #stale(kind: Lease["kind"], instanceId: string): Promise<void> {
    this.#options.figures.work.stale[kind] += 1;
    const head = this.#heads.peek(instanceId);
    if (head !== undefined) await this.#options.store.whenDurable(head.position);
  }

  #lost(lease: Lease, reason: LossReason): void {
    switch (lease.kind) {
      case "turn":
        return this.#turns.lost(lease, reason);
      case "activity":
        return this.#activities.lost(lease, reason);
      case "batch":
        return this.#entities.lost(lease, reason);
    }
  }
}
