/** What the tests of the published SDKs say about each scenario of test/interop/scenarios.md. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename } from "node:path";

export const RESULTS = "docs/interop.json";
export const TESTS = "test/interop";

/** Follows the name of a scenario that an SDK has no means for. */
const CANNOT = / \(not with this SDK: (.*)\)$/;

/** What the columns are: where it says which version of the package is pinned. */
const PACKAGES: Readonly<Record<string, { name: string; file: string; pinned: RegExp }>> = {
  javascript: {
    name: "@microsoft/durabletask-js",
    file: "package.json",
    pinned: /"@microsoft\/durabletask-js": "([^"]+)"/,
  },
  python: {
    name: "durabletask",
    file: `${TESTS}/python/requirements.txt`,
    pinned: /^durabletask==(\S+)/m,
  },
  java: {
    name: "com.microsoft:durabletask-client",
    file: `${TESTS}/java/pom.xml`,
    pinned: /<artifactId>durabletask-client<\/artifactId>\s*<version>([^<]+)/,
  },
  go: {
    name: "github.com/microsoft/durabletask-go",
    file: `${TESTS}/go/go.mod`,
    pinned: /microsoft\/durabletask-go (\S+)/,
  },
};

/** `none`: no test of it was run to its end. */
export type Outcome = "pass" | "fail" | "none" | { readonly cannot: string };

export interface Sdk {
  readonly language: string;
  readonly package: string;
  readonly version: string;
}

export interface Scenario {
  readonly area: string;
  readonly name: string;
  /** By language. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

export interface InteropResults {
  readonly sdks: readonly Sdk[];
  readonly scenarios: readonly Scenario[];
}

/** A test as vitest's JSON reporter tells of it. */
export interface ReportedTest {
  readonly title: string;
  readonly status: string;
}

export interface ReportedFile {
  /** Its path. */
  readonly name: string;
  readonly assertionResults: readonly ReportedTest[];
}

/** The scenarios of each area, which is the second part of the names of the files. */
export function listedScenarios(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(`${TESTS}/scenarios.md`, "utf8");
  const sections = text.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [area = "", ...lines] = section.split("\n");
      const names = lines.filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
      return [area, names];
    }),
  );
}

/** The SDKs that have test files, in the order of their packages here. */
export function testedSdks(): readonly Sdk[] {
  return Object.entries(PACKAGES).flatMap(([language, { name, file, pinned }]) => {
    if (globSync(`${TESTS}/${language}-*.test.ts`).length === 0 || !existsSync(file)) return [];
    const version = pinned.exec(readFileSync(file, "utf8"))?.[1];
    if (version === undefined) throw new Error(`${file} does not say the version of ${name}`);
    return [{ language, package: name, version }];
  });
}

/** @param areas what `listedScenarios` returns */
export function resultsOf(
  sdks: readonly Sdk[],
  areas: ReadonlyMap<string, readonly string[]>,
  files: readonly ReportedFile[],
): InteropResults {
  const scenarios = [...areas].flatMap(([area, names]) => {
    const byLanguage = sdks.map(({ language }) => {
      const file = files.find(({ name }) => basename(name) === `${language}-${area}.test.ts`);
      return [language, testsByScenario(names, file?.assertionResults ?? [])] as const;
    });
    return names.map((name) => {
      const outcomes = byLanguage.map(([language, tests]) => [
        language,
        outcomeOf(tests.get(name)),
      ]);
      return { area, name, outcomes: Object.fromEntries(outcomes) };
    });
  });
  return { sdks, scenarios };
}

/** How many scenarios of a language came out how. */
export function countsOf(
  { scenarios }: InteropResults,
  language: string,
): Readonly<Record<"pass" | "cannot" | "fail" | "none", number>> {
  const counts = { pass: 0, cannot: 0, fail: 0, none: 0 };
  for (const { outcomes } of scenarios) {
    const outcome = outcomes[language] ?? "none";
    counts[typeof outcome === "string" ? outcome : "cannot"] += 1;
  }
  return counts;
}

/** A test belongs to the scenario of its name, else to that whose `$words` its name fills. */
function testsByScenario(
  names: readonly string[],
  tests: readonly ReportedTest[],
): ReadonlyMap<string, readonly ReportedTest[]> {
  const patterns = names.filter((name) => name.includes("$")).map((name) => [name, filled(name)]);
  return Map.groupBy(tests, ({ title }) => {
    const name = title.replace(CANNOT, "");
    if (names.includes(name)) return name;
    const found = patterns.find(([, pattern]) => (pattern as RegExp).test(name));
    return (found?.[0] as string | undefined) ?? name;
  });
}

function filled(name: string): RegExp {
  const literals = name.split(/\$\w+/).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literals.join(".*")}$`, "s");
}

function outcomeOf(tests: readonly ReportedTest[] = []): Outcome {
  const reason = tests.map(({ title }) => CANNOT.exec(title)?.[1]).find((text) => text);
  if (reason !== undefined) return { cannot: reason };
  if (tests.some(({ status }) => status === "failed")) return "fail";
  const isDone = tests.length > 0 && tests.every(({ status }) => status === "passed");
  return isDone ? "pass" : "none";
}
