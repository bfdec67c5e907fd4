/** Deleting finished instances. */
import { decidePurge } from "../engine/purge.ts";
import { isTerminal } from "../engine/status.ts";
import { HubError } from "../foundation/errors.ts";
import type { Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { childrenIn } from "../wire/history-event.ts";
import type { Heads } from "./heads.ts";
import type { InstanceReader } from "./instance-reader.ts";
import type { Road } from "./road.ts";

export interface PurgingOptions {
  readonly heads: Heads;
  readonly reader: InstanceReader;
  readonly road: Road;
  readonly store: Store;
}

/**
 * Deletes a finished instance; an unknown or unfinished one is left alone.
 *
 * @param recursive also its finished descendants. They go first, so that a call that was cut short
 * can be repeated.
 * @returns how many instances were deleted
 * @throws HubError "unavailable" when its messages are still on their way
 */
export async function purge(
  options: PurgingOptions,
  instanceId: string,
  recursive: boolean,
): Promise<number> {
  const { heads, reader, road, store } = options;
  let deleted = 0;
  const head = await heads.pin(instanceId);
  try {
    if (recursive && head.state !== undefined && isTerminal(head.state)) {
      const { number } = head.state;
      await heads.loadHistory(head);
      for (const child of childrenIn(head.history)) {
        // By number: ids of the tree may have been used again, also within it.
        const parent = await reader.read(child, (state) => state.parent?.number);
        if (parent === number) deleted += await purge(options, child, true);
      }
    }
    // Mail that the instance has sent must reach somebody before the log that holds it goes. It
    // leaves when it is durable.
    await store.whenDurable(head.position);
    while (head.mailing !== undefined) await head.mailing;
    const decision = road.decide(head, Cause.PURGE, decidePurge);
    await store.whenDurable(head.position);
    if (decision.kind === "refuse") throw new HubError(decision.code, decision.message);
    return decision.kind === "end" ? deleted + 1 : deleted;
  } finally {
    heads.unpin(head);
  }
}
