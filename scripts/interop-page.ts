/** The page docs/interop.md: its own text, and the results of docs/interop.json. */
import { CHECKLIST } from "./interop-checklist.ts";
import {
  countsOf,
  type InteropResults,
  type KeptResults,
  type Outcome,
  type Scenario,
} from "./interop-results.ts";
import { table } from "./markdown.ts";

export const PAGE = "docs/interop.md";

const NAMES: Readonly<Record<string, string>> = {
  javascript: "JavaScript",
  python: "Python",
  java: "Java",
  go: "Go",
};

/** The whole page; before the first results it says that there are none. */
export function rendered(results: KeptResults | undefined): string {
  const parts = results === undefined ? ["No results yet."] : resultParts(results);
  return `${[BEGINNING, ...parts].join("\n\n")}\n`;
}

function resultParts(results: KeptResults): readonly string[] {
  const { date, commit, changed, machine, scenarios } = results;
  const areas = [...Map.groupBy(scenarios, ({ area }) => area)];
  return [
    `Tried on ${date} at ${commit}${changed ? " and changes" : ""}, on ${machine.cores} cores with ` +
      `Node ${machine.node.replace("v", "")}: ${scenarios.length} scenarios.`,
    overview(results),
    CHECKED,
    checklist(results),
    "## All scenarios",
    ...areas.flatMap(([area, own]) => areaParts(area, own, results)),
  ];
}

function overview(results: InteropResults): string {
  const rows = results.sdks.map(({ language, packages }) => {
    const { pass, cannot } = countsOf(results, language);
    const versions = packages.map(({ name, version }) => `\`${name}\` ${version}`);
    return [NAMES[language] ?? language, versions.join(", "), String(pass), String(cannot)];
  });
  return table(["SDK", "packages", "passed", "not possible"], rows);
}

/** How many of an item's scenarios have passed, for each language. */
function checklist({ sdks, scenarios }: InteropResults): string {
  const rows = CHECKLIST.map(({ group, item, scenarios: names }) => {
    const own = scenarios.filter(({ name }) => names.includes(name));
    const cells = sdks.map(({ language }) => {
      const passed = own.filter(({ outcomes }) => outcomes[language] === "pass").length;
      if (passed === own.length) return "yes";
      return passed === 0 ? "–" : `${passed} of ${own.length}`;
    });
    return [group, item, ...cells];
  });
  return table(["", "", ...headsOf(sdks)], rows);
}

function areaParts(
  area: string,
  scenarios: readonly Scenario[],
  { sdks }: InteropResults,
): readonly string[] {
  const notes: string[] = [];
  const rows = scenarios.map(({ name, outcomes }) => [
    nameOf(name),
    ...sdks.map(({ language }) => cellOf(language, outcomes[language] ?? "none", notes)),
  ]);
  const numbered = notes.map((note, i) => `${i + 1}. ${note}`).join("\n");
  const parts = [`### ${area}`, table(["scenario", ...headsOf(sdks)], rows)];
  return numbered === "" ? parts : [...parts, numbered];
}

/** @param notes the reasons of this table: one that is new is added */
function cellOf(language: string, outcome: Outcome, notes: string[]): string {
  if (outcome === "pass") return "yes";
  const why = typeof outcome === "object" ? outcome.cannot : "it was not tried";
  const note = `${NAMES[language] ?? language}: ${escaped(why)}`;
  if (!notes.includes(note)) notes.push(note);
  return `– (${notes.indexOf(note) + 1})`;
}

function headsOf(sdks: InteropResults["sdks"]): readonly string[] {
  return sdks.map(({ language }) => NAMES[language] ?? language);
}

/** `$words` stand for values: one test for each. */
function nameOf(scenario: string): string {
  return escaped(scenario.replaceAll(/\$\w+/g, "…"));
}

/** Text that may stand in a table and in a list, as it is. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("_", "\\_").replaceAll("<", "&lt;");
}

const BEGINNING = `# Published SDKs

This page is written by \`scripts/interop-table.ts\` from what the tests in [test/interop](../test/interop) have reported.
Each SDK is the published package, unmodified: its worker and its client work with the real program, several languages at
once with the same one. [scenarios.md](../test/interop/scenarios.md) names every scenario once; a test that is called like it
belongs to each language that has the means for it. Where one has none, its reason is below the table.

\`\`\`text
npm run test:interop                                              # all, and a table of the results
npm run test:interop -- -t '^java: ' test/interop/events.test.ts  # one language, in one area
npm run test:interop -- --update                                  # keeps the results, and writes this page
\`\`\`

There is no .NET where these tests run. What single SDKs need, those of .NET too, is checked message by message:
[compatibility.md](compatibility.md#what-single-sdks-need).`;

const CHECKED = `## The checklist

What a compatible task hub has to do for every SDK, and how many of the scenarios that try it have passed. \`–\`: the SDK has no means for it.`;
