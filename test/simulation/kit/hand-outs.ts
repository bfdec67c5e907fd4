/** What must hold of every item that is handed to a worker. */
import { covers, isActive } from "../../../sidecar/engine/hub/covers.ts";
import type { HandedOut } from "../../support/worker-world.ts";
import { checkBatch } from "./disk-checks.ts";
import type { Life } from "./shadow.ts";
import { checkPast } from "./turn-history.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** @throws Violation */
export function checkHandOut(world: World, item: HandedOut): void {
  const { work, hub, instanceId, token } = item;
  const life = world.shadow.find(hub, instanceId);
  if (life !== undefined) checkWork(world, item, life);
  if (life !== undefined && isHeldOnDisk(world, life)) {
    violated(`G9: a ${work.kind} of ${instanceId} went out, and the disk has a hold`);
  }
  const { nowMs, highestMs } = world.wall;
  const subject = { hub, instanceId, name: life?.state.name ?? "" };
  const span = world.oracle.violated(subject, Number(token), { nowMs, highestMs });
  if (span === undefined) return;
  const { hold, covered, from, to } = span;
  const by = `the ${covered.scope} hold ${hold} from ${from} to ${to}`;
  violated(`G9: a ${work.kind} of ${instanceId} went out at ${Number(token)}, under ${by}`);
}

function checkWork({ loop, results }: World, { work, token }: HandedOut, life: Life): void {
  switch (work.kind) {
    case "turn":
      return checkPast(work.request, life);
    case "batch":
      return checkBatch(work.request, life);
    case "activity": {
      const { orchestrationInstance, input = "" } = work.request;
      loop.trace(`${Number(token)} is ${input}`);
      results.handedOut(life, orchestrationInstance?.executionId ?? "", input);
    }
  }
}

/** A release counts when it is on the disk: a crash would bring the hold back. */
function isHeldOnDisk({ wall, shadow }: World, { hub, state }: Life): boolean {
  if (state.holds.length > 0) return true;
  const now = wall.now();
  const holds = shadow.hubStates.get(hub)?.holds ?? [];
  return holds.some(
    (hold) => hold.pacedRelease === undefined && isActive(hold, now) && covers(hold, state),
  );
}
