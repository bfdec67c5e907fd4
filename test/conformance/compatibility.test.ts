/** docs/compatibility.md is made from results, and every difference in it is explained. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { compatibilityPage } from "../../scripts/compatibility-page.ts";
import { withMethods } from "../../scripts/method-table.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { differences, explanationsOf, readExplanations, readResults } from "./explanations.ts";

const results = readResults();
const explanations = readExplanations();

it("explains each difference from our service, once", () => {
  const wrong = differences(results)
    .map((difference) => ({ ...difference, because: explanationsOf(difference, explanations) }))
    .filter(({ because }) => because.length !== 1);
  expect(wrong).toEqual([]);
});

it("explains nothing that does not differ, unless it differs in some runs only", () => {
  const found = differences(results).map(({ id, service }) => `${service}: ${id}`);
  const explained = explanations
    .filter(({ sometimes = false }) => !sometimes)
    .flatMap(({ service, checks }) => checks.map((id) => `${service}: ${id}`));
  expect(explained.filter((each) => !found.includes(each))).toEqual([]);
});

it("explains only checks that there are", () => {
  const ids = ALL_CHECKS.map(({ id }) => id);
  const explained = explanations.flatMap(({ checks }) => checks);
  expect(explained.filter((id) => !ids.includes(id))).toEqual([]);
});

it("has a result of every check for every service", () => {
  const ids = ALL_CHECKS.map(({ id }) => id);
  for (const { service, results: found } of results) {
    expect(found.map(({ id }) => id).toSorted(), service).toEqual(ids.toSorted());
  }
});

it("shows our service passing every check", () => {
  const [ours] = results;
  expect(ours?.service).toBe("Task Hub");
  expect(ours?.results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
});

it("is up to date, and so is the table of methods in README.md", () => {
  expect(readFileSync("docs/compatibility.md", "utf8")).toBe(compatibilityPage());
  const readme = readFileSync("README.md", "utf8");
  expect(readme).toBe(withMethods(readme));
});
