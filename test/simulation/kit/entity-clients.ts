/** Clients of entities, and when an entity has nothing left to do. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import { Look } from "./look.ts";
import { entityKeys } from "./plan.ts";
import { isTerminal } from "./shadow-checks.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** A client that signals entities, one signal after the other, and looks at them. */
export async function signalEntities(world: World, hub: string, name: string): Promise<void> {
  const { clients, loop, swarm, wall, ledgers, shadow } = world;
  const count = 2 + clients.below(8);
  for (let at = 1; at <= count; at += 1) {
    await loop.sleep(clients.below(swarm.chaosMs / 6), "next signal");
    const instanceId = `@ledger@${clients.pick(entityKeys) ?? "1"}`;
    const id = `${hub} ${name}#${at}`;
    const dueAtMs = clients.chance(25) ? wall.nowMs + clients.below(60_000) : undefined;
    ledgers.sends(id, dueAtMs);
    const signal = (taskHub: TaskHub) =>
      taskHub.entities.signal(
        {
          instanceId,
          requestId: id,
          operation: "add",
          input: JSON.stringify({ id }),
          scheduledAt: dueAtMs === undefined ? undefined : timestampFromMs(dueAtMs),
        },
        { ...noReply, key: id },
      );
    await world.ask(`signal ${id}`, hub, signal, () => {
      const life = shadow.find(hub, instanceId);
      if (life !== undefined && ledgers.has(life, id)) return;
      violated(`G1: ${id} was acknowledged and is not on the disk`);
    });
    if (clients.chance(50)) await read(world, hub, instanceId);
    if (clients.chance(15)) await clean(world, hub);
  }
}

async function read(world: World, hub: string, instanceId: string): Promise<void> {
  const look = new Look(world.shadow, { hub, instanceId });
  const ask = (taskHub: TaskHub) => {
    look.asks();
    return taskHub.entities.read(instanceId, ({ state }) => look.sees(state));
  };
  await world.ask(`read ${instanceId}`, hub, ask, () => look.isTold());
}

/** Nothing is lost by it: an entity that has something is not empty, a holder that lives no orphan. */
async function clean(world: World, hub: string): Promise<void> {
  const wish = { removesEmpty: true, releasesOrphans: true, signal: new AbortController().signal };
  await world.ask("clean entities", hub, (taskHub) => taskHub.entities.clean(wish));
}

/** Nothing of it goes on any more. */
export function isAtRest(state: InstanceState | undefined): boolean {
  if (state === undefined) return false;
  const { entity, outbox, activities } = state;
  if (outbox.length > 0 || activities.size > 0) return false;
  if (entity === undefined) return isTerminal(state);
  return entity.queue.length + entity.scheduled.size === 0 && entity.lock === undefined;
}
