/**
 * Writes docs/compatibility.md from docs/conformance/*.json.
 *
 *     node scripts/compatibility.ts [--check]
 *
 * A results file is made by `npm run conformance -- --slow --json docs/conformance/NAME.json --service … --version …`,
 * with --address for ours, which is taskhub.json, and --command for others: the page itself has the commands. With `--check` nothing is written: exit code 1 when the page is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compatibilityPage } from "./compatibility-page.ts";

const PAGE = join("docs", "compatibility.md");

const page = compatibilityPage();
if (!process.argv.includes("--check")) writeFileSync(PAGE, page);
else if (readFileSync(PAGE, "utf8") !== page) {
  console.error(`${PAGE} is out of date: node scripts/compatibility.ts writes it anew`);
  process.exitCode = 1;
}
