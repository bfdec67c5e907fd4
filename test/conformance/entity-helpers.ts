/** What checks of entities do again and again. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { compareTimestamps } from "../../sidecar/wire/timestamp.ts";
import { exactTime, expectPresent, expectThat } from "./check.ts";
import type { CheckContext } from "./context.ts";
import { fromNow } from "./events.ts";
import type { ConformanceWorker, EntityBatch } from "./worker.ts";

export async function signal(
  context: CheckContext,
  instanceId: string,
  name: string,
  more: {
    readonly input?: string;
    readonly requestId?: string;
    readonly afterMs?: number;
    readonly scheduledTime?: Timestamp;
  } = {},
): Promise<void> {
  const { afterMs, ...fields } = more;
  await context.client.signalEntity({
    instanceId,
    name,
    requestId: crypto.randomUUID(),
    ...fields,
    ...(afterMs === undefined ? {} : { scheduledTime: fromNow(afterMs) }),
  });
}

/** Takes batches until this operation has come, and answers each with this state. */
export async function settleUntil(
  worker: ConformanceWorker,
  instanceId: string,
  operation: string,
  entityState: string,
): Promise<EntityBatch> {
  for (;;) {
    const batch = await worker.entity(instanceId);
    await worker.settle(batch, { entityState });
    if (batch.operations.includes(operation)) return batch;
  }
}

export async function readEntity(context: CheckContext, instanceId: string, includeState = true) {
  const answer = await context.client.getEntity({ instanceId, includeState });
  return answer.exists ? expectPresent("the entity", answer.entity) : undefined;
}

/** By the clock of the service, which is also that of scheduled times. */
export async function expectModifiedAfter(
  context: CheckContext,
  instanceId: string,
  due: Timestamp,
): Promise<void> {
  const read = expectPresent("the entity", await readEntity(context, instanceId));
  const modified = expectPresent("lastModifiedTime", read.lastModifiedTime);
  expectThat(
    compareTimestamps(modified, due) >= 0,
    `expected the operation to be handled after ${exactTime(due)}, but it was at ${exactTime(modified)}`,
  );
}
