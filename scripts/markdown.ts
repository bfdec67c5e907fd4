/** Parts of pages that are made by programs. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/**
 * The page with this text between the comments that begin and end its block of that name.
 *
 * @throws Error when the page has no such block
 */
export function withBlock(page: string, name: string, block: string): string {
  const begin = page.indexOf(`<!-- begin: ${name} `);
  const end = page.indexOf(`<!-- end: ${name} -->`);
  const from = page.indexOf("-->", begin) + "-->".length;
  if (begin < 0 || end < from) throw new Error(`the page has no block "${name}"`);
  return `${page.slice(0, from)}\n${block.trim()}\n${page.slice(end)}`;
}
