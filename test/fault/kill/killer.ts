/** Kills at random, on one data directory, so that damage would accumulate. */
import type { SidecarEnded, SidecarOptions } from "../../support/sidecar-process.ts";
import type { FaultBench } from "../shim/shim.ts";
import type { Ledger } from "./ledger.ts";
import { drawPoint } from "./points.ts";
import type { Random } from "./random.ts";
import type { Victim } from "./victim.ts";

/** A point that the load does not come to is given up behind so many acknowledgements. */
const PATIENCE_LINES = 60;

interface KillerOptions {
  readonly bench: FaultBench;
  readonly random: Random;
  readonly data: string;
}

/** Ends lives of a sidecar: from outside, and at points in the work of its disk. */
export class Killer {
  kills = 0;
  killsWhileStarting = 0;
  readonly #options: KillerOptions;
  /** Whether the next start has a point in which it dies. */
  #diesWhileRising = false;

  constructor(options: KillerOptions) {
    this.#options = options;
  }

  /** @see NextLife */
  async nextLife(failed: SidecarEnded | undefined): Promise<SidecarOptions> {
    const { bench, random, data } = this.#options;
    if (failed !== undefined) {
      if (failed.end !== "SIGKILL") throw failed;
      this.kills += 1;
      this.killsWhileStarting += 1;
    }
    const dies = this.#diesWhileRising && (failed === undefined || random.between(0, 2) === 0);
    this.#diesWhileRising = false;
    await bench.setRules(dies ? [drawPoint(random, "while rising")] : []);
    return bench.sidecarOn(data);
  }

  /**
   * The moments are numbers of acknowledgements: what is under way then matters, not the time.
   * Ends before so many kills when the load is over, with one behind which nothing kills.
   */
  async killAgainAndAgain(
    victim: Victim,
    ledger: Ledger,
    kills: number,
    over?: Promise<void>,
  ): Promise<void> {
    const { bench, random } = this.#options;
    let isOver = false;
    void over?.then(() => {
      isOver = true;
    });
    const ends = over === undefined ? [] : [over];
    while (this.kills < kills && !isOver) {
      if (bench.hasShim && random.between(0, 1) === 0) {
        await bench.setRules([drawPoint(random, "under load")]);
        await Promise.race([victim.died, ledger.grownBy(PATIENCE_LINES), ...ends]);
      } else {
        // Some come at once, while the sidecar recovers from the one before.
        const more = random.oneOf([0, 1, 1, 1]) * random.between(1, 40);
        await Promise.race([victim.died, ledger.grownBy(more), ...ends]);
      }
      this.#diesWhileRising = bench.hasShim && random.between(0, 1) === 0;
      await this.#kill(victim);
    }
    // The last life may have a point left that it comes to later, when nobody starts it again.
    this.#diesWhileRising = false;
    await this.#kill(victim);
  }

  async #kill(victim: Victim): Promise<void> {
    await victim.kill();
    this.kills += 1;
  }
}
