/** What clients do with an instance that has ended: they rewind it, and start it again. */
import { HubError } from "../../../sidecar/foundation/errors.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import { Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Run } from "./journey.ts";
import { eventsIn } from "./plan.ts";
import type { Shadow } from "./shadow.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** Every flaky part of a plan costs two at most, and a child that was purged begins anew. */
export const rewindsMax = 20;

/** A failed instance goes on. Sometimes a child of it is purged before, and has to be made again. */
export async function rewind(world: World, { hub, instanceId }: Run): Promise<void> {
  const { clients, loop, shadow, results } = world;
  await loop.sleep(clients.below(20_000), "a client rewinds");
  if (clients.chance(20)) await purgeChild(world, hub, instanceId);
  const before = shadow.find(hub, instanceId);
  const rewinds = before === undefined ? 0 : results.rewindsOf(before.number);
  const command = { instanceId, reason: "again" };
  const ask = (taskHub: TaskHub) => taskHub.reruns.rewind(command);
  await unlessRefused("failed-precondition", () =>
    world.ask(`rewind ${instanceId}`, hub, ask, () => {
      const life = shadow.find(hub, instanceId);
      if (life !== undefined && results.rewindsOf(life.number) > rewinds) return;
      violated(`G1: ${instanceId} was rewound, and the disk does not know it`);
    }),
  );
}

async function purgeChild(world: World, hub: string, instanceId: string): Promise<void> {
  const child = world.clients.pick(failedChildren(world.shadow, hub, instanceId));
  if (child === undefined) return;
  const purge = (taskHub: TaskHub) => taskHub.instances.purge(child, true);
  await world.ask(`purge ${child}`, hub, purge, () => {
    if (world.shadow.find(hub, child)) violated(`G1: ${child} was purged and is there`);
  });
}

function failedChildren(shadow: Shadow, hub: string, instanceId: string): string[] {
  const number = shadow.find(hub, instanceId)?.number;
  const failed: string[] = [];
  for (const { number: of } of shadow.rows.values()) {
    const state = shadow.lives.get(of)?.state;
    if (state?.parent?.number !== number || state?.status !== Status.FAILED) continue;
    if (state.outbox.length === 0) failed.push(state.instanceId);
  }
  return failed;
}

/** A finished instance is started again in its own place; false when its plan does not bear that. */
export async function restart(world: World, run: Run): Promise<boolean> {
  const { clients, swarm, shadow } = world;
  const { hub, instanceId, plan } = run;
  // Nobody would raise its events once more, and a termination may still come for it.
  if (!swarm.restarts || run.mayBeTerminated || eventsIn(plan) > 0) return false;
  if (clients.chance(50)) return false;
  const number = shadow.find(hub, instanceId)?.number;
  const ask = (taskHub: TaskHub) => taskHub.reruns.restart(instanceId);
  await unlessRefused("failed-precondition", () =>
    world.ask(`restart ${instanceId}`, hub, ask, () => {
      const life = shadow.find(hub, instanceId);
      if (life !== undefined && life.number !== number) return;
      violated(`G1: ${instanceId} was started again, and the disk does not know it`);
    }),
  );
  return true;
}

/** Asks for what may have been done by an earlier call. */
export async function unlessRefused(
  code: HubError["code"],
  ask: () => Promise<unknown>,
): Promise<void> {
  try {
    await ask();
  } catch (error) {
    // The reply to an earlier call was lost.
    if (!(error instanceof HubError) || error.code !== code) throw error;
  }
}
