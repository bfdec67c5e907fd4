/** A client that watches an instance to its end, over cuts and crashes. */
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import type { Run } from "./journey.ts";
import { isTerminal } from "./shadow-checks.ts";
import { isUnanswered } from "./unanswered.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** G12: what it is shown is durable, never goes back, and comes to its end. */
export async function watchToTheEnd(world: World, run: Run): Promise<void> {
  const { clients, loop } = world;
  const { hub, instanceId } = run;
  if (clients.chance(50)) return;
  const minIntervalMs = clients.chance(50) ? 0 : clients.below(5_000);
  let resumeToken = "";
  let last = 0;
  let isOver = false;
  const open = (taskHub: TaskHub) =>
    taskHub.watches.instance(
      { instanceId, resumeToken, minIntervalMs, waitForCreation: false },
      ({ number, sequence, status }: InstanceState) => ({ number, sequence, status }),
      new AbortController().signal,
    );
  while (!isOver) {
    try {
      await world.stream(`watch ${instanceId}`, hub, open, ({ view, token }) => {
        resumeToken = token;
        if (view === undefined) violated(`${instanceId} was removed while it was watched`);
        const { number, sequence } = view;
        const durable = world.shadow.lives.get(number)?.state.sequence ?? 0;
        if (sequence > durable) violated(`a watch of ${instanceId} shows what is not on the disk`);
        if (sequence < last) violated(`a watch of ${instanceId} goes back`);
        last = sequence;
        const state = world.shadow.find(hub, instanceId)?.state;
        isOver = state !== undefined && isTerminal(state) && sequence >= state.sequence;
        return isOver;
      });
      // Nothing is shown again that was seen to the end.
      const state = world.shadow.find(hub, instanceId)?.state;
      isOver ||= state === undefined || isTerminal(state);
    } catch (error) {
      if (!isUnanswered(error)) throw error;
    }
    await loop.sleep(clients.below(2_000), "watch again");
  }
}
