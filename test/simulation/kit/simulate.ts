/** One seed from its first event to the last comparison. */
import type { EntityBatchForm } from "../../../sidecar/wire/entity-work-item.ts";
import { Random } from "../../model/kit/random.ts";
import { SimulatedWorker } from "../../support/simulated-worker.ts";
import type { WorkerTraits } from "../../support/worker-world.ts";
import { isAtRest, signalEntities } from "./entity-clients.ts";
import { expire } from "./expire.ts";
import { holdWindows } from "./holds.ts";
import { Journey } from "./journey.ts";
import { stateBytes } from "./shadow.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";
import { Troubles } from "./troubles.ts";
import { isUnanswered } from "./unanswered.ts";
import { violated } from "./violation.ts";
import { World } from "./world.ts";

export interface Figures {
  readonly steps: number;
  readonly virtualMs: number;
  readonly crashes: number;
  readonly writeErrors: number;
  readonly fullDiskWrites: number;
  readonly streamCuts: number;
  readonly clockJumps: number;
  readonly handOuts: number;
  readonly holds: number;
  readonly completed: number;
  readonly operations: number;
  readonly deletions: number;
  readonly rewinds: number;
  readonly rewindsByWorkers: number;
  readonly historiesFetched: number;
}

export interface Simulated {
  readonly swarm: Swarm;
  readonly figures: Figures;
  /** Hash of everything that happened, in order. */
  readonly traceHash: string;
  /** Hash of what the disk holds at the end. */
  readonly diskHash: string;
  readonly failure: Error | undefined;
  readonly lastLines: readonly string[];
}

/** After the last trouble everything must come to its end within so much virtual time. */
const LIVENESS_MS = 48 * 3_600_000;
const STEPS_MAX = 400_000;

/** @param entityBatches how workers are sent operations of entities, which changes nothing else */
export async function simulate(seed: number, entityBatches: EntityBatchForm): Promise<Simulated> {
  const swarm = drawSwarm(new Random(seed));
  const world = new World(swarm, seed, entityBatches);
  const run = new SimulatedRun(world, seed);
  const stop = (error: unknown) => world.failed(error);
  process.on("unhandledRejection", stop);
  try {
    await run.play();
  } catch (error) {
    world.failed(error);
  } finally {
    process.off("unhandledRejection", stop);
  }
  const { loop, failure } = world;
  return {
    swarm,
    figures: run.figures(),
    traceHash: loop.traceHash,
    diskHash: await world.disk.hash(),
    failure,
    lastLines: loop.lastLines,
  };
}

class SimulatedRun {
  readonly #world: World;
  readonly #seed: number;
  readonly #workers: SimulatedWorker[] = [];
  #completed = 0;
  #going = 0;
  #isCalm = false;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#seed = seed;
  }

  figures(): Figures {
    const { loop, crashes, disk, wall, handOuts, oracle, ledgers, results } = this.#world;
    const { rewinds, rewindsByWorkers } = results;
    return {
      steps: loop.steps,
      virtualMs: loop.nowMs,
      crashes,
      writeErrors: disk.errors,
      fullDiskWrites: disk.refusals,
      streamCuts: this.#workers.reduce((sum, { cuts }) => sum + cuts, 0),
      clockJumps: wall.jumps,
      handOuts,
      holds: oracle.count,
      completed: this.#completed,
      operations: ledgers.count,
      deletions: ledgers.deletions,
      rewinds,
      rewindsByWorkers,
      historiesFetched: this.#world.historiesFetched,
    };
  }

  async play(): Promise<void> {
    const world = this.#world;
    const { swarm, loop } = world;
    world.boot();
    for (const hub of swarm.hubs) {
      for (let count = 1; count <= swarm.workersPerHub; count += 1) {
        const given = { traits: this.#traits(count), faults: { ...swarm.workerFaults } };
        this.#workers.push(new SimulatedWorker(world, `${hub} worker ${count}`, hub, given));
      }
      if (swarm.holds.includes("window")) this.#go(holdWindows(world, hub, () => this.#isCalm));
    }
    for (const hub of swarm.plans.entities ? swarm.hubs : []) {
      for (const name of ["client A", "client B"]) this.#go(signalEntities(world, hub, name));
    }
    for (let count = 1; count <= swarm.instances; count += 1) {
      const hub = swarm.hubs[count % swarm.hubs.length] ?? "default";
      // The same ids in all hubs.
      const journey = new Journey(world, hub, `w${Math.ceil(count / swarm.hubs.length)}`);
      this.#go(journey.go(() => (this.#completed += 1)));
    }
    const troubles = new Troubles(world, new Random(this.#seed + 6), this.#workers);
    this.#go(troubles.run());
    await this.#until(() => loop.nowMs >= swarm.chaosMs || this.#going === 0);
    this.#isCalm = true;
    troubles.end();
    await this.#live();
    await this.#restart();
    await expire(world, new Random(this.#seed + 7), (isReached) => this.#until(isReached));
  }

  /** G15: nothing is stranded. The process that had the troubles brings all to its end. */
  async #live(): Promise<void> {
    const { loop } = this.#world;
    const endMs = loop.nowMs + LIVENESS_MS;
    await this.#until(() => (this.#going === 0 && this.#isQuiet()) || loop.nowMs > endMs);
    if (this.#going > 0) violated(`G15: ${this.#going} clients still wait: ${this.#left()}`);
    if (!this.#isQuiet()) violated(`G15: not all has come to its end: ${this.#left()}`);
    this.#world.ledgers.checkEnd();
  }

  /** Once more from the disk: all is as it was. */
  async #restart(): Promise<void> {
    const world = this.#world;
    const { loop, shadow } = world;
    await world.crash();
    await world.checkShadow();
    const before = new Map<bigint, Buffer>();
    for (const { number } of shadow.rows.values()) {
      const life = shadow.lives.get(number);
      if (life !== undefined) before.set(number, stateBytes(life.state));
    }
    world.boot();
    const endMs = loop.nowMs + 600_000;
    await this.#until(() => loop.nowMs > endMs);
    for (const [number, bytes] of before) {
      const after = shadow.lives.get(number)?.state;
      if (after !== undefined && stateBytes(after).equals(bytes)) continue;
      violated(`${after?.instanceId} is not what it was before the restart`);
    }
    if (world.process?.hubs === undefined) violated("the process does not come up again");
  }

  #isQuiet(): boolean {
    const { shadow } = this.#world;
    return shadow.rows.values().every(({ number }) => isAtRest(shadow.lives.get(number)?.state));
  }

  #left(): string {
    const { shadow } = this.#world;
    const left = shadow.rows.values().flatMap(({ number }) => {
      const state = shadow.lives.get(number)?.state;
      if (state === undefined) return [];
      const { instanceId, status, inbox, activities, timers, children, outbox, holds } = state;
      if (isAtRest(state)) return [];
      const { entity, entityCalls, lockRequests } = state;
      const sizes = [inbox.length, activities.size, timers.size, children.size, outbox.length];
      sizes.push(entityCalls.size, lockRequests.size, entity?.queue.length ?? 0);
      return [`${instanceId} status ${status} [${sizes}] holds ${holds.map(({ name }) => name)}`];
    });
    return [...left].join("; ");
  }

  async #until(isReached: () => boolean): Promise<void> {
    const world = this.#world;
    while (!isReached()) {
      if (world.failure !== undefined) throw world.failure;
      if (world.loop.steps > STEPS_MAX) violated(`more than ${STEPS_MAX} steps: ${this.#left()}`);
      if (!(await world.loop.step())) violated(`nothing is left to happen: ${this.#left()}`);
      world.checkMemory();
    }
    if (world.failure !== undefined) throw world.failure;
  }

  #go(work: Promise<void>): void {
    this.#going += 1;
    work
      .catch((error: unknown) => {
        this.#world.failed(error);
        if (isUnanswered(error)) violated("a client gave up");
      })
      .finally(() => {
        this.#going -= 1;
      });
  }

  /** The first worker of a hub takes everything, so that nothing has to wait for ever. */
  #traits(count: number): WorkerTraits {
    const { swarm, random } = this.#world;
    const versions = random.chance(50) ? ["1"] : [""];
    const filters = {
      orchestrations: [{ name: "Main", versions }],
      activities: [{ name: random.chance(50) ? "Odd" : "EVEN", versions: [] }],
      entities: random.chance(50) ? [{ name: "Ledger" }] : [],
    };
    return {
      turns: 1 + random.below(4),
      activities: 1 + random.below(4),
      entities: 1 + random.below(4),
      slowestTurnMs: swarm.slowestTurnMs,
      slowestActivityMs: swarm.slowestActivityMs,
      filters: swarm.filters && count > 1 ? filters : undefined,
      streamsHistory: random.chance(60),
    };
  }
}
