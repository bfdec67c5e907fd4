/** What docs/clients.md shows is what the tests run. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { codeBlocks, sections } from "./client-page.ts";

/** Language, the fence of its blocks, and the program that they are parts of. */
const programs = [
  ["Python", "python", "python/order.py"],
  ["Go", "go", "go/main.go"],
  ["Java", "java", "java/src/main/java/example/Orders.java"],
] as const;

test.each(programs)("each block in %s is a part of the tested program", (language, fence, file) => {
  const program = readFileSync(join("examples/clients", file), "utf8").split("\n");
  const blocks = codeBlocks(language, fence);
  expect(blocks).not.toEqual([]);
  expect(blocks.filter((block) => !isPartOf(program, block.trimEnd().split("\n")))).toEqual([]);
});

test("the page has a section for each template, and each template its section", () => {
  const templates = readdirSync("clients").filter((name) => name.startsWith("buf.gen."));
  const used = sections().flatMap((section) =>
    codeBlocks(section, "sh").flatMap((block) =>
      Array.from(block.matchAll(/--template clients\/(\S+)/g), ([, name = ""]) => name),
    ),
  );
  expect(used.toSorted()).toEqual(templates.toSorted());
});

test("the published Python worker and the generated client need 20 lines below the imports", () => {
  const [program = "", imports = ""] = codeBlocks("Python", "python");
  expect(program).not.toMatch(/^(import|from) /m);
  expect(program.match(/^.+$/gm)).toHaveLength(20);
  expect(imports.match(/^(?!import |from ).+$/gm)).toBeNull();
});

test("the .proto files carry no option of a language: those are in the templates", () => {
  for (const file of readdirSync("proto/api/taskhub/v1")) {
    const source = readFileSync(join("proto/api/taskhub/v1", file), "utf8");
    expect({ file, options: source.match(/^option .*$/gm) }).toEqual({ file, options: null });
  }
});

/** Whether the lines follow each other in the program, however deeply it indents them. */
function isPartOf(program: readonly string[], lines: readonly string[]): boolean {
  return program.some((_, start) => {
    const part = withoutIndentation(program.slice(start, start + lines.length));
    return part.length === lines.length && part.every((line, index) => line === lines[index]);
  });
}

function withoutIndentation(lines: readonly string[]): readonly string[] {
  const indented = lines.filter((line) => line !== "");
  const depth = Math.min(...indented.map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(depth));
}
