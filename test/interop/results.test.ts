/** What the table says about a run. */
import { expect, test } from "vitest";
import { countsOf, resultsOf, testedSdks } from "../../scripts/interop-results.ts";

const sdks = [{ language: "java", package: "p", version: "1" }];
const names = ["an orchestration ends", "$text passes", "a mebibyte passes", "it is told its id"];
const areas = new Map([["payloads", names]]);

function outcomes(...tests: readonly (readonly [title: string, status: string])[]) {
  const assertionResults = tests.map(([title, status]) => ({ title, status }));
  const files = [{ name: "/somewhere/java-payloads.test.ts", assertionResults }];
  const results = resultsOf(sdks, areas, files);
  return { results, outcomes: results.scenarios.map((scenario) => scenario.outcomes.java) };
}

test("a scenario has passed when all tests of its name have", () => {
  const { outcomes: found } = outcomes(
    ["an orchestration ends", "passed"],
    ['"" passes', "passed"],
    ['"a\nb" passes', "passed"],
    ["a mebibyte passes", "passed"],
    ["it is told its id", "passed"],
  );
  expect(found).toEqual(["pass", "pass", "pass", "pass"]);
});

test("one failed row of a table fails its scenario and no other", () => {
  const { outcomes: found } = outcomes(
    ['"" passes', "passed"],
    ["{} passes", "failed"],
    ["a mebibyte passes", "passed"],
  );
  expect(found).toEqual(["none", "fail", "pass", "none"]);
});

test("what an SDK has no means for has its reason, and what is skipped without one was not run", () => {
  const { outcomes: found, results } = outcomes(
    ["it is told its id (not with this SDK: nobody (but the client) knows)", "skipped"],
    ["$text passes (not with this SDK: no text)", "skipped"],
    ["a mebibyte passes", "skipped"],
    ["an orchestration ends", "passed"],
  );
  expect(found).toEqual([
    "pass",
    { cannot: "no text" },
    "none",
    { cannot: "nobody (but the client) knows" },
  ]);
  expect(countsOf(results, "java")).toEqual({ pass: 1, cannot: 2, fail: 0, none: 1 });
});

test("the versions of the packages are found where they are pinned", () => {
  const languages = testedSdks().map(({ language }) => language);
  expect(languages).toEqual(expect.arrayContaining(["javascript", "python", "java"]));
  for (const { version } of testedSdks()) expect(version).toMatch(/^v?\d+\.\d+/);
});
