/** The generated blocks of docs/performance.md. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

/**
 * Puts each text between the comments that begin and end its block; nothing else on the page
 * changes.
 *
 * @throws Error when the page has no block of a name; then nothing was written
 */
export async function writeDocsBlocks(blocks: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(page, "utf8");
  for (const [name, block] of Object.entries(blocks)) {
    const begin = text.indexOf(`<!-- begin: ${name} `);
    const end = text.indexOf(`<!-- end: ${name} -->`);
    const from = text.indexOf("-->", begin) + "-->".length;
    if (begin < 0 || end < from) throw new Error(`${page} has no block "${name}"`);
    text = `${text.slice(0, from)}\n${block.trim()}\n${text.slice(end)}`;
  }
  await writeFile(page, text);
  return page;
}
