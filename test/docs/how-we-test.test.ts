/** docs/how-we-test.md is what its script makes of the results, and every rig is in it. */
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PAGE, readKept, rendered } from "../../scripts/how-we-test-page.ts";
import { RIGS } from "../../scripts/how-we-test-rigs.ts";
import { problemOf, testsNamedIn } from "./named-tests.ts";

/** Files that use rigs, and the names under which they report. */
const users = new Map(
  globSync("test/**/*.test.ts").flatMap((file) => {
    const source = readFileSync(file, "utf8");
    if (!/import \{[^}]*\b(?:rig|fixedRig)\b[^}]*\} from "[^"]*support\/rig\.ts"/.test(source))
      return [];
    return [
      [file, Array.from(source.matchAll(/\b(?:rig|fixedRig)\("([^"]+)"\)/g), ([, name]) => name)],
    ] as const;
  }),
);

test("the page is what the script makes of the results: node scripts/how-we-test.ts --render", () => {
  expect(readFileSync(PAGE, "utf8")).toBe(rendered(readKept()));
});

test("every rig in the table reports under its names in its files", () => {
  for (const { name, files, reports } of RIGS) {
    expect(
      files.flatMap((file) => users.get(file) ?? []),
      name,
    ).toEqual(reports);
  }
});

test("every test that uses a rig is in the table", () => {
  const known = new Set(RIGS.flatMap(({ files }) => files));
  expect([...users.keys()].filter((file) => !known.has(file))).toEqual([]);
});

test("results are of rigs that are in the table, each form once", () => {
  const kept = readKept().results.map(({ rig, form }) => `${rig} ${form}`);
  const possible = RIGS.flatMap(({ name }) => [`${name} CI`, `${name} long`]);
  expect(kept).toEqual(possible.filter((one) => kept.includes(one)));
});

test("the rigs stand behind guarantees that there are", () => {
  const guarantees = readFileSync("docs/guarantees.md", "utf8");
  const named = RIGS.flatMap(({ backs }) => backs).filter((what) => /^G\d/.test(what));
  expect(named.filter((what) => !guarantees.includes(`\n## ${what}\n`))).toEqual([]);
});

test("each test that the page names exists", () => {
  const named = testsNamedIn(readFileSync(PAGE, "utf8"));
  expect(named.map(problemOf).filter((problem) => problem !== undefined)).toEqual([]);
});
