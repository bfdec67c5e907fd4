/** Progress of one order, as a client sees it. */
import { setTimeout } from "node:timers/promises";
import { OrchestrationStatus, type TaskHubGrpcClient } from "@microsoft/durabletask-js";
import type { OrderProgress } from "./order.ts";

/** What a client knows of an order at one moment. */
export interface Sighting {
  /** Since the order was created. */
  readonly elapsedMs: number;
  readonly status: keyof typeof OrchestrationStatus;
  /** From the custom status; empty before the first turn of the order. */
  readonly step: string;
  /** JSON text; empty while there is no result. */
  readonly output: string;
}

/** What to follow, and where to show it. */
export interface FollowOptions {
  readonly client: TaskHubGrpcClient;
  readonly instanceId: string;
  /** Called for what is seen first, and for each change. */
  readonly show: (sighting: Sighting) => void;
  readonly signal: AbortSignal;
}

/**
 * The published protocol can wait for the start and for the end of an instance, but not for its
 * custom status: that has to be asked for.
 */
const askEveryMs = 250;

/**
 * Shows an order until `reached` says that it is where it should be.
 *
 * @throws Error when the order ends elsewhere; what the signal says when it is aborted
 */
export async function follow(
  { client, instanceId, show, signal }: FollowOptions,
  reached: (sighting: Sighting) => boolean,
): Promise<Sighting> {
  let shown = "";
  for (;;) {
    const sighting = await look(client, instanceId);
    const { status, step } = sighting;
    if (shown !== `${status} ${step}`) show(sighting);
    shown = `${status} ${step}`;
    if (reached(sighting)) return sighting;
    if (hasEnded(sighting)) throw new Error(`${instanceId} ended as ${status}: ${sighting.output}`);
    await setTimeout(askEveryMs, undefined, { signal });
  }
}

async function look(client: TaskHubGrpcClient, instanceId: string): Promise<Sighting> {
  const state = await client.getOrchestrationState(instanceId);
  if (state === undefined) throw new Error(`${instanceId} does not exist`);
  const { createdAt, runtimeStatus, serializedCustomStatus, serializedOutput } = state;
  const progress: OrderProgress = JSON.parse(serializedCustomStatus ?? '{"step":""}');
  return {
    elapsedMs: Date.now() - createdAt.getTime(),
    status: OrchestrationStatus[runtimeStatus] as Sighting["status"],
    step: progress.step,
    output: serializedOutput ?? state.failureDetails?.message ?? "",
  };
}

function hasEnded({ status }: Sighting): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "TERMINATED";
}
