/** What the pages of docs say is typed from their top to their end, and prints what they show. */
import { expect, test } from "vitest";
import { inventedBlocks, stepsOf } from "./doc-page.ts";
import { startAsSaid } from "./reader.ts";

const pages = [
  "docs/suspend-resume.md",
  "docs/custom-status.md",
  "docs/administration.md",
  "docs/backup.md",
  "docs/retention.md",
];

/** Typed in a copy of the repository by other tests: they make files, or need Python. */
const elsewhere = /\.venv|buf generate/;

test.each(pages)("%s does what it says", { timeout: 300_000 }, async (path) => {
  await using scene = await startAsSaid(path);
  for (const step of stepsOf(path)) {
    if (!elsewhere.test(step.commands.text)) await scene.follow(step, ".");
  }
});

test.each(pages)("%s shows nothing but parts of programs that are there", (path) => {
  expect(inventedBlocks(path).map(({ line }) => line)).toEqual([]);
});
