/**
 * Terminates an instance and all its descendants. A recursive termination follows children that have
 * not reported; a descendant whose parent has finished before it is found by its ancestors.
 */
import { decideTerminate } from "../engine/terminate.ts";
import type { InstanceCursor, Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { TreeOrigin } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";

/** Rows of live instances that are read at once. */
const page = 500;

export interface TerminateTreeOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly road: Road;
  readonly store: Pick<Store, "readQuery">;
}

/**
 * Descendants first, so that a hold on the tree holds them until they end. Costs a look at the row of
 * each live instance of the hub, and loads those that have a parent. May be repeated.
 */
export async function terminateTree(
  options: TerminateTreeOptions,
  { instanceId, number }: TreeOrigin,
  output: string,
): Promise<void> {
  const { hub, store } = options;
  let after: InstanceCursor | undefined;
  // Ends with the last live instance: each page continues behind the one before. What is not durable
  // yet is an open child of one that is terminated here.
  while (hub.number !== undefined) {
    const rows = await store.readQuery(hub.number, "live", {}, after, page);
    for (const { instanceId: id, row } of rows) {
      if (row.parentInstanceId === "") continue;
      await terminate(options, id, output, ({ state }) => state?.ancestors.includes(number));
    }
    after = rows.at(-1);
    if (rows.length < page) break;
  }
  // The id may be that of another life by now.
  await terminate(options, instanceId, output, ({ state }) => state?.number === number);
}

async function terminate(
  { heads, road }: TerminateTreeOptions,
  instanceId: string,
  output: string,
  isMeant: (head: Head) => boolean | undefined,
): Promise<void> {
  const head = await heads.pin(instanceId);
  try {
    if (isMeant(head) !== true) return;
    const command = { instanceId, output, recurse: true, ignoreFinished: true };
    road.decide(head, Cause.DUE, (state, environment) =>
      decideTerminate(state, command, environment),
    );
  } finally {
    heads.unpin(head);
  }
}
