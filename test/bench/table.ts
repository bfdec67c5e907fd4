/** Tables of text, for people and for Markdown, and numbers as people read them. */

/** One column: what it is called and how a row shows it. */
export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
}

/**
 * A Markdown table, padded so that it can be read as it is. The first column is text, the others
 * numbers.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [columns.map(({ title }) => title)];
  for (const row of rows) cells.push(columns.map(({ text }) => text(row)));
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  const lines = cells.map((line) =>
    joined(line.map((cell, at) => pad(cell, widths[at] ?? 0, at === 0))),
  );
  const rule = widths.map((width, at) =>
    at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  lines.splice(1, 0, joined(rule));
  return `${lines.join("\n")}\n`;
}

/** A number with as many digits as it deserves; "–" for one that was not measured. */
export function shown(value: number | undefined, unit = ""): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits }) + unit;
}

/** A share of one, in percent. */
export function percent(share: number | undefined): string {
  return share === undefined ? "–" : `${Math.round(share * 100)} %`;
}

function joined(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function pad(cell: string, width: number, isText: boolean): string {
  return isText ? cell.padEnd(width) : cell.padStart(width);
}
