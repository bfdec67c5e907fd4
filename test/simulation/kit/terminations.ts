/** Clients that end instances before their time. */
import { noReply } from "../../../sidecar/engine/repeat.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import { Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Run } from "./journey.ts";
import { entityKeys } from "./plan.ts";
import { isTerminal } from "./shadow-checks.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** Sometimes by its worker's leave, sometimes without waiting for it. */
export async function terminate(world: World, run: Run): Promise<void> {
  const { clients, loop } = world;
  run.mayBeTerminated = true;
  await loop.sleep(clients.below(60_000), "a client terminates");
  return clients.chance(40) ? skipGraceful(world, run) : terminateGracefully(world, run);
}

async function terminateGracefully(world: World, { hub, instanceId }: Run): Promise<void> {
  const recurse = world.clients.chance(50);
  const command = { instanceId, output: "ended", recurse, ignoreFinished: true };
  const ask = (taskHub: TaskHub) => taskHub.instances.terminate(command, noReply);
  await world.ask(`terminate ${instanceId}`, hub, ask, () => {
    const state = world.shadow.find(hub, instanceId)?.state;
    if (state === undefined) violated(`G1: ${instanceId} is gone, and was never purged`);
    if (isTerminal(state) || state.pendingTerminate !== undefined) return;
    violated(`G11: the end of ${instanceId} was acknowledged and is not on the disk`);
  });
}

/** It has ended when that is answered; what is no live orchestration is named, each once. */
async function skipGraceful(world: World, { hub, instanceId }: Run): Promise<void> {
  const { shadow, swarm } = world;
  const others = ["nobody", `@ledger@${entityKeys[0]}`];
  const ids = [instanceId, ...others, instanceId, ...others];
  const ask = (taskHub: TaskHub) => taskHub.instances.skipGracefulTerminations(ids, "skipped");
  const find = () => shadow.find(hub, instanceId);
  const wasLive = find()?.state.status === Status.RUNNING;
  await world.ask(`skip ${instanceId}`, hub, ask, (untouched) => {
    const left = untouched.filter((id) => id !== instanceId);
    if (left.join() !== others.join()) violated(`of [${ids}] these were left alone: ${untouched}`);
    const state = find()?.state;
    const isEnded = state !== undefined && isTerminal(state);
    if (untouched.length === others.length) {
      if (!isEnded) violated(`G11: ${instanceId} was ended, and the disk does not know it`);
    } else if (!isEnded && wasLive && !swarm.plans.entities) {
      violated(`${instanceId} has locked nothing, and was not ended`);
    }
  });
}
