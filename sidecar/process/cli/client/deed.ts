/** One thing done to several instances: each is reported, and none stops the others. */
import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { EXIT, type ExitCode, ExitError } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import { callFailure, isConnectionFailure, Unfinished } from "./connection.ts";
import type { ClientContext } from "./context.ts";
import { errorStyle, Listing, outputStyle } from "./output.ts";
import { LiveLine, progressBar } from "./progress.ts";
import { type Paint, painted } from "./table.ts";

/** What came of it for one instance. */
export interface Outcome {
  /** One word: `suspended`, `unchanged`. */
  readonly result: string;
  /** More, in words. */
  readonly note?: string;
  /** It is not what was asked for. */
  readonly failed?: boolean;
  /** The answer of the server. */
  readonly json: JsonObject;
}

/** What is done to each instance. */
export interface Deed {
  readonly act: (instanceId: string) => Promise<Outcome>;
  /** A wait for what was done to all of them; its outcome is the one that is reported. */
  readonly settle?: ((instanceId: string) => Promise<Outcome>) | undefined;
}

/** So many calls are under way at one time. */
const actsAtOnce = 8;
const waitsAtOnce = 64;

/**
 * Does it to each of them, and writes one line for each as it is done.
 *
 * @returns 1 when it failed for any of them
 * @throws ConnectError of the only one; Unfinished when the command was interrupted or the
 * connection was lost
 */
export async function doToEach(
  context: ClientContext,
  instanceIds: readonly string[],
  { act, settle }: Deed,
): Promise<ExitCode> {
  const report = new Report(context, instanceIds.length);
  const single = instanceIds.length === 1;
  const settling: string[] = [];
  try {
    await forEachOf(instanceIds, actsAtOnce, async (instanceId) => {
      const outcome = await attempt(context, act, instanceId, single);
      if (settle === undefined || outcome.failed) report.add(instanceId, outcome);
      else settling.push(instanceId);
    });
    if (settle !== undefined) {
      await forEachOf(settling, waitsAtOnce, async (instanceId) => {
        report.add(instanceId, await attempt(context, settle, instanceId, single));
      });
    }
  } catch (error) {
    report.abandon();
    throw single
      ? error
      : new Unfinished(`${report.done} of ${instanceIds.length} were done`, error);
  }
  report.end();
  return report.failed === 0 ? EXIT.ok : EXIT.failure;
}

async function attempt(
  { config, quick }: ClientContext,
  act: (instanceId: string) => Promise<Outcome>,
  instanceId: string,
  single: boolean,
): Promise<Outcome> {
  try {
    return await act(instanceId);
  } catch (error) {
    if (single || quick.signal?.aborted) throw error;
    if (error instanceof ExitError) return failureOf(error.message, "FAILED");
    if (!(error instanceof ConnectError) || isConnectionFailure(error)) throw error;
    return failureOf(callFailure(error, config.address).message, Code[error.code]);
  }
}

function failureOf(message: string, code: string): Outcome {
  return { result: "failed", note: message, failed: true, json: { error: { code, message } } };
}

/** Begins with the first ones; so many are under way at one time. Rejects with the first failure. */
async function forEachOf(
  instanceIds: readonly string[],
  atOnce: number,
  work: (instanceId: string) => Promise<void>,
): Promise<void> {
  const left = instanceIds.values();
  let failed = false;
  const workers = Array.from({ length: Math.min(atOnce, instanceIds.length) }, async () => {
    for (const instanceId of left) {
      if (failed) return;
      try {
        await work(instanceId);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  });
  await Promise.all(workers);
}

const resultWidth = 12;

interface ReportedOutcome {
  readonly instanceId: string;
  readonly outcome: Outcome;
}

/** One line for each instance, and on a terminal how many there are still to come. */
class Report {
  done = 0;
  failed = 0;
  readonly #context: ClientContext;
  readonly #total: number;
  readonly #listing: Listing<ReportedOutcome>;
  readonly #bar: LiveLine | undefined;

  constructor(context: ClientContext, total: number) {
    this.#context = context;
    this.#total = total;
    this.#listing = new Listing(context, {
      json: ({ instanceId, outcome: { result, json } }) => ({ instanceId, result, ...json }),
      columns: [],
    });
    const { err, terminal } = context.surroundings;
    this.#bar = terminal.isErrors && total > 1 ? new LiveLine(err) : undefined;
    this.#draw();
  }

  add(instanceId: string, outcome: Outcome): void {
    this.done += 1;
    if (outcome.failed) this.failed += 1;
    this.#bar?.erase();
    if (this.#context.config.output === "table") this.#writeLine(instanceId, outcome);
    else this.#listing.add({ instanceId, outcome });
    this.#draw();
  }

  end(): void {
    this.#bar?.erase();
    if (this.#context.config.output !== "table") this.#listing.end();
  }

  /** The end of what cannot be brought to its end. */
  abandon(): void {
    this.#bar?.erase();
  }

  #writeLine(instanceId: string, { result, note, failed }: Outcome): void {
    const { colours } = outputStyle(this.#context);
    const paint: Paint = failed ? "red" : "green";
    const word = painted(result.padEnd(resultWidth), paint, colours);
    const more = note === undefined || note === "" ? "" : `  ${escapeControls(note)}`;
    this.#context.surroundings.out(`${word}  ${escapeControls(instanceId)}${more}\n`);
  }

  #draw(): void {
    const bar = progressBar(this.#total === 0 ? 1 : this.done / this.#total);
    const failures = this.failed === 0 ? "" : `, ${this.failed} failed`;
    const text = `${bar}  ${this.done} of ${this.#total}${failures}`;
    this.#bar?.draw(text, errorStyle(this.#context).width ?? 80);
  }
}
