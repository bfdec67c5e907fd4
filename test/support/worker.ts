/** A worker that does what the test says: it pulls work items, and answers when it is told to. */
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import {
  type ActivityRequest,
  ActivityResponseSchema,
  EntityBatchResultSchema,
  type EntityRequest,
  type GetWorkItemsRequestSchema,
  type HistoryEvent,
  type OrchestratorAction,
  type OrchestratorRequest,
  OrchestratorResponseSchema,
  GetWorkItemsRequestSchema as requestSchema,
  type WorkerCapability,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";

export interface Turn {
  readonly kind: "turn";
  readonly token: string;
  readonly instanceId: string;
  readonly request: OrchestratorRequest;
}

export interface Activity {
  readonly kind: "activity";
  readonly token: string;
  readonly instanceId: string;
  readonly request: ActivityRequest;
}

export interface Batch {
  readonly kind: "batch";
  readonly token: string;
  readonly instanceId: string;
  readonly request: EntityRequest;
}

export type Item = Turn | Activity;

export interface WorkerOptions {
  readonly turns?: number;
  readonly activities?: number;
  readonly entities?: number;
  readonly filters?: MessageInitShape<typeof GetWorkItemsRequestSchema>["workItemFilters"];
  readonly connection?: string;
  readonly workerId?: string;
  /** What its SDK says of itself, or its gRPC library if it does not. */
  readonly userAgent?: string;
  /** What its gRPC library says of itself. */
  readonly library?: string;
  /** Numbers of capabilities, known or not. */
  readonly capabilities?: readonly number[];
  /** False for a worker that reads its stream only when the test calls `pull`. */
  readonly reads?: boolean;
}

/** What a worker needs of the world it runs in. */
export interface WorkerWorld {
  readonly hub: TaskHub;
  settled(): Promise<void>;
}

export class ScriptedWorker {
  readonly connection: string;
  /** What it got and no test has taken yet, oldest first. */
  readonly items: Item[] = [];
  /** Likewise of batches. */
  readonly batches: Batch[] = [];
  pings = 0;
  /** With what the stream ended; undefined while it is open. */
  ended: unknown;
  readonly #world: WorkerWorld;
  readonly #stream: AsyncGenerator<Uint8Array>;
  readonly #call = new AbortController();

  constructor(world: WorkerWorld, options: WorkerOptions = {}) {
    const { turns = 0, activities = 0, filters, connection = "connection", reads = true } = options;
    this.#world = world;
    this.connection = connection;
    const request = create(requestSchema, {
      maxConcurrentOrchestrationWorkItems: turns,
      maxConcurrentActivityWorkItems: activities,
      maxConcurrentEntityWorkItems: options.entities ?? 0,
      capabilities: [...(options.capabilities ?? [])] as WorkerCapability[],
      ...(filters === undefined ? {} : { workItemFilters: filters }),
    });
    const { signal } = this.#call;
    const connectedAt = world.hub.now();
    const who = {
      peer: "test",
      userAgent: options.userAgent ?? "",
      library: options.library ?? "",
      workerId: options.workerId,
      connectedAt,
    };
    this.#stream = world.hub.workItems(request, { connection, signal, ...who });
    if (reads) void this.#readAll();
  }

  /** Reads one item. The promise stays pending until there is one. */
  async pull(): Promise<void> {
    const next = await this.#stream.next();
    if (next.done !== true) this.#take(next.value);
  }

  /** Ends the call, as a worker does that is shutting down. */
  async close(): Promise<void> {
    this.#call.abort(new Error("the worker closed its stream"));
    await this.#world.settled();
  }

  /** Takes the oldest turn, of one instance if it is named. Fails the test when there is none. */
  async turn(instanceId?: string): Promise<Turn> {
    await this.#world.settled();
    const item = this.#remove((each) => each.kind === "turn" && isOf(each, instanceId));
    if (item?.kind === "turn") return item;
    throw new Error(`there is no turn of ${instanceId ?? "any instance"}: ${this.#shown()}`);
  }

  async activity(instanceId?: string, taskId?: number): Promise<Activity> {
    await this.#world.settled();
    const item = this.#remove(
      (each) =>
        each.kind === "activity" &&
        isOf(each, instanceId) &&
        (taskId === undefined || each.request.taskId === taskId),
    );
    if (item?.kind === "activity") return item;
    throw new Error(`there is no activity of ${instanceId ?? "any instance"}: ${this.#shown()}`);
  }

  /** What it has that no test took, in words: "turn a", "activity a 1". */
  async waiting(): Promise<string[]> {
    await this.#world.settled();
    return [...this.items, ...this.batches].map(shown);
  }

  /** Takes the oldest batch of operations, of one entity if it is named. */
  async batch(instanceId?: string): Promise<Batch> {
    await this.#world.settled();
    const at = this.batches.findIndex((each) => isOf(each, instanceId));
    const [batch] = at === -1 ? [] : this.batches.splice(at, 1);
    if (batch !== undefined) return batch;
    throw new Error(`there is no batch of ${instanceId ?? "any entity"}: ${this.#shown()}`);
  }

  /** Answers a batch of operations. */
  answer(
    { token: completionToken }: Batch,
    result: MessageInitShape<typeof EntityBatchResultSchema>,
  ): Promise<void> {
    return this.#world.hub.completeBatch(
      create(EntityBatchResultSchema, { completionToken, ...result }),
    );
  }

  /** Answers a turn. Resolves when the hub says that it is done. */
  complete(
    turn: Turn,
    actions: readonly OrchestratorAction[] = [],
    more: MessageInitShape<typeof OrchestratorResponseSchema> = {},
  ): Promise<void> {
    const { instanceId, token: completionToken } = turn;
    return this.#world.hub.completeTurn(
      create(OrchestratorResponseSchema, {
        instanceId,
        completionToken,
        actions: [...actions],
        ...more,
      }),
    );
  }

  /** Answers an activity. */
  finish(
    activity: Activity,
    result?: string,
    more: MessageInitShape<typeof ActivityResponseSchema> = {},
  ): Promise<void> {
    const { instanceId, token: completionToken, request } = activity;
    return this.#world.hub.completeActivity(
      create(ActivityResponseSchema, {
        instanceId,
        completionToken,
        taskId: request.taskId,
        ...(result === undefined ? {} : { result }),
        ...more,
      }),
    );
  }

  /** Does not wait for the answer. */
  abandon({ kind, token }: Item | Batch): void {
    void this.#world.hub.abandon(kind, token);
  }

  async #readAll(): Promise<void> {
    try {
      for await (const bytes of this.#stream) this.#take(bytes);
      this.ended = "without an error";
    } catch (error) {
      this.ended = error;
    }
  }

  #take(bytes: Uint8Array): void {
    const { request, completionToken: token } = fromBinary(WorkItemSchema, bytes);
    if (request.case === "healthPing") this.pings += 1;
    if (request.case === "orchestratorRequest") {
      const { instanceId } = request.value;
      this.items.push({ kind: "turn", token, instanceId, request: request.value });
    }
    if (request.case === "entityRequestV2") {
      const { instanceId } = request.value;
      this.batches.push({ kind: "batch", token, instanceId, request: request.value });
    }
    if (request.case === "activityRequest") {
      const instanceId = request.value.orchestrationInstance?.instanceId ?? "";
      this.items.push({ kind: "activity", token, instanceId, request: request.value });
    }
  }

  #remove(isWanted: (item: Item) => boolean): Item | undefined {
    const at = this.items.findIndex(isWanted);
    return at === -1 ? undefined : this.items.splice(at, 1)[0];
  }

  #shown(): string {
    return `the worker has [${this.items.map(shown).join(", ")}]`;
  }
}

/** The kinds of the new events of a turn, in order, with the name of a raised event. */
export function newEvents({ request }: Turn): string[] {
  return request.newEvents.map(shownEvent);
}

export function pastEvents({ request }: Turn): string[] {
  return request.pastEvents.map(shownEvent);
}

export function shownEvent({ eventType: type }: HistoryEvent): string {
  switch (type.case) {
    case "eventRaised":
      return `eventRaised ${type.value.name}`;
    case "taskCompleted":
    case "taskFailed":
    case "subOrchestrationInstanceCompleted":
    case "subOrchestrationInstanceFailed":
      return `${type.case} ${type.value.taskScheduledId}`;
    case "timerFired":
      return `timerFired ${type.value.timerId}`;
    default:
      return type.case ?? "nothing";
  }
}

function isOf(item: Item | Batch, instanceId: string | undefined): boolean {
  return instanceId === undefined || item.instanceId === instanceId;
}

function shown(item: Item | Batch): string {
  const task = item.kind === "activity" ? ` ${item.request.taskId}` : "";
  return `${item.kind} ${item.instanceId}${task}`;
}
