/** Tests that pages name, as `test/file.test.ts > describe > title`, and whether they are there. */
import { existsSync, readFileSync } from "node:fs";
import { parseAst } from "vitest/node";

/** Everything that a page names in this way, each once. */
export function testsNamedIn(page: string): readonly string[] {
  return [
    ...new Set(Array.from(page.matchAll(/`(test\/[^`]+? > [^`]+)`/g), ([, name = ""]) => name)),
  ];
}

/** @returns what is wrong with the name of a test; undefined when there is such a test, and it runs */
export function problemOf(name: string): string | undefined {
  const [file = "", ...path] = name.split(" > ");
  if (!existsSync(file)) return `${name}: there is no such file`;
  const title = path.join(" > ");
  return titlesIn(readFileSync(file, "utf8")).includes(title)
    ? undefined
    : `${name}: ${file} has no "${title}" that runs and has to pass`;
}

/**
 * Titles of the tests that run and have to pass, each behind those of its groups, as the source has
 * them: those of tables keep their `%s` and `$name`. What is skipped, planned, or expected to fail is
 * none; the same goes for what is in a group of that kind.
 */
export function titlesIn(source: string): readonly string[] {
  const titles: string[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, path);
    if (!isNode(value)) return;
    const call = testCallOf(value, source);
    if (call === undefined) {
      for (const part of Object.values(value)) visit(part, path);
    } else if (call.hasToPass) {
      if (call.isGroup) visit(value.arguments, [...path, call.title]);
      else titles.push([...path, call.title].join(" > "));
    }
  };
  visit(parseAst(source, { lang: "ts" }), []);
  return titles;
}

/** A node of the syntax tree, as ESTree has it. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

interface TestCall {
  readonly title: string;
  readonly isGroup: boolean;
  readonly hasToPass: boolean;
}

/** What `test.each(rows)("title", …)` and its like make; undefined for anything else. */
function testCallOf(node: Node, source: string): TestCall | undefined {
  if (node.type !== "CallExpression") return undefined;
  const [first, ...others] = nodesIn(node.arguments);
  const title = first === undefined ? undefined : textOf(first, source);
  const chain = chainOf(node.callee);
  const [root = "", ...words] = chain?.words ?? [];
  if (title === undefined || chain === undefined) return undefined;
  if (!["test", "it", "describe"].includes(root)) return undefined;
  const hasBody = others.length > 0;
  const isSpared = words.some((word) => sparing.has(word)) || others.some(spares);
  const hasToPass = hasBody && !isSpared && !chain.isNever;
  return { title, isGroup: root === "describe", hasToPass };
}

/** Ways to make a test that cannot turn anything red, behind a dot or among its options. */
const sparing: ReadonlySet<string> = new Set(["skip", "todo", "fails"]);

function spares(options: Node): boolean {
  if (options.type !== "ObjectExpression") return false;
  return nodesIn(options.properties).some(({ key, value }) => {
    const isOff = isNode(value) && value.type === "Literal" && value.value === false;
    return sparing.has(nameOf(key)) && !isOff;
  });
}

interface Chain {
  readonly words: readonly string[];
  /** No rows, or a condition that is a constant. */
  readonly isNever: boolean;
}

/** `test.concurrent.each(rows)` as its words. */
function chainOf(callee: unknown): Chain | undefined {
  if (!isNode(callee)) return undefined;
  if (callee.type === "Identifier") return { words: [nameOf(callee)], isNever: false };
  if (callee.type === "MemberExpression") {
    const chain = chainOf(callee.object);
    return chain && { ...chain, words: [...chain.words, nameOf(callee.property)] };
  }
  if (callee.type !== "CallExpression") return undefined;
  const chain = chainOf(callee.callee);
  const [given] = nodesIn(callee.arguments);
  const isEmpty = given?.type === "ArrayExpression" && nodesIn(given.elements).length === 0;
  const isNever = chain?.isNever === true || given?.type === "Literal" || isEmpty;
  return chain && { ...chain, isNever };
}

function textOf({ type, value, start, end }: Node, source: string): string | undefined {
  if (type === "Literal" && typeof value === "string") return value;
  return type === "TemplateLiteral" ? source.slice(start + 1, end - 1) : undefined;
}

function nameOf(node: unknown): string {
  return isNode(node) && typeof node.name === "string" ? node.name : "";
}

function nodesIn(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
