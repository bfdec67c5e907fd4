/** The tests cover the list of scenarios, and the list covers what the protocol asks for. */
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { CHECKLIST } from "../../scripts/interop-checklist.ts";
import { PAGE, rendered } from "../../scripts/interop-page.ts";
import { listedScenarios, readResults, testedSdks } from "../../scripts/interop-results.ts";
import { JAVASCRIPT_AREAS } from "../support/javascript-program.ts";

const here = new URL("./", import.meta.url);

/** The first argument of whatever makes a test, in JavaScript also of what `test.for(rows)` returns. */
const titles = {
  javascript: /(?:\btest(?:\.concurrent)?|\bcannot|\))\(\s*"([^"]+)"/g,
  others: /\b(?:scenario|test(?:\.\w+)?)\(\s*"([^"]+)"/g,
};

const areas = listedScenarios();
const names = [...areas.values()].flat();
const testFiles = (await readdir(here)).filter((name) => name.endsWith(".test.ts"));

test("scenarios are listed once", () => {
  expect(names.length).toBeGreaterThan(100);
  expect(names).toEqual([...new Set(names)]);
});

// In AREA.test.ts each scenario makes a test for each language, or says why it cannot be one.
const covering = [...areas].flatMap(([area, listed]) => {
  const together = { name: `${area}.test.ts`, pattern: titles.others, listed };
  if (JAVASCRIPT_AREAS.includes(area)) return [together];
  return [together, { name: `javascript-${area}.test.ts`, pattern: titles.javascript, listed }];
});

test.for(covering)("$name has each scenario of its area once, and no other test", async (file) => {
  const source = await readFile(new URL(file.name, here), "utf8");
  const found = [...source.matchAll(file.pattern)].map(([, title]) => title);
  expect(found.toSorted()).toEqual(file.listed.toSorted());
});

test("there are no tests of areas that are not listed", () => {
  const others = ["results.test.ts", "scenarios.test.ts", "together.test.ts"];
  const known = [...covering.map(({ name }) => name), ...others];
  expect(testFiles.toSorted()).toEqual(known.toSorted());
});

test("each item of the protocol's checklist has scenarios that are listed", () => {
  expect(CHECKLIST.length).toBeGreaterThan(60);
  const open = CHECKLIST.filter(({ scenarios }) => scenarios.length === 0);
  expect(open).toEqual([]);
  const used = CHECKLIST.flatMap(({ scenarios }) => scenarios);
  expect(used.filter((name) => !names.includes(name))).toEqual([]);
});

test("the page is what the script makes of the results: node scripts/interop-table.ts --render", async () => {
  expect(await readFile(PAGE, "utf8")).toBe(rendered(readResults()));
});

test("the results are those of the scenarios and the packages that there are: npm run test:interop -- --update", () => {
  const results = readResults();
  if (results === undefined) return;
  expect(results.scenarios.map(({ area, name }) => `${area}: ${name}`)).toEqual(
    [...areas].flatMap(([area, own]) => own.map((name) => `${area}: ${name}`)),
  );
  expect(results.sdks).toEqual(testedSdks());
});
