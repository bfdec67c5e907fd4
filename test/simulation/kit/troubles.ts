/** What goes wrong, one trouble after the other, until it is over. */
import type { Random } from "../../model/kit/random.ts";
import type { SimulatedWorker } from "../../support/simulated-worker.ts";
import { reliable } from "../../support/worker-faults.ts";
import type { Trouble } from "./swarm.ts";
import type { World } from "./world.ts";

export class Troubles {
  readonly #world: World;
  readonly #random: Random;
  readonly #workers: readonly SimulatedWorker[];
  #isOver = false;

  constructor(world: World, random: Random, workers: readonly SimulatedWorker[]) {
    this.#world = world;
    this.#random = random;
    this.#workers = workers;
  }

  async run(): Promise<void> {
    const { swarm, loop } = this.#world;
    while (!this.#isOver) {
      await loop.sleep(this.#random.below(2 * swarm.troubleMs), "trouble");
      const trouble = this.#random.pick(swarm.troubles);
      if (trouble === undefined || this.#isOver) return;
      loop.trace(`trouble: ${trouble}`);
      await this.#make(trouble);
    }
  }

  /** From now on all goes well. */
  end(): void {
    const { disk, loop } = this.#world;
    this.#isOver = true;
    this.#world.lostReplies = 0;
    disk.empty();
    Object.assign(disk.faults, { errorPermille: 0, slowestMs: 4 });
    for (const worker of this.#workers) {
      worker.faults = reliable;
      worker.traits = { ...worker.traits, filters: undefined, slowestActivityMs: 200 };
      worker.comeBack();
      // What it has forgotten comes back to it only so.
      worker.die(true);
    }
    loop.trace("all is well");
    if (this.#world.process === undefined) this.#world.boot();
  }

  async #make(trouble: Trouble): Promise<void> {
    const { disk, wall } = this.#world;
    const random = this.#random;
    switch (trouble) {
      case "crash":
        return this.#crash();
      case "stop":
        return this.#stop();
      case "disk fails":
        disk.faults.errorPermille = random.pick([20, 200, 1_000]) ?? 20;
        return this.#later(random.below(4_000), () => {
          disk.faults.errorPermille = 0;
        });
      case "disk is full":
        disk.fill();
        return this.#later(random.below(60_000), () => disk.empty());
      case "disk is slow":
        disk.faults.slowestMs = random.pick([100, 1_000, 5_000]) ?? 100;
        return this.#later(random.below(30_000), () => {
          disk.faults.slowestMs = this.#world.swarm.diskMs;
        });
      case "clock jumps": {
        const ms = random.pick([1_000, 60_000, 3_600_000]) ?? 1_000;
        return wall.jump(random.chance(50) ? ms : -ms);
      }
      case "streams are cut":
        return this.#cut();
      case "workers die":
        random.pick(this.#workers)?.die(random.chance(50));
        return;
    }
  }

  async #crash(): Promise<void> {
    const random = this.#random;
    // Once in a while it dies again while it is starting.
    for (let times = random.chance(25) ? 3 : 1; times > 0 && !this.#isOver; times -= 1) {
      await this.#world.crash();
      await this.#world.loop.sleep(random.below(random.chance(20) ? 120_000 : 1_000), "down");
      if (this.#world.process === undefined) this.#world.boot();
      await this.#world.loop.sleep(random.below(20), "starting");
    }
  }

  async #stop(): Promise<void> {
    const { process, loop } = this.#world;
    if (process?.hubs === undefined) return;
    loop.trace("stop");
    // It may die of something else on its way.
    await Promise.race([process.stop(), process.died.promise]);
    if (this.#world.process !== process) return;
    await this.#world.crash();
    await loop.sleep(this.#random.below(5_000), "down");
    if (this.#world.process === undefined) this.#world.boot();
  }

  /** One by one, and back in another order. */
  async #cut(): Promise<void> {
    const { loop } = this.#world;
    const random = this.#random;
    if (random.chance(50)) return random.pick(this.#workers)?.cut(random.chance(50));
    const away = this.#workers.filter(() => random.chance(70));
    for (const worker of away) {
      worker.leave();
      await loop.sleep(random.below(500), "swizzle");
    }
    const back = away.map((worker) => ({ worker, turn: random.below(1_000) }));
    for (const { worker } of back.sort((left, right) => left.turn - right.turn)) {
      await loop.sleep(random.below(5_000), "swizzle");
      worker.comeBack();
    }
  }

  async #later(ms: number, run: () => void): Promise<void> {
    await this.#world.loop.sleep(ms, "trouble ends");
    run();
  }
}
