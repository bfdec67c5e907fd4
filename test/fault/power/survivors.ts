/** Whether all that was acknowledged before a crash is there behind it. */
import { OrchestrationStatus, type TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { expect } from "vitest";
import type { Line } from "../kill/ledger.ts";

/** @returns how many acknowledgements it has looked at */
export async function expectSurvivors(
  client: TaskHubGrpcClient,
  lines: readonly Line[],
): Promise<number> {
  const byInstance = Map.groupBy(lines, (line) =>
    line.kind === "started" ? line.job.instanceId : line.instanceId,
  );
  await Promise.all([...byInstance].map(([id, ofIt]) => expectSurvivor(client, id, ofIt)));
  return lines.length;
}

async function expectSurvivor(
  client: TaskHubGrpcClient,
  instanceId: string,
  lines: readonly Line[],
): Promise<void> {
  // The entity of a tally is signalled before the instance is started that reads it.
  const started = lines.find(({ kind }) => kind === "started");
  if (started?.kind !== "started") return;
  const happened = (kind: Line["kind"]) => lines.some((line) => line.kind === kind);
  const state = await client.getOrchestrationState(instanceId);
  const exists = state !== undefined;
  if (happened("purged"))
    return expect({ instanceId, exists }).toEqual({ instanceId, exists: false });
  // The purge may have been carried out and not acknowledged.
  if (!exists && started.job.kind === "disposal" && happened("ended")) return;
  expect({ instanceId, exists }).toEqual({ instanceId, exists: true });
  if (happened("rewound")) expect(state?.runtimeStatus).not.toBe(OrchestrationStatus.FAILED);
  for (const line of lines) {
    if (line.kind === "ended") expect(state).toEqual(line.state);
    if (line.kind === "terminated") {
      expect({ instanceId, status: state?.runtimeStatus }).toEqual({
        instanceId,
        status: OrchestrationStatus.TERMINATED,
      });
    }
  }
}
