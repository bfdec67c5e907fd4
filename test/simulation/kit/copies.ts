/** Clients that start the same as an instance once more, under an id of its own. */
import { isDeepStrictEqual } from "node:util";
import { startedEventOf } from "../../../sidecar/engine/started-event.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import type { Run } from "./journey.ts";
import type { PlanInput } from "./plan.ts";
import { unlessRefused } from "./reruns.ts";
import type { Life } from "./shadow.ts";
import { isTerminal } from "./shadow-checks.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

export interface Copy {
  readonly run: Run;
  /** What it goes on with: that of the generation in which the instance was. */
  readonly input: PlanInput;
}

/** The instance may be in any status, and nothing becomes of it. @throws Violation */
export async function copy(world: World, run: Run): Promise<Copy | undefined> {
  const { clients, loop, swarm, shadow } = world;
  if (!swarm.restarts || clients.chance(60)) return undefined;
  await loop.sleep(clients.below(60_000), "a client copies");
  const { hub, instanceId, nonce } = run;
  const copyId = nonce.replace("#", "~");
  const find = (id: string): Life => {
    const life = shadow.find(hub, id);
    return life ?? violated(`G1: ${id} is not on the disk, ${copyId} was to be its copy`);
  };
  const before = find(instanceId);
  const { generation } = before.state;
  const ended = isTerminal(before.state) ? shownOf(before) : undefined;
  const ask = (taskHub: TaskHub) => taskHub.reruns.restartAs(copyId, instanceId);
  // A reply that was lost is asked for again while the copy runs.
  await unlessRefused("failed-precondition", () =>
    world.ask(`copy ${instanceId}`, hub, ask, () => {
      const made = find(copyId);
      const of = find(instanceId);
      const isOfThen = of.number === before.number && of.state.generation === generation;
      checkCopy(made, of, isOfThen);
      if (!isOfThen || ended === undefined || isDeepStrictEqual(shownOf(of), ended)) return;
      violated(`${instanceId} was copied, and has changed`);
    }),
  );
  const input: PlanInput = JSON.parse(startedEventOf(find(copyId).state).input ?? "");
  const more = { events: [...input.events], mayBeTerminated: false, isDone: false };
  return { run: { ...run, instanceId: copyId, ...more }, input };
}

function checkCopy({ state: made }: Life, { state: of }: Life, isOfThen: boolean): void {
  const what = `${made.instanceId}, a copy of ${of.instanceId},`;
  const isSame = made.name === of.name && made.version === of.version;
  if (!isSame || !isDeepStrictEqual(made.tags, of.tags)) violated(`${what} is of something else`);
  if (made.parent !== undefined) violated(`${what} has a parent`);
  if (!isOfThen || made.generation !== 1) return;
  if (startedEventOf(made).input === startedEventOf(of).input) return;
  violated(`${what} has another input`);
}

/** What nothing but a rewind changes in a finished instance. */
function shownOf({ state: { status, updatedAt, completedAt, tags }, history }: Life) {
  return { status, updatedAt, completedAt, tags, events: history.length };
}
