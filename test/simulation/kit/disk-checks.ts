/** What the disk itself says, beside what was followed. */
import { isDeepStrictEqual } from "node:util";
import type { OrderedBytes } from "../../../sidecar/store/ordered/bytes.ts";
import type { Batch } from "./ledger-worker.ts";
import { type Life, Shadow, stateBytes } from "./shadow.ts";
import { violated } from "./violation.ts";

/** @throws Violation when the disk is not what was followed from write to write */
export async function compareWithDisk(shadow: Shadow, disk: OrderedBytes): Promise<void> {
  const read = await Shadow.of(disk);
  if (!isDeepStrictEqual(read.rows, shadow.rows)) violated("rows of instances differ");
  if (!isDeepStrictEqual(read.ready, shadow.ready)) violated("ready rows differ");
  if (!isDeepStrictEqual(read.due, shadow.due)) violated("due rows differ");
  for (const { number } of shadow.rows.values()) {
    const stored = read.lives.get(number)?.state;
    const followed = shadow.lives.get(number)?.state;
    if (stored === undefined || followed === undefined) violated(`log ${number} is gone`);
    if (!stateBytes(stored).equals(stateBytes(followed))) {
      violated(`log ${number} does not tell the state of ${followed.instanceId}`);
    }
  }
}

/** A worker is shown what is durable, and of one batch at a time. */
export function checkBatch({ entityState, operations }: Batch, { state }: Life): void {
  const { text, queue = [] } = state.entity ?? {};
  if (text !== entityState) violated(`a batch of ${state.instanceId} has a state of its own`);
  const waiting = queue.filter(({ item }) => item.case === "operation").length;
  if (operations.length > waiting) {
    violated(`a batch of ${state.instanceId} has what is not on the disk`);
  }
}
