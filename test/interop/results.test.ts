/** What the table says about a run. */
import { expect, test } from "vitest";
import { countsOf, resultsOf, testedSdks } from "../../scripts/interop-results.ts";

const sdks = [{ language: "java", packages: [{ name: "p", version: "1" }] }];
const names = ["an orchestration ends", "$text passes", "a mebibyte passes", "it is told its id"];
const areas = new Map([["payloads", names]]);

function outcomes(...tests: readonly (readonly [title: string, status: string])[]) {
  const ofJava = tests.map(([title, status]) => ({ title: `java: ${title}`, status }));
  const ofGo = names.map((name) => ({ title: `go: ${name}`, status: "failed" }));
  const files = [
    { name: "/somewhere/payloads.test.ts", assertionResults: [...ofGo, ...ofJava] },
    { name: "/somewhere/javascript-payloads.test.ts", assertionResults: ofGo },
  ];
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

test("tests of a file of its own belong to its language", () => {
  const javascript = [{ language: "javascript", packages: [] }];
  const assertionResults = [{ title: "a mebibyte passes", status: "passed" }];
  const files = [{ name: "/somewhere/javascript-payloads.test.ts", assertionResults }];
  const { scenarios } = resultsOf(javascript, areas, files);
  expect(scenarios.map(({ outcomes: { javascript: outcome } }) => outcome)).toEqual([
    "none",
    "none",
    "pass",
    "none",
  ]);
});

test("the versions of the packages are found where they are pinned", () => {
  const found = testedSdks().flatMap(({ packages }) => packages);
  expect(found.map(({ name }) => name)).toEqual([
    "@microsoft/durabletask-js",
    "durabletask",
    "durabletask-azuremanaged",
    "com.microsoft:durabletask-client",
    "github.com/microsoft/durabletask-go",
  ]);
  for (const { version } of found) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});
