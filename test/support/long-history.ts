/** Instances whose histories are long, and the workers that have to do with them. */
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { WorkerCapability } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { TestHub } from "./scheduler-harness.ts";
import type { WorkerOptions } from "./worker.ts";
import { sendEvent } from "./worker-actions.ts";

export const MIB = 1024 * 1024;

/** As .NET: it fetches long histories, and takes messages up to gRPC's limit. */
export const streaming: WorkerOptions = {
  userAgent: "grpc-dotnet/2.70.0 (.NET 8.0.11)",
  capabilities: [WorkerCapability.HISTORY_STREAMING],
};

/** As Python, Java and Go: gRPC's limit, and no capability. */
export const limited: WorkerOptions = { userAgent: "grpc-python/1.71.0 grpc-c/46.0.0 (linux)" };

/** As JavaScript: no limit. */
export const unlimited: WorkerOptions = { userAgent: "grpc-node-js/1.13.3" };

const PART = 500_000;

/**
 * Starts an instance and has it run a turn that leaves so many bytes in its history, but for some that
 * its events take besides. Nobody is connected when this returns, and no turn is ready.
 */
export async function startLong(hub: TestHub, instanceId: string, bytes: number): Promise<void> {
  await hub.start(instanceId);
  await growBy(hub, instanceId, bytes);
}

/** The turn that is ready leaves so many bytes in the history. */
export async function growBy(hub: TestHub, instanceId: string, bytes: number): Promise<void> {
  const worker = hub.worker(unlimited);
  const parts = [...Array(Math.floor(bytes / PART)).fill(PART), bytes % PART];
  const actions = parts.map((size, at) => sendEvent(at + 1, "nobody", "E", "x".repeat(size)));
  await worker.complete(await worker.turn(instanceId), actions);
  await worker.close();
  await hub.pass(LIMITS.historyIdleMs);
}
