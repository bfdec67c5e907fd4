/** What the tests of the published SDKs say about each scenario of test/interop/scenarios.md. */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";

export const RESULTS = "docs/interop.json";
export const TESTS = "test/interop";

/** Follows the name of a scenario that an SDK has no means for. */
const CANNOT = / \(not with this SDK: (.*)\)$/;

/** The columns, and where it says which versions of their packages are pinned. */
const PACKAGES: Readonly<Record<string, { file: string; names: readonly string[] }>> = {
  javascript: { file: "package.json", names: ["@microsoft/durabletask-js"] },
  python: {
    file: `${TESTS}/python/requirements.txt`,
    names: ["durabletask", "durabletask-azuremanaged"],
  },
  java: { file: `${TESTS}/java/pom.xml`, names: ["com.microsoft:durabletask-client"] },
  go: { file: `${TESTS}/go/go.mod`, names: ["github.com/microsoft/durabletask-go"] },
};

/** `none`: no test of it was run to its end. */
export type Outcome = "pass" | "fail" | "none" | { readonly cannot: string };

export interface Sdk {
  readonly language: string;
  readonly packages: readonly { readonly name: string; readonly version: string }[];
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

/** Results that are kept: every scenario has passed in each language, or says why it cannot. */
export interface KeptResults extends InteropResults {
  /** The day, in UTC: `2026-11-22`. */
  readonly date: string;
  readonly commit: string;
  /** There were changes on top of the commit. */
  readonly changed: boolean;
  readonly machine: { readonly cores: number; readonly node: string };
}

/** Undefined before the first ones. */
export function readResults(): KeptResults | undefined {
  return existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, "utf8")) : undefined;
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

/** The scenarios of each area, by which the files are named. */
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

/** The SDKs that the tests are for, with the versions that are pinned. */
export function testedSdks(): readonly Sdk[] {
  return Object.entries(PACKAGES).map(([language, { file, names }]) => {
    const text = readFileSync(file, "utf8");
    return { language, packages: names.map((name) => ({ name, version: pinned(name, text) })) };
  });
}

/** Behind its name there is nothing but signs and the names of fields until the version comes. */
function pinned(name: string, text: string): string {
  const artifact = name.slice(name.indexOf(":") + 1);
  const at = text.search(new RegExp(`(^|["/>\\s])${artifact}["<=\\s]`, "m"));
  const version = /[\d.]*\d/.exec(text.slice(at + 1 + artifact.length))?.[0];
  if (at < 0 || version === undefined) throw new Error(`there is no version of ${name}`);
  return version;
}

/** @param areas what `listedScenarios` returns */
export function resultsOf(
  sdks: readonly Sdk[],
  areas: ReadonlyMap<string, readonly string[]>,
  files: readonly ReportedFile[],
): InteropResults {
  const scenarios = [...areas].flatMap(([area, names]) => {
    const byLanguage = sdks.map(
      ({ language }) => [language, testsByScenario(names, testsOf(language, area, files))] as const,
    );
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

/**
 * The languages have their tests together, `AREA.test.ts`, where the name of each begins with its
 * language. JavaScript has most of its in files of its own, `javascript-AREA.test.ts`.
 */
function testsOf(
  language: string,
  area: string,
  files: readonly ReportedFile[],
): readonly ReportedTest[] {
  const named = (name: string) =>
    files.find((file) => basename(file.name) === `${name}.test.ts`)?.assertionResults ?? [];
  const prefix = `${language}: `;
  const together = named(area).filter(({ title }) => title.startsWith(prefix));
  return [
    ...named(`${language}-${area}`),
    ...together.map(({ title, status }) => ({ title: title.slice(prefix.length), status })),
  ];
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
