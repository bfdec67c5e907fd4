/** A worker made of raw calls: it takes work items, and answers them as the check says. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, ConnectError } from "@connectrpc/connect";
import type {
  ActivityRequest,
  ActivityResponseSchema,
  EntityBatchResultSchema,
  EntityRequest,
  GetWorkItemsRequestSchema,
  HistoryEvent,
  OperationInfoSchema,
  OrchestratorAction,
  OrchestratorRequest,
  OrchestratorResponseSchema,
  TaskHubSidecarService,
  WorkItem,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { present } from "../../sidecar/wire/history-event.ts";
import { completed } from "../support/worker-actions.ts";
import { CheckFailure } from "./check.ts";
import { type Switchboard, tagOf } from "./switchboard.ts";
import type { Waits } from "./waits.ts";

export type ServiceClient = Client<typeof TaskHubSidecarService>;
export type WorkItemsRequest = MessageInitShape<typeof GetWorkItemsRequestSchema>;

export interface Turn {
  readonly token: string;
  readonly request: OrchestratorRequest;
  readonly newEvents: readonly HistoryEvent[];
  readonly pastEvents: readonly HistoryEvent[];
}

export interface Activity {
  readonly token: string;
  readonly request: ActivityRequest;
}

export interface EntityBatch {
  readonly token: string;
  readonly request: EntityRequest;
  /** `add`, `get`, …, in the order of the batch. */
  readonly operations: readonly string[];
}

export interface WorkerParts {
  readonly client: ServiceClient;
  readonly waits: Waits;
  readonly switchboard: Switchboard;
  readonly tag: string;
  readonly request: WorkItemsRequest;
}

export class ConformanceWorker {
  /** Every item that this stream has brought, pings included, whoever it was for. */
  readonly received: WorkItem[] = [];
  /** Resolves with what the stream ended with; undefined for OK. Never rejects. */
  readonly ended: Promise<ConnectError | undefined>;
  readonly #parts: WorkerParts;
  readonly #call = new AbortController();
  readonly #items: WorkItem[] = [];
  readonly #disconnect: () => void;
  #arrival = Promise.withResolvers<void>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#disconnect = parts.switchboard.connect(parts.tag, (item) => this.#keep(item));
    this.ended = this.#readAll();
  }

  /** The next turn, or the next one of this instance. */
  turn(instanceId?: string): Promise<Turn> {
    const whose = instanceId === undefined ? "" : ` of ${instanceId}`;
    return this.#quietly(`a turn${whose}`, async () => {
      const item = await this.#take(
        ({ request }) =>
          request.case === "orchestratorRequest" &&
          (instanceId === undefined || request.value.instanceId === instanceId),
      );
      if (item.request.case !== "orchestratorRequest") throw new CheckFailure("not a turn");
      const { value: request } = item.request;
      const { newEvents, pastEvents } = request;
      return { token: item.completionToken, request, newEvents, pastEvents };
    });
  }

  /** The next activity, or the next one of this task id. */
  activity(taskId?: number): Promise<Activity> {
    return this.#quietly("an activity", async () => {
      const item = await this.#take(
        ({ request }) =>
          request.case === "activityRequest" &&
          (taskId === undefined || request.value.taskId === taskId),
      );
      if (item.request.case !== "activityRequest") throw new CheckFailure("not an activity");
      return { token: item.completionToken, request: item.request.value };
    });
  }

  /** The next batch of any entity, or of this one. */
  entity(instanceId?: string): Promise<EntityBatch> {
    return this.#quietly(`a batch of ${instanceId ?? "an entity"}`, async () => {
      const item = await this.#take(
        ({ request }) =>
          (request.case === "entityRequestV2" || request.case === "entityRequest") &&
          (instanceId === undefined || request.value.instanceId === instanceId),
      );
      if (item.request.case !== "entityRequestV2") {
        throw new CheckFailure("expected a batch as entityRequestV2, but got an entityRequest");
      }
      const { value: request } = item.request;
      const operations = request.operationRequests.map(({ eventType: { value } }) =>
        value !== undefined && "operation" in value ? value.operation : "",
      );
      return { token: item.completionToken, request, operations };
    });
  }

  /** The next item that is not a ping. */
  item(): Promise<WorkItem> {
    return this.#quietly("a work item", () => this.#take(({ request }) => !isPing(request.case)));
  }

  /** The next ping. */
  ping(): Promise<WorkItem> {
    return this.#quietly("a HealthPing", () => this.#take(({ request }) => isPing(request.case)));
  }

  async complete(
    { token, request: { instanceId } }: Turn,
    actions: readonly OrchestratorAction[] = [],
    more: MessageInitShape<typeof OrchestratorResponseSchema> = {},
  ): Promise<void> {
    await this.#parts.client.completeOrchestratorTask({
      instanceId,
      completionToken: token,
      actions: [...actions],
      ...more,
    });
  }

  /** Answers the next turn, or the next one of this instance, with these actions. */
  async answer(
    actions: readonly OrchestratorAction[] = [],
    instanceId?: string,
    more: MessageInitShape<typeof OrchestratorResponseSchema> = {},
  ): Promise<Turn> {
    const turn = await this.turn(instanceId);
    await this.complete(turn, actions, more);
    return turn;
  }

  /** Takes the next turn and completes its instance. */
  completeNext(result?: string, instanceId?: string): Promise<Turn> {
    return this.answer([completed(result)], instanceId);
  }

  async finish(
    { token, request }: Activity,
    more: MessageInitShape<typeof ActivityResponseSchema> = {},
  ): Promise<void> {
    await this.#parts.client.completeActivityTask({
      instanceId: request.orchestrationInstance?.instanceId ?? "",
      taskId: request.taskId,
      completionToken: token,
      ...more,
    });
  }

  /** Answers a batch, as SDKs do. Without `results`, each operation succeeds and returns nothing. */
  async settle(
    { token, request }: EntityBatch,
    more: MessageInitShape<typeof EntityBatchResultSchema> = {},
  ): Promise<void> {
    const results =
      more.results ??
      request.operationRequests.map(() => ({
        resultType: { case: "success" as const, value: {} },
      }));
    await this.#parts.client.completeEntityTask({
      completionToken: token,
      results,
      operationInfos: request.operationRequests.slice(0, results.length).map(operationInfo),
      ...more,
    });
  }

  /** Gives back everything that came and may not have been answered. Rejects never. */
  async giveUp(client: ServiceClient): Promise<void> {
    await Promise.all(this.received.map((item) => giveBack(client, item)));
  }

  /** Ends the stream, as a worker does that stops. What it holds can still be answered. */
  close(): void {
    this.#disconnect();
    this.#call.abort();
  }

  #quietly<T>(label: string, taken: () => Promise<T>): Promise<T> {
    return this.#parts.waits.during(label, taken());
  }

  async #take(isIt: (item: WorkItem) => boolean): Promise<WorkItem> {
    // Ends: with the item, or with the stream.
    for (;;) {
      const at = this.#items.findIndex(isIt);
      const [item] = at === -1 ? [] : this.#items.splice(at, 1);
      if (item !== undefined) return item;
      await this.#arrival.promise;
    }
  }

  #keep(item: WorkItem): void {
    this.#items.push(item);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
    this.#arrival.promise.catch(() => {});
  }

  async #readAll(): Promise<ConnectError | undefined> {
    const { client, request, tag, switchboard } = this.#parts;
    this.#arrival.promise.catch(() => {});
    try {
      for await (const item of client.getWorkItems(request, { signal: this.#call.signal })) {
        this.received.push(item);
        if (isPing(item.request.case) || tagOf(item) === tag) this.#keep(item);
        // A service without filters has sent what is somebody else's.
        else if (!switchboard.forward(item)) await giveBack(client, item);
      }
      this.#arrival.reject(new CheckFailure("the stream of work items has ended with OK"));
      return undefined;
    } catch (error) {
      this.#arrival.reject(error);
      return ConnectError.from(error);
    }
  }
}

/** Whose operation it was: SDKs send back what the batch has said. */
function operationInfo({ eventType }: HistoryEvent): MessageInitShape<typeof OperationInfoSchema> {
  switch (eventType.case) {
    case "entityOperationSignaled":
      return { requestId: eventType.value.requestId };
    case "entityOperationCalled": {
      const { requestId, parentInstanceId: instanceId, parentExecutionId } = eventType.value;
      const executionId = present("executionId", parentExecutionId);
      return instanceId === undefined
        ? { requestId }
        : { requestId, responseDestination: { instanceId, ...executionId } };
    }
    default:
      return {};
  }
}

async function giveBack(client: ServiceClient, item: WorkItem): Promise<void> {
  const { completionToken } = item;
  const abandoned = (() => {
    switch (item.request.case) {
      case "orchestratorRequest":
        return client.abandonTaskOrchestratorWorkItem({ completionToken });
      case "activityRequest":
        return client.abandonTaskActivityWorkItem({ completionToken });
      case "entityRequest":
      case "entityRequestV2":
        return client.abandonTaskEntityWorkItem({ completionToken });
      default:
        return undefined;
    }
  })();
  await abandoned?.catch(() => {});
}

function isPing(kind: WorkItem["request"]["case"]): boolean {
  return kind === "healthPing" || kind === undefined;
}
