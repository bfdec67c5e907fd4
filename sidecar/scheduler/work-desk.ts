/**
 * Where work leaves the task hub and answers come back: streams, leases, and what happens when
 * workers lose what they have.
 */
import type { Alarm } from "../foundation/clock.ts";
import type {
  ActivityResponse,
  GetWorkItemsRequest,
  OrchestratorResponse,
} from "../wire/gen/orchestrator_service_pb.ts";
import { ActivityDesk } from "./activity-desk.ts";
import type { Background } from "./background.ts";
import type { Aftermath } from "./commit-draft.ts";
import type { DeskContext } from "./desk-context.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type Head, turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HoldGate } from "./hold-gate.ts";
import { type Lease, Leases, type LossReason } from "./leases.ts";
import type { SchedulerOptions } from "./options.ts";
import type { ReadyItem } from "./ready-queue.ts";
import type { Road } from "./road.ts";
import { TurnDesk } from "./turn-desk.ts";
import type { WorkerConnection, WorkerStream } from "./worker-stream.ts";

export interface WorkDeskOptions {
  readonly options: SchedulerOptions;
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
  readonly #delays = new Set<Alarm>();

  constructor(parts: WorkDeskOptions) {
    const { options, heads, leaseEnded } = parts;
    this.#options = options;
    this.#heads = heads;
    const { steadyClock, times } = options;
    this.#leases = new Leases(steadyClock, times, {
      lost: (lease, reason) => this.#lost(lease, reason),
      ended: leaseEnded,
    });
    const owner = {
      handOut: (item: ReadyItem, stream: WorkerStream) =>
        item.kind === "turn"
          ? this.#turns.handOut(item, stream)
          : this.#activities.handOut(item, stream),
      isVoid: ({ kind, head, number, workId }: ReadyItem) => {
        const place = kind === "turn" ? head.turn : head.activities.get(workId);
        return head.state?.number !== number || place !== "queued";
      },
      streamClosed: (stream: WorkerStream) => this.#leases.streamClosed(stream),
    };
    this.#dispatcher = new Dispatcher(owner, steadyClock, times.pingMs);
    const context: DeskContext = {
      ...parts,
      leases: this.#leases,
      offer: (item) => this.#dispatcher.offer(item),
      later: (delayMs, run) => this.#later(delayMs, run),
    };
    this.#turns = new TurnDesk(context);
    this.#activities = new ActivityDesk(context);
  }

  /** What workers have, the oldest first, also those whose stream is gone but may still answer. */
  leases(): Iterable<Lease> {
    return this.#leases.all();
  }

  get leaseCount(): number {
    return this.#leases.count;
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
    if (head.state?.number === number) this.#activities.queueNew(head, activities);
    if (released) this.#activities.queueParked(head);
    this.#turns.consider(head);
  }

  /** Holds of the hub have changed: what is queued and held now is set aside, to be looked at again. */
  setAsideHeld(): void {
    this.#dispatcher.setAside((item) =>
      item.kind === "turn" ? this.#turns.setAside(item) : this.#activities.setAside(item),
    );
  }

  /** A life or its work is over: what is queued or with workers of it is void, tokens are stale. */
  voidWork(head: Head, what: "all" | "activities"): void {
    for (const place of head.activities.values()) {
      if (typeof place === "object") this.#leases.end(place);
    }
    head.activities.clear();
    head.delays?.clear();
    if (what === "activities") return;
    const turn = turnInFlight(head);
    if (turn !== undefined) this.#leases.end(turn);
    head.turn = undefined;
    head.turnsLost = 0;
  }

  /**
   * Takes the answer to a turn. One without a lease behind it is stale and changes nothing; that is
   * a success, because workers do harmful things when they are told otherwise (trap T9).
   */
  completeTurn(response: OrchestratorResponse): Promise<void> {
    const lease = this.#turns.leaseOf(response);
    return lease === undefined
      ? this.#stale(response.instanceId)
      : this.#turns.complete(lease, response);
  }

  /** Takes the result of an activity; as tolerant as `completeTurn`. */
  completeActivity(response: ActivityResponse): Promise<void> {
    const lease = this.#activities.leaseOf(response);
    return lease === undefined
      ? this.#stale(response.instanceId)
      : this.#activities.complete(lease, response);
  }

  /** Gives an item back unprocessed. An unknown token changes nothing. */
  abandon(kind: Lease["kind"], token: string): void {
    const lease = this.#leases.find(token, kind);
    if (lease === undefined) return;
    this.#leases.end(lease);
    this.#lost(lease, "abandoned");
  }

  /** Forgets what is queued: the hub was deleted. */
  clear(): void {
    this.#dispatcher.clear();
  }

  /** Hands nothing out any more; resolves when workers have nothing left. */
  async stopHandingOut(reason: Error): Promise<void> {
    this.#dispatcher.stopClaims(reason);
    await this.#leases.none();
  }

  close(): void {
    this.#dispatcher.endStreams();
    this.#leases.close();
    for (const delay of this.#delays) delay.cancel();
  }

  /** Also the answer to a stale completion waits for what it was decided on. */
  async #stale(instanceId: string): Promise<void> {
    const head = this.#heads.peek(instanceId);
    if (head !== undefined) await this.#options.store.whenDurable(head.position);
  }

  #lost(lease: Lease, reason: LossReason): void {
    if (lease.kind === "turn") this.#turns.lost(lease, reason);
    else this.#activities.lost(lease, reason);
  }

  #later(delayMs: number, run: () => void): void {
    if (delayMs === 0) {
      run();
      return;
    }
    const alarm = this.#options.steadyClock.after(delayMs, () => {
      this.#delays.delete(alarm);
      run();
    });
    this.#delays.add(alarm);
  }
}
