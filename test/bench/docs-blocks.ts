/** The generated blocks of docs/performance.md. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { withBlock } from "../../scripts/markdown.ts";

const page = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

/** Nothing else on the page changes. @throws Error when it has no block of a name; nothing was written */
export async function writeDocsBlocks(blocks: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(page, "utf8");
  for (const [name, block] of Object.entries(blocks)) text = withBlock(text, name, block);
  await writeFile(page, text);
  return page;
}
