/** One instance as its clients see it: started, fed with events, waited for, looked at, purged. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import type { StartCommand } from "../../../sidecar/engine/start.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import { Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import { addNanoseconds, compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import { copy } from "./copies.ts";
import { holdNow } from "./holds.ts";
import { Look } from "./look.ts";
import {
  eventsIn,
  firstDigest,
  outcomeOf,
  type Plan,
  type PlanOutput,
  randomPlan,
  rewindable,
} from "./plan.ts";
import { restart, rewind, rewindsMax } from "./reruns.ts";
import type { Life } from "./shadow.ts";
import { isTerminal } from "./shadow-checks.ts";
import { terminate } from "./terminations.ts";
import { violated } from "./violation.ts";
import { watchToTheEnd } from "./watching.ts";
import type { World } from "./world.ts";

/** One life of an instance, as its clients know it. */
export interface Run {
  readonly hub: string;
  readonly instanceId: string;
  /** Tells it from others of the same id. */
  readonly nonce: string;
  readonly plan: Plan;
  /** Payloads of all external events that it gets. */
  readonly events: string[];
  /** Something may terminate it. */
  mayBeTerminated: boolean;
  isDone: boolean;
}

export class Journey {
  readonly #world: World;
  readonly #hub: string;
  readonly #instanceId: string;

  constructor(world: World, hub: string, instanceId: string) {
    this.#world = world;
    this.#hub = hub;
    this.#instanceId = instanceId;
  }

  /** Goes through one life, and through another one with the same id if it comes to that. */
  async go(done: (run: Run) => void): Promise<void> {
    const { swarm, clients, loop } = this.#world;
    for (let life = 1; ; life += 1) {
      await loop.sleep(clients.below(swarm.chaosMs / 2), "a client comes");
      const run: Run = {
        hub: this.#hub,
        instanceId: this.#instanceId,
        nonce: `${this.#instanceId}#${life}`,
        plan: randomPlan(clients, swarm.plans),
        events: [],
        mayBeTerminated: false,
        isDone: false,
      };
      await this.#live(run);
      done(run);
      const isReusable = swarm.purges && !run.mayBeTerminated && clients.chance(60);
      if (!isReusable || life === 3) return;
      await this.#purge(run);
    }
  }

  async #live(run: Run): Promise<void> {
    const { swarm, clients } = this.#world;
    await this.#start(run);
    const total = eventsIn(run.plan);
    const ofFirst = clients.below(total + 1);
    const clientsOfIt = [
      this.#raise(run, "A", ofFirst),
      this.#raise(run, "B", total - ofFirst),
      this.#read(run),
      this.#startAgain(run),
      watchToTheEnd(this.#world, run),
    ];
    for (const scope of swarm.holds) {
      if (scope !== "window" && clients.chance(40)) {
        clientsOfIt.push(holdNow(this.#world, run, scope));
      }
    }
    if (swarm.terminates && clients.chance(35)) clientsOfIt.push(terminate(this.#world, run));
    clientsOfIt.push(this.#copy(run));
    const end = await this.#end(run);
    run.isDone = true;
    checkEnd(run, end);
    await Promise.all(clientsOfIt);
    if (await restart(this.#world, run)) checkEnd(run, await this.#end(run));
  }

  async #start(run: Run): Promise<void> {
    const { swarm, clients, wall } = this.#world;
    const isLater = swarm.scheduled && clients.chance(40);
    const at = isLater ? timestampFromMs(wall.nowMs + clients.below(400_000)) : undefined;
    const command = startOf(run, { scheduledStartAt: at, version: clients.pick(["", "1", "2"]) });
    const start = (hub: TaskHub) => hub.instances.start(command);
    await this.#world.ask(`start ${run.instanceId}`, run.hub, start, () => {
      this.#lifeOf(run);
    });
  }

  /** The same id is taken, whatever state its instance is in. */
  async #startAgain(run: Run): Promise<void> {
    const { clients, loop } = this.#world;
    if (clients.chance(60)) return;
    await loop.sleep(clients.below(60_000), "a duplicate");
    const more = { fingerprint: Buffer.from("another"), tags: { run: "duplicate" } };
    const command = { ...startOf(run, {}), ...more };
    try {
      await this.#world.ask("start again", run.hub, (hub) => hub.instances.start(command));
    } catch (error) {
      if (error instanceof HubError && error.code === "instance-exists") return;
      throw error;
    }
    violated(`${run.instanceId} was started twice`);
  }

  /** G7 and G8: events of one caller, one after the other, each until it is acknowledged. */
  async #raise(run: Run, caller: string, count: number): Promise<void> {
    const { clients, loop, swarm } = this.#world;
    for (let at = 1; at <= count; at += 1) {
      await loop.sleep(clients.below(clients.chance(30) ? swarm.chaosMs / 4 : 50), "next event");
      const payload = `${run.nonce} ${caller}${at}`;
      run.events.push(payload);
      const { instanceId } = run;
      const command = { instanceId, name: "Event", input: payload, ignoreFinished: true };
      const reply = { ...noReply, key: payload };
      const raise = (hub: TaskHub) => hub.instances.raiseEvent(command, reply);
      await this.#world.ask(`raise ${payload}`, run.hub, raise, () => {
        const life = this.#lifeOf(run);
        if (isTerminal(life.state) || this.#world.raised.has(life, payload)) return;
        violated(`G1: ${payload} was acknowledged and is not on the disk`);
      });
    }
  }

  /** The same once more under another id, to its end. */
  async #copy(run: Run): Promise<void> {
    const made = await copy(this.#world, run);
    if (made === undefined) return;
    const raising = this.#raise(made.run, "C", eventsIn(made.input.plan));
    checkEnd(made.run, await this.#end(made.run));
    await raising;
  }

  async #purge(run: Run): Promise<void> {
    const { instanceId, nonce, hub } = run;
    const purge = this.#purgeOf(run);
    await this.#world.ask(`purge ${instanceId}`, hub, purge, () => {
      const life = this.#world.shadow.find(hub, instanceId);
      if (life?.state.tags.run === nonce) violated(`G1: ${nonce} was purged and is there`);
    });
  }

  /** By its id, in a batch, or by the moment of its creation if no other was created then. */
  #purgeOf({ hub, instanceId }: Run): (taskHub: TaskHub) => Promise<unknown> {
    const { clients, shadow } = this.#world;
    const createdAt = shadow.find(hub, instanceId)?.state.createdAt;
    const isOfThen = ({ state }: Life) =>
      createdAt !== undefined && compareTimestamps(state.createdAt, createdAt) === 0;
    const endings = ["completed", "failed", "terminated"] as const;
    switch (clients.below(3)) {
      case 0:
        return ({ purging }) =>
          purging.byId([instanceId, instanceId, "nobody"], { recursive: true });
      case 1: {
        if (createdAt === undefined || [...shadow.lives.values()].filter(isOfThen).length > 1)
          break;
        const created = { from: createdAt, to: addNanoseconds(createdAt, 1n) };
        const wish = { recursive: true, timeoutMs: undefined };
        return ({ purging }) => purging.byFilter({ created, endings }, wish);
      }
      default:
    }
    return ({ instances }) => instances.purge(instanceId, true);
  }

  /** G12: what is read is durable, and not older than what was durable when it was asked for. */
  async #read(run: Run): Promise<void> {
    const { clients, loop } = this.#world;
    for (let pauseMs = 1_000; !run.isDone; pauseMs *= 2) {
      await loop.sleep(clients.below(pauseMs), "a reader");
      const look = new Look(this.#world.shadow, run);
      const read = (hub: TaskHub) => {
        look.asks();
        return hub.read(run.instanceId, (state) => look.sees(state));
      };
      await this.#world.ask(`read ${run.instanceId}`, run.hub, read, () => look.isTold());
    }
  }

  /** Rewinds it as long as that may mend what it failed with. */
  async #end(run: Run): Promise<End> {
    for (let rewinds = 0; rewinds < rewindsMax; rewinds += 1) {
      const end = await this.#wait(run);
      if (end.status !== Status.FAILED || !end.failure?.startsWith(rewindable)) return end;
      await rewind(this.#world, run);
    }
    violated(`${run.instanceId} fails however often it is rewound`);
  }

  async #wait(run: Run): Promise<End> {
    const wait = (hub: TaskHub) =>
      hub.wait(run.instanceId, isTerminal, endOf, new AbortController().signal);
    return this.#world.ask(`wait for ${run.instanceId}`, run.hub, wait, () => {
      const { state } = this.#lifeOf(run);
      if (!isTerminal(state)) violated(`G1: the end of ${run.instanceId} is not on the disk`);
    });
  }

  #lifeOf(run: Run): Life {
    const life = this.#world.shadow.find(run.hub, run.instanceId);
    if (life?.state.tags.run === run.nonce) return life;
    violated(`G1: ${run.nonce} was acknowledged and is not on the disk`);
  }
}

function startOf(
  { instanceId, nonce, plan }: Run,
  more: Partial<StartCommand>,
): Omit<StartCommand, "refusedBecause"> {
  return {
    instanceId,
    name: "Main",
    version: undefined,
    input: JSON.stringify({ plan, digest: firstDigest, events: [], generation: 0 }),
    tags: { run: nonce },
    parentTraceContext: undefined,
    scheduledStartAt: undefined,
    executionId: undefined,
    // Nothing may be replaced: who asks again may be late.
    idReusePolicy: { replaceableStatus: [], legacyAction: 0 },
    fingerprint: Buffer.from(nonce),
    ...more,
  };
}

interface End {
  readonly status: Status;
  readonly output: string;
  readonly failure: string | undefined;
}

function endOf({ status, completed }: InstanceState): End {
  const type = completed === undefined ? undefined : readEvent(completed).eventType;
  if (type?.case !== "executionCompleted") return { status, output: "", failure: undefined };
  const { result = "", failureDetails } = type.value;
  return { status, output: result, failure: failureDetails?.errorMessage };
}

/** The result is the one that the plan has by itself. */
export function checkEnd(run: Run, { status, output, failure }: End): void {
  const { instanceId, plan, events, mayBeTerminated } = run;
  if (status === Status.TERMINATED && mayBeTerminated) return;
  const expected = outcomeOf(plan, events);
  if ("fails" in expected) {
    if (status === Status.FAILED && failure === expected.fails) return;
    violated(`${instanceId} ended as ${status} (${failure}), not with ${expected.fails}`);
  }
  if (status !== Status.COMPLETED)
    violated(`${instanceId} ended as ${status}: ${failure} ${output}`);
  const seen: PlanOutput = JSON.parse(output);
  if (seen.digest !== expected.completes.digest) violated(`${instanceId} has a wrong result`);
  for (const caller of ["A", "B", "C"]) {
    const of = (all: readonly string[]) => all.filter((each) => each.includes(` ${caller}`));
    if (of(seen.events).join() === of(events).join()) continue;
    violated(`G8: ${instanceId} got [${of(seen.events)}] of [${of(events)}]`);
  }
}
