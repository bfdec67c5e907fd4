/** The lives of a sidecar whose disk fails now and then. Each ends with a power cut. */
import type { LogLine, SidecarEnded, SidecarOptions } from "../../support/sidecar-process.ts";
import type { Ledger } from "../kill/ledger.ts";
import type { Random } from "../kill/random.ts";
import type { Victim } from "../kill/victim.ts";
import { PowerCuts } from "../power/power-cuts.ts";
import type { FaultBench, FaultRule } from "../shim/shim.ts";
import { parseTrace, type Trace } from "../shim/trace.ts";

/** What a call of these rigs may come back with on a disk without faults. */
const ROUTINE: ReadonlySet<string> = new Set(["OK", "ALREADY_EXISTS", "CANCELLED"]);

/** The exit code for a store that cannot be trusted. */
const DISTRUSTED = 74;

/**
 * Acknowledgements until the next fault or power cut. Behind a few, what reopening has changed may be
 * undone yet; behind many, tables were written and compacted meanwhile.
 */
const windows = [6, 12, 20, 50] as const;

type Fault = Pick<FaultRule, "call" | "when" | "first" | "pattern">;

export class FailingLives {
  readonly figures = {
    faults: 0,
    reopenings: 0,
    lives: 0,
    /** Lives that ended with 74 behind one fault or more. */
    livesEndedByFaults: 0,
    startsEndedByFaults: 0,
    /** In lives that faults did not end. */
    calls: 0,
    /** Those of them that did not come back with what they were for. */
    callsRefused: 0,
    /** Images that missed what was never acknowledged, and served once that was accepted. */
    imagesAcceptedAfterARefusal: 0,
  };
  readonly #bench: FaultBench;
  readonly #random: Random;
  readonly #cuts: PowerCuts;

  constructor(directory: string, bench: FaultBench, random: Random) {
    this.#bench = bench;
    this.#random = random;
    this.#cuts = new PowerCuts(directory, bench, random.fork(-1));
  }

  /** @see NextLife */
  async nextLife(failed: SidecarEnded | undefined): Promise<SidecarOptions> {
    const trace = parseTrace(await this.#bench.trace());
    // A start that a fault has ended is a life like others; a refusal of an image is not one.
    const isByFault = failed !== undefined && trace.faults.length > 0;
    if (failed !== undefined && !isByFault) {
      const options = await this.#cuts.nextLife(failed);
      this.figures.imagesAcceptedAfterARefusal = this.#cuts.refused;
      return options;
    }
    this.figures.faults += trace.faults.length;
    this.figures.reopenings += Math.max(0, openingsIn(trace) - 1);
    this.figures.startsEndedByFaults += isByFault ? 1 : 0;
    this.figures.lives += 1;
    const options = await this.#cuts.nextLife(undefined);
    // An image that may be refused has one reason for it.
    const isWhole = this.#cuts.images.at(-1)?.zeroedRanges === 0;
    if (!isByFault && isWhole && this.#random.between(0, 2) === 0) {
      await this.#bench.setRules([{ action: "eio", ...whileRising(this.#random) }]);
    }
    return options;
  }

  async failAgainAndAgain(victim: Victim, ledger: Ledger, faults: number): Promise<void> {
    while (this.figures.faults < faults) {
      const inThisLife = this.#random.oneOf([1, 1, 2]);
      let end: unknown;
      for (let i = 0; i < inThisLife && end === undefined; i += 1) {
        await this.#bench.setRules([{ action: "eio", ...underLoad(this.#random) }]);
        // That the ledger grows behind the fault is what "goes on" means.
        end = await Promise.race([victim.died, ledger.grownBy(this.#random.oneOf(windows))]);
      }
      if (end === undefined) end = await this.#countRefusals(victim);
      const { faults: seen } = parseTrace(await this.#bench.trace());
      if (end !== undefined) {
        if (end !== DISTRUSTED || seen.length === 0) throw new Error(`it ended with ${end}`);
        this.figures.livesEndedByFaults += 1;
      }
      await victim.kill();
    }
  }

  /**
   * Nobody but the sidecar knows all of its answers: clients and workers of SDKs ask again by
   * themselves.
   *
   * @returns how it ended, if it did meanwhile
   */
  async #countRefusals({ port, died }: Victim): Promise<unknown> {
    const asked = fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text());
    const page = await asked.catch(() => undefined);
    if (page === undefined) return died;
    const calls = page.matchAll(/^taskhub_rpc_calls_total\{.*code="(\w+)".*\} (\d+)$/gm);
    for (const [line, code = "", times] of calls) {
      this.figures.calls += Number(times);
      if (ROUTINE.has(code)) continue;
      console.log(`T-FSYNC: ${line}`);
      this.figures.callsRefused += Number(times);
    }
    return undefined;
  }

  /** What the sidecar says of faults. */
  isExpected(line: unknown): boolean {
    const { event, error } = line as LogLine;
    // A call that reads while the store cannot be opened again hears of it before the process ends.
    const isOfEnd = event === "sidecar.failed" || event === "call.failed";
    const { code } = (error ?? {}) as { readonly code?: unknown };
    return (isOfEnd && code === "store-distrusted") || event.startsWith("store.");
  }
}

function underLoad(random: Random): Fault {
  const when = random.oneOf<FaultRule["when"]>(["before", "after"]);
  return random.oneOf<Fault>([
    // A commit is not durable; or it is, and the sidecar is told that it is not.
    { call: "sync", when: "before", first: random.between(1, 8), pattern: "*.log" },
    { call: "sync", when: "before", first: random.between(1, 8), pattern: "*.log" },
    { call: "sync", when: "after", first: random.between(1, 8), pattern: "*.log" },
    { call: "create", when: "before", first: 1, pattern: "*.log" },
    { call: "create", when: "before", first: 1, pattern: "*.ldb" },
    { call: "sync", when, first: 1, pattern: "*.ldb" },
    { call: "sync", when, first: 1, pattern: "*MANIFEST-*" },
    { call: "sync", when, first: 1, pattern: "db/" },
  ]);
}

function whileRising(random: Random): Fault {
  const when = random.oneOf<FaultRule["when"]>(["before", "after"]);
  return random.oneOf<Fault>([
    { call: "open", when: "before", first: random.between(1, 12), pattern: "*" },
    { call: "create", when: "before", first: random.between(1, 4), pattern: "*" },
    { call: "sync", when, first: random.between(1, 6), pattern: "*" },
    // A rename has happened or has failed, never both.
    { call: "rename", when: "before", first: random.between(1, 2), pattern: "*" },
  ]);
}

/** LevelDB puts its diary aside whenever it opens. */
function openingsIn({ nameChanges }: Trace): number {
  return nameChanges.filter(({ path }) => path.endsWith("/LOG.old")).length;
}
