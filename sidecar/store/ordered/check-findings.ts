/** What a check finds: problems in words, with what would put them right, and figures. */
import type { Write } from "./bytes.ts";

/** What is wrong, by what can be done about it. */
export type ProblemKind =
  /** Something that happened is missing or damaged: only a backup has it. */
  | "damage"
  /** A row does not follow from the logs: it can be written anew from them. */
  | "index";

export interface Problem {
  readonly kind: ProblemKind;
  /** One line. */
  readonly what: string;
  /** Makes the indexes say what the logs say; nothing of a log is ever among it. */
  readonly fix: readonly Write[];
}

/** How much was looked at. */
export interface CheckFigures {
  groups: number;
  hubs: number;
  instances: number;
  /** Lives that are over, and generations, that are on their way out. */
  dying: number;
  entries: number;
  snapshots: number;
  indexRows: number;
  /** Rows of hubs that are being deleted or imported, which nobody reads. */
  setAside: number;
  garbageRows: number;
  damage: number;
  indexProblems: number;
}

export interface CheckOptions {
  /** Called for each problem; the check goes on when it resolves. */
  readonly onProblem: (problem: Problem) => void | Promise<void>;
  /** Told now and then how many logs were looked at. */
  readonly onProgress?: (logs: number) => void;
  /**
   * The fixes of all problems so far are durable when this resolves. Without it nothing is written.
   */
  readonly fixed?: () => Promise<void>;
}

export class Findings {
  readonly figures: CheckFigures = {
    groups: 0,
    hubs: 0,
    instances: 0,
    dying: 0,
    entries: 0,
    snapshots: 0,
    indexRows: 0,
    setAside: 0,
    garbageRows: 0,
    damage: 0,
    indexProblems: 0,
  };
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  /** Whether problems of indexes are put right as they are found. */
  get areFixed(): boolean {
    return this.#options.fixed !== undefined;
  }

  async fixed(): Promise<void> {
    await this.#options.fixed?.();
  }

  progress(logs: number): void {
    this.#options.onProgress?.(logs);
  }

  async damage(what: string): Promise<void> {
    this.figures.damage += 1;
    await this.#options.onProblem({ kind: "damage", what, fix: [] });
  }

  async index(what: string, ...fix: readonly Write[]): Promise<void> {
    this.figures.indexProblems += 1;
    await this.#options.onProblem({ kind: "index", what, fix });
  }
}

/** The words of an error, for a line. */
export function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^stored data is damaged: /, "");
}

/** A text that somebody else has chosen, for a line. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
