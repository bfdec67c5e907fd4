/** A worker at the other end of a transport: it answers what it got when the test says so. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type {
  ActivityRequest,
  ActivityResponseSchema,
  EntityBatchRequest,
  EntityBatchResultSchema,
  EntityRequest,
  GetWorkItemsRequestSchema,
  OrchestratorAction,
  OrchestratorRequest,
  OrchestratorResponseSchema,
  TaskHubSidecarService,
  WorkItem,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed } from "./worker-actions.ts";

export type CompatWorkerOptions = MessageInitShape<typeof GetWorkItemsRequestSchema> & {
  /** The hub that it works for; without it, the default. */
  readonly hub?: string;
};

export interface TurnItem {
  readonly token: string;
  readonly request: OrchestratorRequest;
}

export interface ActivityItem {
  readonly token: string;
  readonly request: ActivityRequest;
}

/** Operations of an entity. */
export interface BatchItem {
  readonly token: string;
  readonly request: EntityRequest;
}

export class CompatWorker implements AsyncDisposable {
  /** How many pings have come. */
  pings = 0;
  /** Resolves with what the stream ended with; `undefined` for OK. Never rejects. */
  readonly ended: Promise<unknown>;
  readonly #client: Client<typeof TaskHubSidecarService>;
  readonly #headers: Record<string, string>;
  readonly #call = new AbortController();
  readonly #items: WorkItem[] = [];
  #arrival = Promise.withResolvers<void>();

  constructor(client: Client<typeof TaskHubSidecarService>, options: CompatWorkerOptions) {
    const { hub, ...request } = options;
    this.#client = client;
    this.#headers = hub === undefined ? {} : { taskhub: hub };
    this.ended = this.#readAll(request);
  }

  /** Takes the next turn. Stays pending until there is one; rejects when the stream has ended. */
  async turn(): Promise<TurnItem> {
    const { request, completionToken: token } = await this.#take("orchestratorRequest");
    if (request.case !== "orchestratorRequest") throw new Error("not a turn");
    return { token, request: request.value };
  }

  async activity(): Promise<ActivityItem> {
    const { request, completionToken: token } = await this.#take("activityRequest");
    if (request.case !== "activityRequest") throw new Error("not an activity");
    return { token, request: request.value };
  }

  /** Takes the next batch of operations, in the second encoding. */
  async batch(): Promise<BatchItem> {
    const { request, completionToken: token } = await this.#take("entityRequestV2");
    if (request.case !== "entityRequestV2") throw new Error("not a batch");
    return { token, request: request.value };
  }

  /** Takes the next batch in the first encoding. */
  async batchV1(): Promise<{ readonly token: string; readonly request: EntityBatchRequest }> {
    const { request, completionToken: token } = await this.#take("entityRequest");
    if (request.case !== "entityRequest") throw new Error("not a batch of the first encoding");
    return { token, request: request.value };
  }

  /** What it has of this kind that no test has taken. */
  waiting(kind: WorkItem["request"]["case"]): number {
    return this.#items.filter(({ request }) => request.case === kind).length;
  }

  async answer(
    { token }: { readonly token: string },
    result: MessageInitShape<typeof EntityBatchResultSchema> = {},
  ): Promise<void> {
    await this.#client.completeEntityTask(
      { completionToken: token, ...result },
      { headers: this.#headers },
    );
  }

  async complete(
    { token, request: { instanceId } }: TurnItem,
    actions: readonly OrchestratorAction[] = [],
    more: MessageInitShape<typeof OrchestratorResponseSchema> = {},
  ): Promise<void> {
    await this.#client.completeOrchestratorTask(
      { instanceId, completionToken: token, actions: [...actions], ...more },
      { headers: this.#headers },
    );
  }

  async finish(
    { token, request }: ActivityItem,
    more: MessageInitShape<typeof ActivityResponseSchema> = {},
  ): Promise<void> {
    const instanceId = request.orchestrationInstance?.instanceId ?? "";
    await this.#client.completeActivityTask(
      { instanceId, taskId: request.taskId, completionToken: token, ...more },
      { headers: this.#headers },
    );
  }

  /** Takes the next turn and completes its instance. */
  async completeNext(result?: string): Promise<TurnItem> {
    const turn = await this.turn();
    await this.complete(turn, [completed(result)]);
    return turn;
  }

  close(): void {
    this.#call.abort();
  }

  /** Resolves when the stream has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.ended;
  }

  async #take(kind: WorkItem["request"]["case"]): Promise<WorkItem> {
    // Ends: with the item, or with the stream.
    for (;;) {
      const at = this.#items.findIndex(({ request }) => request.case === kind);
      const [item] = at === -1 ? [] : this.#items.splice(at, 1);
      if (item !== undefined) return item;
      await this.#arrival.promise;
    }
  }

  async #readAll(request: MessageInitShape<typeof GetWorkItemsRequestSchema>): Promise<unknown> {
    // Somebody may wait for an item, or nobody.
    this.#arrival.promise.catch(() => {});
    const { signal } = this.#call;
    try {
      for await (const item of this.#client.getWorkItems(request, {
        signal,
        headers: this.#headers,
      })) {
        if (item.request.case === "healthPing") this.pings += 1;
        this.#items.push(item);
        this.#arrival.resolve();
        this.#arrival = Promise.withResolvers();
        this.#arrival.promise.catch(() => {});
      }
      this.#arrival.reject(new Error("the stream of work items has ended"));
      return undefined;
    } catch (error) {
      this.#arrival.reject(error);
      return error;
    }
  }
}
