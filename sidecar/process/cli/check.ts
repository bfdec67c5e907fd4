import { resolve } from "node:path";
import { checkDirectory, rebuildIndexes } from "../../store/level/integrity-check.ts";
import type { CheckFigures, Problem } from "../../store/ordered/check-findings.ts";
import { EXIT, type ExitCode, ExitError } from "../exit-codes.ts";
import { escapeControls } from "../safe-text.ts";
import type { ProgramSurroundings } from "./surroundings.ts";

/** What `taskhub check` was asked for. */
export interface CheckRequest {
  /** The data directory; absolute. */
  readonly directory: string;
  readonly copyTo: string | undefined;
  readonly rebuildIndexes: boolean;
}

/** Lines of problems; more are only counted. */
const LINES_MAX = 100;

/**
 * Checks a data directory, and says what it finds.
 *
 * @throws ExitError 74 when there are problems; HubError when it cannot be checked
 */
export async function check(
  { directory, copyTo, rebuildIndexes: isToRebuild }: CheckRequest,
  surroundings: ProgramSurroundings,
): Promise<ExitCode> {
  const { out, workingDirectory } = surroundings;
  const place = copyTo === undefined ? {} : { copyTo: resolve(workingDirectory, copyTo) };
  const look = async () => {
    const problems = new ProblemLines(out);
    const figures = await checkDirectory({
      directory,
      ...place,
      ...tellers(problems, surroundings),
    });
    problems.end();
    out(summaryOf(figures));
    return figures;
  };
  const found = await look();
  if (!isToRebuild) return verdictOf(found);
  if (found.damage > 0) {
    const message = "indexes were not rebuilt: what is damaged or missing only a backup has";
    throw new ExitError(EXIT.storeDistrusted, message);
  }
  out("rebuilding indexes\n");
  const quiet = { ...tellers(undefined, surroundings) };
  const { indexProblems } = await rebuildIndexes({ directory, ...quiet });
  out(`rows put right: ${indexProblems}\n`);
  return verdictOf(await look());
}

function verdictOf({ damage, indexProblems }: CheckFigures): ExitCode {
  if (damage + indexProblems === 0) return EXIT.ok;
  const whatToDo =
    damage > 0 ? "restore a backup" : "taskhub check --rebuild-indexes puts the indexes right";
  const message = `${damage} of damage and ${indexProblems} of indexes: ${whatToDo}`;
  throw new ExitError(EXIT.storeDistrusted, `problems were found, ${message}`);
}

function tellers(problems: ProblemLines | undefined, { err, terminal }: ProgramSurroundings) {
  return {
    onProblem: (problem: Problem) => problems?.tell(problem),
    onProgress: (logs: number) => {
      if (terminal.isErrors) err(`${logs} logs looked at\n`);
    },
  };
}

/** One line a problem, as long as somebody may read them. */
class ProblemLines {
  readonly #out: (text: string) => void;
  #count = 0;

  constructor(out: (text: string) => void) {
    this.#out = out;
  }

  tell({ kind, what }: Problem): void {
    this.#count += 1;
    if (this.#count <= LINES_MAX) this.#out(`${kind}: ${escapeControls(what)}\n`);
  }

  end(): void {
    if (this.#count > LINES_MAX) this.#out(`... and ${this.#count - LINES_MAX} more problems\n`);
  }
}

function summaryOf(figures: CheckFigures): string {
  const { hubs, instances, entries, indexRows, snapshots, groups } = figures;
  const { dying, setAside, garbageRows, damage, indexProblems } = figures;
  return (
    `looked at: ${hubs} task hubs, ${instances} instances, ${entries} log entries, ` +
    `${indexRows} index rows, ${snapshots} snapshots, ${groups} commit groups\n` +
    `on its way out: ${dying} logs, ${setAside} rows or instances of hubs, ${garbageRows} garbage rows\n` +
    `problems: ${damage} of damage, ${indexProblems} of indexes\n`
  );
}
