/** The lives of a sidecar between power cuts: each begins on an image of what one before has left. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SidecarEnded, SidecarOptions } from "../../support/sidecar-process.ts";
import type { Random } from "../kill/random.ts";
import type { FaultBench } from "../shim/shim.ts";
import { parseTrace } from "../shim/trace.ts";
import { type CrashFacts, makeCrashImage, sizesIn } from "./crash-image.ts";

/** The exit code for a store that cannot be trusted. */
const DISTRUSTED = 74;

interface Life {
  readonly directory: string;
  /** How long each file was when it began. */
  readonly baseline: ReadonlyMap<bigint, number>;
  /** There were zeros in one of its logs when it began. */
  readonly hasZeros: boolean;
}

export class PowerCuts {
  readonly images: CrashFacts[] = [];
  /**
   * Images with zeros in a log that were refused, which is right when LevelDB dropped something, and
   * served once the loss was accepted that the refusal had told.
   */
  refused = 0;
  readonly #directory: string;
  readonly #bench: FaultBench;
  readonly #random: Random;
  #life: Life | undefined;

  /** All lives are in folders of the directory. */
  constructor(directory: string, bench: FaultBench, random: Random) {
    this.#directory = directory;
    this.#bench = bench;
    this.#random = random;
  }

  /** @see NextLife */
  async nextLife(failed: SidecarEnded | undefined): Promise<SidecarOptions> {
    if (this.#life === undefined) {
      this.#life = {
        directory: join(this.#directory, "life-0"),
        baseline: new Map(),
        hasZeros: false,
      };
      return this.#bench.sidecarOn(this.#life.directory);
    }
    if (failed !== undefined) {
      const { directory } = this.#life;
      const dropped = await this.#judge(failed, directory);
      return { ...this.#bench.sidecarOn(directory), args: ["--accept-dropped-tail", dropped] };
    }
    this.#life = await this.#cutPower(this.#life);
    return this.#bench.sidecarOn(this.#life.directory);
  }

  async #cutPower({ directory: crashed, baseline }: Life): Promise<Life> {
    const directory = join(this.#directory, `life-${this.images.length + 1}`);
    this.images.push(
      await makeCrashImage({
        crashed,
        image: directory,
        trace: parseTrace(await this.#bench.trace()),
        trash: this.#bench.trash,
        baseline,
        random: this.#random,
      }),
    );
    await rm(crashed, { recursive: true });
    await rm(this.#bench.trash, { recursive: true });
    await mkdir(this.#bench.trash);
    await this.#bench.setRules([]);
    await this.#bench.emptyTrace();
    return { directory, baseline: await sizesIn(directory), hasZeros: this.#hasZeros(directory) };
  }

  /**
   * @returns what the refusal names as dropped
   * @throws what has failed, unless the image was one that may be refused
   */
  async #judge(failed: SidecarEnded, directory: string): Promise<string> {
    const diary = await readFile(join(directory, "db", "LOG"), "utf8").catch(() => "");
    const isDamaged = this.#life?.hasZeros === true && diary.includes("dropping");
    const [, dropped] = /--accept-dropped-tail (\d+)/.exec(failed.stderr) ?? [];
    if (failed.end !== DISTRUSTED || !isDamaged || dropped === undefined) throw failed;
    this.refused += 1;
    return dropped;
  }

  /**
   * Also of an image before: a log that was read and deleted is there again when its deletion, and
   * whatever had replaced it, was not durable.
   */
  #hasZeros(directory: string): boolean {
    const zeroed = this.images.flatMap(({ zeroedFiles }) => zeroedFiles);
    return zeroed.some((name) => name.endsWith(".log") && existsSync(join(directory, name)));
  }
}
