/** Tables for people: aligned everywhere, fitted and coloured only on a terminal. */
import { styleText } from "node:util";
import { escapeControls } from "../../safe-text.ts";

export type Paint = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** What stands in one place. Text may be anybody's; it is made safe here. */
export interface Cell {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

export interface Column<Item> {
  readonly title: string;
  readonly cell: (item: Item) => Cell | string;
  /** It is shortened last: people copy it. */
  readonly whole?: boolean;
}

/** How a table is shown. */
export interface TableStyle {
  /** Columns that it has to fit into; undefined: as wide as it is. */
  readonly width: number | undefined;
  readonly colours: boolean;
}

const gap = "  ";
const narrowest = 8;

/**
 * Rows come in pages of any size, and each page is written as it comes: a column may become wider
 * from page to page, and never narrower.
 */
export class TableWriter<Item> {
  readonly #columns: readonly Column<Item>[];
  readonly #widths: number[];
  #titled = false;

  constructor(columns: readonly Column<Item>[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** The lines of these items, and the titles above the first of them. */
  lines(items: readonly Item[], style: TableStyle): string {
    const rows = items.map((item) => this.#columns.map(({ cell }) => safe(cell(item))));
    for (const row of rows) {
      for (const [at, { text }] of row.entries()) {
        this.#widths[at] = Math.max(this.#widths[at] ?? 0, displayWidth(text));
      }
    }
    const widths = fitted(this.#columns, this.#widths, style.width);
    const titles = this.#columns.map(({ title }): Cell => ({ text: title, paint: "bold" }));
    const shown = this.#titled || rows.length === 0 ? rows : [titles, ...rows];
    if (rows.length > 0) this.#titled = true;
    return shown.map((row) => `${line(row, widths, style)}\n`).join("");
  }
}

/** `name: value` lines, aligned. Empty values are left out; none is cut off. */
export function fieldLines(
  fields: readonly (readonly [string, Cell | string])[],
  style: TableStyle,
): string {
  const shown = fields
    .map(([name, value]): [string, Cell] => [name, safe(value)])
    .filter(([, { text }]) => text !== "");
  const nameWidth = Math.max(0, ...shown.map(([name]) => name.length + 1));
  return shown
    .map(([name, { text, paint }]) => {
      const label = painted(`${name}:`.padEnd(nameWidth), "dim", style.colours);
      return `${label}${gap}${painted(text, paint, style.colours)}\n`;
    })
    .join("");
}

/** Colours, where they are wanted. */
export function painted(text: string, paint: Paint | undefined, colours: boolean): string {
  if (paint === undefined || !colours || text === "") return text;
  return styleText(paint, text, { validateStream: false });
}

/** The text in at most so many columns, with `…` for what is left out. */
export function truncated(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let shown = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = graphemeWidth(segment);
    if (used + next > width - 1) break;
    shown += segment;
    used += next;
  }
  return `${shown}…`;
}

/** How many columns a terminal needs for it. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60\u3000-\u303e]/u;

function graphemeWidth(grapheme: string): number {
  if (wide.test(grapheme)) return 2;
  return /^\p{Mark}|^\u200b/u.test(grapheme) ? 0 : 1;
}

function safe(cell: Cell | string): Cell {
  if (typeof cell === "string") return { text: escapeControls(cell) };
  return { text: escapeControls(cell.text), paint: cell.paint };
}

function line(row: readonly Cell[], widths: readonly number[], style: TableStyle): string {
  const last = row.length - 1;
  const cells = row.map(({ text, paint }, at) => {
    const shown = truncated(text, widths[at] ?? 0);
    const padding = at === last ? 0 : (widths[at] ?? 0) - displayWidth(shown);
    return painted(shown, paint, style.colours) + " ".repeat(padding);
  });
  return cells.join(gap).trimEnd();
}

/** Takes from the widest columns until the line fits, from those that people copy last. */
function fitted<Item>(
  columns: readonly Column<Item>[],
  natural: readonly number[],
  width: number | undefined,
): readonly number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  const excess = () => widths.reduce((sum, each) => sum + each + gap.length, -gap.length) - width;
  for (const whole of [false, true]) {
    const candidates = columns.flatMap((column, at) =>
      (column.whole ?? false) === whole ? [at] : [],
    );
    // Ends: each round makes a column narrower by at least one.
    while (excess() > 0) {
      const widest = candidates.reduce(
        (best, at) => ((widths[at] ?? 0) > (widths[best] ?? -1) ? at : best),
        -1,
      );
      if ((widths[widest] ?? 0) <= narrowest) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  }
  return widths;
}
