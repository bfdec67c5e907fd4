/**
 * Writes docs/compatibility.md, and the table of methods in README.md, from docs/conformance/*.json.
 *
 *     node scripts/compatibility.ts [--check]
 *
 * A results file is made by `npm run conformance -- --slow --json docs/conformance/NAME.json --service … --version …`,
 * with --address for ours, which is taskhub.json, and --command for others: the page itself has the commands.
 * With `--check` nothing is written: exit code 1 when a page is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compatibilityPage } from "./compatibility-page.ts";
import { withMethods } from "./method-table.ts";

const pages = {
  [join("docs", "compatibility.md")]: () => compatibilityPage(),
  "README.md": (now: string) => withMethods(now),
};

for (const [path, made] of Object.entries(pages)) {
  const now = readFileSync(path, "utf8");
  const page = made(now);
  if (!process.argv.includes("--check")) writeFileSync(path, page);
  else if (now !== page) {
    console.error(`${path} is out of date: node scripts/compatibility.ts writes it anew`);
    process.exitCode = 1;
  }
}
