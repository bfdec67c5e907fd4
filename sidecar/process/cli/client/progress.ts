/** Progress: of instances, as their custom status tells it, and of our own long work. */

import { escapeControls } from "../../safe-text.ts";
import { truncated } from "./table.ts";

/** What a custom status says about progress. */
export interface Progress {
  /** From 0 to 1; undefined when it does not say. */
  readonly fraction: number | undefined;
  /** In words; may be empty. */
  readonly text: string;
}

/**
 * Reads progress from a custom status: `{"percent": 40}`, `{"progress": 0.4}`, `{"done": 4,
 * "total": 10}`, the same inside `progress`, and beside it a text under `message`, `text`,
 * `phase`, `step` or `stage`. Whatever else it is, it is its own text.
 */
export function progressOf(customStatus: string | undefined): Progress {
  const value = parsedJson(customStatus ?? "");
  if (typeof value === "string") return { fraction: undefined, text: value };
  if (!isObject(value)) return { fraction: undefined, text: customStatus ?? "" };
  const inner = isObject(value.progress) ? value.progress : {};
  const fraction = fractionIn(value) ?? fractionIn(inner);
  const words = textIn(value) ?? textIn(inner);
  if (fraction === undefined) return { fraction, text: words ?? customStatus ?? "" };
  const counted = countedIn(value) ?? countedIn(inner);
  const text = [counted, words].filter((part) => part !== undefined).join(" ");
  return { fraction, text };
}

type JsonRecord = Readonly<Record<string, unknown>>;

function fractionIn(record: JsonRecord): number | undefined {
  const { percent, progress } = record;
  if (isNumber(percent)) return bounded(percent / 100);
  // Some count to 1 and some to 100.
  if (isNumber(progress)) return bounded(progress <= 1 ? progress : progress / 100);
  const { done, total } = record;
  if (isNumber(done) && isNumber(total) && total > 0) return bounded(done / total);
  return undefined;
}

function countedIn({ done, total }: JsonRecord): string | undefined {
  return isNumber(done) && isNumber(total) && total > 0 ? `${done}/${total}` : undefined;
}

function textIn(record: JsonRecord): string | undefined {
  for (const key of ["message", "text", "phase", "step", "stage"]) {
    const text = record[key];
    if (typeof text === "string" && text !== "") return text;
  }
  return undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function bounded(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}

const barWidth = 20;

/** `[########------------]  40%`. */
export function progressBar(fraction: number): string {
  const filled = Math.round(fraction * barWidth);
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}] ${percent}`;
}

/** Back to the beginning of the line, and away with what stands there. */
const eraseLine = "\r\u001b[2K";

/** One line on a terminal that is drawn again and again, until other text has to be written. */
export class LiveLine {
  readonly #write: (text: string) => void;
  #drawn = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** @param text anybody's; longer than the line it would leave its beginning behind */
  draw(text: string, width: number): void {
    const shown = truncated(escapeControls(text), width - 1);
    this.#write(`${eraseLine}${shown}`);
    this.#drawn = true;
  }

  /** Takes it away, so that other text can be written. */
  erase(): void {
    if (this.#drawn) this.#write(eraseLine);
    this.#drawn = false;
  }

  /** Leaves it where it is, and goes on below. */
  keep(): void {
    if (this.#drawn) this.#write("\n");
    this.#drawn = false;
  }
}
