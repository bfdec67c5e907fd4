/** Tests that pages name, as `test/file.test.ts > describe > title`, and whether they are there. */
import { existsSync, readFileSync } from "node:fs";

/** A title as the source has it: those of tables keep their `%s` and `$name`. */
interface Title {
  readonly kind: "test" | "describe";
  readonly text: string;
}

/** Everything that a page names in this way, each once. */
export function testsNamedIn(page: string): readonly string[] {
  return [
    ...new Set(Array.from(page.matchAll(/`(test\/[^`]+? > [^`]+)`/g), ([, name = ""]) => name)),
  ];
}

/** @returns what is wrong with the name of a test; undefined when there is such a test */
export function problemOf(name: string): string | undefined {
  const [file = "", ...path] = name.split(" > ");
  if (!existsSync(file)) return `${name}: there is no such file`;
  const titles = titlesIn(readFileSync(file, "utf8"));
  const last = path.length - 1;
  const missing = path.find((text, at) => {
    const kind = at === last ? "test" : "describe";
    return !titles.some((title) => title.kind === kind && title.text === text);
  });
  return missing === undefined ? undefined : `${name}: ${file} has no "${missing}"`;
}

/** Titles of `test`, `it` and `describe`, also behind a table or a condition. */
export function titlesIn(source: string): readonly Title[] {
  return Array.from(source.matchAll(/(?<![\w.])(test|it|describe)((?:\.\w+)*)[(<]/g), (match) => {
    const [whole, word = "", chain = ""] = match;
    let at = match.index + whole.length - 1;
    // Type arguments of a table end where its rows begin.
    if (source[at] === "<") at = source.indexOf(">(", at) + 1;
    if (/\.(each|for|runIf|skipIf)$/.test(chain)) at = behindArguments(source, at);
    const [, , literal] = /^\(\s*(["`])((?:\\.|(?!\1)[^\\])*)\1/s.exec(source.slice(at)) ?? [];
    if (literal === undefined) return [];
    const text = literal.replaceAll(/\\(.)/g, "$1");
    return [{ kind: word === "describe" ? "describe" : "test", text } satisfies Title];
  }).flat();
}

/** @param at where the arguments begin, with their parenthesis */
function behindArguments(source: string, at: number): number {
  const token = /"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/.*|[()]/g;
  token.lastIndex = at;
  for (let depth = 0; ; ) {
    // Ends: at the last parenthesis, or with the source.
    const found = token.exec(source)?.[0];
    if (found === undefined) return source.length;
    if (found === "(") depth += 1;
    if (found === ")") depth -= 1;
    if (depth === 0) return token.lastIndex;
  }
}
