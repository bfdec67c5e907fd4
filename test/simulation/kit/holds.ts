/** Holds of all scopes that clients place and release, and what the oracle is told of them. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HoldWish } from "../../../sidecar/engine/holds.ts";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import {
  ExpiryAction,
  type PacedRelease,
  PacedReleaseSchema,
  SelectorSchema,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Covered, Span } from "./hold-oracle.ts";
import type { Run } from "./journey.ts";
import { isTerminal } from "./shadow-checks.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** Holds an instance, or it and its descendants, for a while. */
export async function holdNow(world: World, run: Run, scope: "instance" | "tree"): Promise<void> {
  const { clients, loop, swarm } = world;
  const { hub, instanceId } = run;
  for (let times = 1 + clients.below(3); times > 0; times -= 1) {
    await loop.sleep(clients.below(swarm.chaosMs / 3), "a client holds");
    const isCompatible = scope === "instance" && clients.chance(30);
    const wish = wishOf(world, isCompatible ? "" : `${scope} ${times}`);
    if (wish.expiryAction === ExpiryAction.TERMINATE) run.mayBeTerminated = true;
    const place = (taskHub: TaskHub) => {
      const { suspensions } = taskHub;
      const options = { replace: false, ignoreFinished: false };
      return scope === "instance"
        ? suspensions.place(instanceId, wish, options, noReply)
        : suspensions.placeTree(instanceId, wish, false, noReply);
    };
    let span: Span | undefined;
    const isPlaced = await isTaken(
      world.ask(`hold ${instanceId}`, hub, place, () => {
        const state = world.shadow.find(hub, instanceId)?.state;
        if (state === undefined || isTerminal(state) || isExpired(world, wish)) return;
        // The reply to an earlier call was lost.
        if (span !== undefined) return;
        const own = state.holds.some(({ name }) => name === wish.name);
        if (scope === "instance" && !own)
          violated(`G1: a hold of ${instanceId} is not on the disk`);
        span = spanOf(world, hub, { scope, instanceId }, wish, undefined);
        world.oracle.acknowledged(span);
      }),
    );
    if (!isPlaced) return;
    await loop.sleep(clients.below(120_000), "held");
    await release(world, run, wish.name, scope, () => {
      if (span !== undefined) world.oracle.end(span, world.moment());
    });
  }
}

async function release(
  world: World,
  { hub, instanceId }: Run,
  name: string,
  scope: "instance" | "tree",
  asking: () => void,
): Promise<void> {
  const ask = (pace: PacedRelease | undefined) => (taskHub: TaskHub) => {
    asking();
    const names = scope === "instance" ? [name] : [];
    const trees = scope === "tree" ? [name] : [];
    const wish = { names, trees, pace, reason: undefined, requestedBy: "", ignoreFinished: true };
    return taskHub.suspensions.release(instanceId, wish, noReply);
  };
  if (scope === "tree") {
    const paced = paceOf(world);
    if (paced !== undefined) {
      await isTaken(world.ask(`pace ${instanceId}`, hub, ask(paced)));
      await world.loop.sleep(world.clients.below(20_000), "paced");
    }
  }
  await isTaken(
    world.ask(`release ${instanceId}`, hub, ask(undefined), () => {
      const holds = world.shadow.find(hub, instanceId)?.state.holds ?? [];
      const isThere = scope === "instance" && holds.some((hold) => hold.name === name);
      if (isThere) violated(`G1: the release of ${name} on ${instanceId} is not on the disk`);
    }),
  );
}

/** Windows over a hub that come and go as long as there is trouble. */
export async function holdWindows(world: World, hub: string, isOver: () => boolean): Promise<void> {
  const { clients, loop, swarm, wall } = world;
  for (let count = 1; !isOver(); count += 1) {
    await loop.sleep(clients.below(swarm.chaosMs / 2), "a window is placed");
    const wish = wishOf(world, `window ${count}`);
    const includeEntities = clients.chance(30);
    const prefixes = includeEntities ? ["", "@", "@ledger@1"] : ["", "w", "w1", "w2"];
    const names = includeEntities ? ["ledger"] : ["Main", "Child"];
    const prefix = clients.pick(prefixes) ?? "";
    const name = clients.pick([undefined, ...names]);
    const startsAtMs = clients.chance(30) ? wall.nowMs + clients.below(60_000) : undefined;
    const selector = create(SelectorSchema, {
      names: name === undefined ? [] : [name],
      instanceIdPrefix: prefix,
    });
    const startsAt = startsAtMs === undefined ? undefined : timestampFromMs(startsAtMs);
    const more = { startsAt, refusesStarts: false, includeEntities };
    const target = { kind: "window", selector, ...more } as const;
    let span: Span | undefined;
    const place = (taskHub: TaskHub) =>
      taskHub.suspensions.placeWindow(wish, target, false, noReply);
    await world.ask("place a window", hub, place, () => {
      if (span !== undefined || isExpired(world, wish)) return;
      span = spanOf(
        world,
        hub,
        { scope: "window", prefix, name, entities: includeEntities },
        wish,
        startsAtMs,
      );
      world.oracle.acknowledged(span);
    });
    await loop.sleep(clients.below(120_000), "a window is there");
    const end = (pace: PacedRelease | undefined) => (taskHub: TaskHub) => {
      if (span !== undefined) world.oracle.end(span, world.moment());
      return taskHub.suspensions.releaseWindows({ name: wish.name }, pace, "", noReply);
    };
    const paced = paceOf(world);
    if (paced !== undefined) {
      await isTaken(world.ask("pace a window", hub, end(paced)));
      await loop.sleep(clients.below(20_000), "paced");
    }
    await isTaken(world.ask("release a window", hub, end(undefined)));
  }
}

function wishOf({ clients, swarm, wall }: World, name: string): HoldWish {
  const expires = swarm.expiry && clients.chance(40);
  const terminates = swarm.terminates && !name.startsWith("window") && clients.chance(30);
  const expiryAction = terminates ? ExpiryAction.TERMINATE : ExpiryAction.RESUME;
  return {
    name,
    reason: undefined,
    requestedBy: "",
    resumeCondition: undefined,
    expiresAt: expires ? timestampFromMs(wall.nowMs + 1_000 + clients.below(90_000)) : undefined,
    expiryAction: expires ? expiryAction : ExpiryAction.UNSPECIFIED,
    timerPolicy: clients.chance(50) ? TimerPolicy.KEEP : TimerPolicy.FREEZE,
  };
}

function paceOf({ clients, swarm }: World): PacedRelease | undefined {
  if (!swarm.paced || clients.chance(50)) return undefined;
  const canaries = clients.below(3);
  return create(PacedReleaseSchema, { canaries, instancesPerSecond: clients.below(3) });
}

function spanOf(
  world: World,
  hub: string,
  covered: Covered,
  { name, expiresAt }: HoldWish,
  startsAtMs: number | undefined,
): Span {
  const expiresAtMs = expiresAt && Number(expiresAt.seconds) * 1_000 + expiresAt.nanos / 1e6;
  const to = Number.POSITIVE_INFINITY;
  return { hold: name, hub, covered, from: world.moment(), to, startsAtMs, expiresAtMs };
}

function isExpired({ wall }: World, { expiresAt }: HoldWish): boolean {
  return expiresAt !== undefined && wall.highestMs >= Number(expiresAt.seconds) * 1_000;
}

/** Refusals are part of the game: an instance may have ended meanwhile, a hold have expired. */
async function isTaken(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof HubError) return false;
    throw error;
  }
}
