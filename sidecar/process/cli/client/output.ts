/** Answers in the format that was asked for. */
import type { JsonValue } from "@bufbuild/protobuf";
import { escapeJsonControls } from "../../safe-text.ts";
import type { ClientContext } from "./context.ts";
import { type Column, type TableStyle, TableWriter } from "./table.ts";

/** How many rows are aligned with each other before they are written. */
const rowsTogether = 1_000;

/** How tables look where standard output goes to. */
export function outputStyle({ config, surroundings: { terminal } }: ClientContext): TableStyle {
  if (!terminal.isOutput) return { width: undefined, colours: false };
  return { width: terminal.columns(), colours: config.colours };
}

/** How they look on standard error. */
export function errorStyle({ config, surroundings: { terminal } }: ClientContext): TableStyle {
  if (!terminal.isErrors) return { width: undefined, colours: false };
  return { width: terminal.columns(), colours: config.colours };
}

/** What a list shows of each item. */
export interface ListingOptions<Item> {
  readonly json: (item: Item) => JsonValue;
  readonly columns: readonly Column<Item>[];
}

/**
 * A list that is written as it comes: a JSON array, JSON lines, or a table. Memory does not grow
 * with its length.
 */
export class Listing<Item> {
  readonly #context: ClientContext;
  readonly #json: (item: Item) => JsonValue;
  readonly #table: TableWriter<Item>;
  #rows: Item[] = [];
  #count = 0;

  constructor(context: ClientContext, { json, columns }: ListingOptions<Item>) {
    this.#context = context;
    this.#json = json;
    this.#table = new TableWriter(columns);
  }

  add(item: Item): void {
    const { out } = this.#context.surroundings;
    const first = this.#count === 0;
    this.#count += 1;
    switch (this.#context.config.output) {
      case "json":
        out(`${first ? "[\n" : ",\n"}${jsonText(this.#json(item), 2)}`);
        return;
      case "jsonl":
        out(`${jsonText(this.#json(item))}\n`);
        return;
      case "table":
        this.#rows.push(item);
        if (this.#rows.length >= rowsTogether) this.flush();
    }
  }

  /** Writes rows that wait for others to be aligned with. */
  flush(): void {
    const rows = this.#rows;
    this.#rows = [];
    const lines = this.#table.lines(rows, outputStyle(this.#context));
    if (lines !== "") this.#context.surroundings.out(lines);
  }

  /** Nothing is added after this. */
  end(): void {
    const { out } = this.#context.surroundings;
    const { output } = this.#context.config;
    if (output === "json") out(this.#count === 0 ? "[]\n" : "\n]\n");
    if (output !== "table") return;
    this.flush();
    if (this.#count === 0) out("(none)\n");
  }
}

/** One document, or for people what `text` gives. */
export function printDocument(
  { config, surroundings: { out } }: ClientContext,
  json: JsonValue,
  text: () => string,
): void {
  switch (config.output) {
    case "json":
      out(`${jsonText(json, 2)}\n`);
      return;
    case "jsonl":
      out(`${jsonText(json)}\n`);
      return;
    case "table":
      out(text());
  }
}

/** JSON that a terminal obeys as little as a table. */
export function jsonText(json: JsonValue, indent?: number): string {
  return escapeJsonControls(JSON.stringify(json, undefined, indent));
}
