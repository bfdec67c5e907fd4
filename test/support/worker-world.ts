/** What a simulated worker is like, and what it needs of the world that it runs in. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import type {
  ActivityRequest,
  GetWorkItemsRequestSchema,
  HistoryEvent,
  OrchestratorRequest,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { Random } from "../model/kit/random.ts";
import type { Batch } from "../simulation/kit/ledger-worker.ts";
import type { SimulatedLoop } from "./simulated-loop.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

export interface WorkerTraits {
  readonly turns: number;
  readonly activities: number;
  readonly entities: number;
  readonly slowestTurnMs: number;
  readonly slowestActivityMs: number;
  readonly filters: MessageInitShape<typeof GetWorkItemsRequestSchema>["workItemFilters"];
  /** It fetches long histories itself. */
  readonly streamsHistory: boolean;
}

/** An item that left the hub. */
export interface HandedOut {
  readonly hub: string;
  readonly instanceId: string;
  readonly token: string;
  readonly work:
    | { readonly kind: "turn"; readonly request: OrchestratorRequest }
    | { readonly kind: "activity"; readonly request: ActivityRequest }
    | { readonly kind: "batch"; readonly request: Batch };
}

export type WorkerItemKind = HandedOut["work"]["kind"];

export interface WorkerWorld {
  readonly loop: SimulatedLoop;
  readonly random: Random;
  readonly process: SimulatedProcess | undefined;
  /** Asks something of a hub; throws when the answer does not come back. */
  call<T>(label: string, hub: string, ask: (hub: TaskHub) => Promise<T>): Promise<T>;
  handedOut(item: HandedOut): void;
  /** The history that a turn came without; undefined when it is not to be had any more. */
  pastEvents(
    hub: string,
    request: OrchestratorRequest,
  ): Promise<readonly HistoryEvent[] | undefined>;
  activityResult(hub: string, request: ActivityRequest): { result?: string; failed?: string };
  /** Operations are answered with a failure of their batch. */
  batchFails(ids: readonly string[]): void;
  /** Ends the run unless it is a call that got no answer. */
  failed(error: unknown): void;
}
