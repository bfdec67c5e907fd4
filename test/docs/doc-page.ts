/** A page of docs: its fenced blocks, and what it says that they print. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

/** One fenced block. */
export interface Block {
  /** What stands behind the fence: `sh`, `text`, `json`, `ts`, `python`. */
  readonly fence: string;
  readonly text: string;
  /** The heading that it stands under. */
  readonly section: string;
  /** Line of its first fence, from 1. */
  readonly line: number;
}

/** Commands, and what the page shows of what they print, if it shows it. */
export interface Step {
  readonly commands: Block;
  readonly shown: Block | undefined;
}

/** Where the parts of programs come from that pages show. */
const programFolder = "examples/docs";

/** All blocks of a page in their order. */
export function blocksOf(path: string): readonly Block[] {
  const source = readFileSync(path, "utf8");
  const blocks: Block[] = [];
  let section = "";
  for (const match of source.matchAll(/^## (.+)$|^```(\w+)\n((?:.*\n)*?)^```$/gm)) {
    const [, heading, fence, text = ""] = match;
    if (heading !== undefined) section = heading;
    if (fence === undefined) continue;
    blocks.push({ fence, text, section, line: source.slice(0, match.index).split("\n").length });
  }
  return blocks;
}

/** What is typed, from the top of the page to its end, but for what goes on running. */
export function stepsOf(path: string): readonly Step[] {
  const blocks = blocksOf(path);
  return blocks.flatMap((commands, index) => {
    if (commands.fence !== "sh" || commands.section === "Before you start") return [];
    const next = blocks[index + 1];
    const isOutput = next?.fence === "text" || next?.fence === "json";
    return [{ commands, shown: isOutput ? next : undefined }];
  });
}

/** Blocks in a programming language that are a part of no program. */
export function inventedBlocks(path: string): readonly Block[] {
  return blocksOf(path).filter(({ fence, text }) => {
    if (fence !== "ts" && fence !== "python") return false;
    const extension = fence === "ts" ? ".ts" : ".py";
    const files = readdirSync(programFolder).filter((name) => name.endsWith(extension));
    return !files.some((name) => readFileSync(join(programFolder, name), "utf8").includes(text));
  });
}

/**
 * Fails unless the lines are what the page shows: times, durations and ids may be others, columns
 * wider, JSON may have more fields, and a line `…` stands for any lines.
 */
export function expectShown({ fence, text, line }: Block, printed: readonly string[]): void {
  const where = `the block in line ${line}`;
  if (fence === "json") {
    const documents = (source: string) => jsonDocuments(forgettingWhen(source));
    const found = documents(printed.join("\n"));
    const wanted = documents(text);
    expect(found, where).toHaveLength(wanted.length);
    expect(found, where).toMatchObject(wanted);
    return;
  }
  const found = printed.map(plain).filter((shown) => shown !== "");
  const wanted = text.split("\n").map(plain);
  const parts = wanted.filter((shown) => shown !== "").map(linePattern);
  expect(found.join("\n"), where).toMatch(new RegExp(`^${parts.join("")}$`));
}

/** Each line ends with a line break, but for the last one. */
function linePattern(line: string, index: number, { length }: readonly string[]): string {
  const isLast = index === length - 1;
  if (line === "…") return isLast ? "[^]*" : "(?:.+\n)*?";
  return line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") + (isLast ? "" : "\n");
}

function plain(line: string): string {
  return forgettingWhen(line).replaceAll(/\s+/g, " ").trim();
}

/** What is another one each time stands as its kind. */
function forgettingWhen(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>")
    .replaceAll(/\b(\d+(\.\d+)?(ms|[smhd]))+\b/g, "<duration>")
    .replaceAll(/\b[0-9a-f]{32}\b/g, "<id>")
    .replaceAll(/127\.0\.0\.1:\d+/g, "<address>");
}

/** Documents behind each other, in whatever layout. */
function jsonDocuments(source: string): unknown[] {
  const documents: unknown[] = [];
  let begun = "";
  for (const line of source.split("\n")) {
    begun += `${line}\n`;
    const value = parsed(begun);
    if (value === undefined) continue;
    documents.push(value);
    begun = "";
  }
  expect(begun.trim(), "what is left behind the last document").toBe("");
  return documents;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
