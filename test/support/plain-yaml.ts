/**
 * Reads the plain part of YAML that our own files keep to: maps and lists by indentation of two
 * spaces, and scalars that are plain or in single quotes. Everything else is an error, so that what
 * passes is YAML to every reader.
 */
export type Yaml = string | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly number: number;
}

/** @throws with the number of the line */
export function parsePlainYaml(text: string): Yaml {
  const lines = text
    .split("\n")
    .map((line, index) => lineOf(line, index + 1))
    .filter((line) => line.text !== "" && !line.text.startsWith("#"));
  const reader = new Reader(lines);
  const value = reader.block(0);
  reader.expectEnd();
  return value;
}

class Reader {
  readonly #lines: Line[];

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  block(indent: number): Yaml {
    const first = this.#lines[0];
    if (first?.indent !== indent) throw wrong(first, `nothing stands at indentation ${indent}`);
    return first.text.startsWith("- ") ? this.#list(indent) : this.#map(indent);
  }

  expectEnd(): void {
    if (this.#lines[0] !== undefined) throw wrong(this.#lines[0], "does not belong anywhere");
  }

  #list(indent: number): Yaml {
    const items: Yaml[] = [];
    for (let line = this.#lines[0]; line?.indent === indent; line = this.#lines[0]) {
      if (!line.text.startsWith("- ")) throw wrong(line, "is no item of the list");
      // The item is a map whose first line stands behind the dash.
      this.#lines[0] = { ...line, indent: indent + 2, text: line.text.slice(2) };
      items.push(this.#map(indent + 2));
    }
    return items;
  }

  #map(indent: number): Yaml {
    const entries: Record<string, Yaml> = {};
    for (let line = this.#lines[0]; line?.indent === indent; line = this.#lines[0]) {
      const [, key, value = ""] = /^([A-Za-z_]+):(?: (.+))?$/.exec(line.text) ?? [];
      if (key === undefined) throw wrong(line, "is not `key: value`");
      if (key in entries) throw wrong(line, "says the same key again");
      this.#lines.shift();
      entries[key] = value === "" ? this.block(indent + 2) : scalar(value, line);
    }
    return entries;
  }
}

function lineOf(line: string, number: number): Line {
  const text = line.trim();
  if (line.includes("\t")) throw wrong({ indent: 0, text, number }, "has a tab");
  return { indent: line.length - line.trimStart().length, text, number };
}

function scalar(text: string, line: Line): string {
  if (/^'(?:[^']|'')*'$/.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (/^[A-Za-z0-9][\w.-]*$/.test(text)) return text;
  throw wrong(line, "is neither a plain word nor in single quotes");
}

function wrong(line: Line | undefined, why: string): Error {
  return new Error(`line ${line?.number ?? "at the end"} ${why}: ${line?.text ?? ""}`);
}
