/** Renders docs/compatibility.md from the results in docs/conformance. */
import { ALL_CHECKS } from "../test/conformance/all-checks.ts";
import type { Check } from "../test/conformance/check.ts";
import {
  differences,
  type Explanation,
  explanationsOf,
  readExplanations,
  readResults,
} from "../test/conformance/explanations.ts";
import type { ResultsFile } from "../test/conformance/results.ts";
import type { Outcome } from "../test/conformance/runner.ts";

const WORDS: Record<Outcome, string> = {
  passed: "yes",
  failed: "**no**",
  "not offered": "not offered",
  skipped: "not checked",
};

const SECTIONS: Readonly<Record<string, string>> = {
  "1": "The contract",
  "2": "Calls",
  "3": "Connections and work items",
  "4": "Orchestrations",
  "5": "Activities",
  "6": "Entities",
  "7": "Task hubs",
  "9": "What single SDKs need",
};

/** The whole page. */
export function compatibilityPage(): string {
  const services = readResults();
  const explanations = readExplanations();
  const parts = [
    BEGINNING,
    table(
      ["", "version", "checked on", ...Object.values(OUTCOME_HEADS)],
      services.map((service) => summary(service)),
    ),
    ...services.slice(1).flatMap((service) => differing(services, service, explanations)),
    "## All checks",
    ...Object.entries(SECTIONS).flatMap(([section, name]) => checksOf(section, name, services)),
  ];
  return `${parts.join("\n\n")}\n`;
}

const OUTCOME_HEADS: Readonly<Record<Outcome, string>> = {
  passed: "as the protocol says",
  failed: "otherwise",
  "not offered": "not offered",
  skipped: "not checked",
};

function summary({ service, version, date, results }: ResultsFile): readonly string[] {
  const outcomes = Object.keys(OUTCOME_HEADS);
  const counts = outcomes.map((each) => results.filter(({ outcome }) => outcome === each).length);
  return [service, version, date, ...counts.map(String)];
}

/** Every check with another outcome than ours, grouped by the reason. */
function differing(
  all: readonly ResultsFile[],
  { service, results }: ResultsFile,
  explanations: readonly Explanation[],
): readonly string[] {
  const own = differences(all).filter((difference) => difference.service === service);
  const reasons = new Map<string, string[]>();
  for (const difference of own) {
    const because = explanationsOf(difference, explanations).join(" ");
    reasons.set(because, [...(reasons.get(because) ?? []), difference.id]);
  }
  const came = new Map(results.map(({ id, reason }) => [id, reason]));
  const groups = [...reasons].flatMap(([because, ids]) => [
    because,
    ids.map((id) => `- \`${id}\`: ${cell(titleOf(id))}. *${cell(came.get(id) ?? "")}*`).join("\n"),
  ]);
  return [`## Where ${service} differs`, ...groups];
}

function checksOf(
  section: string,
  name: string,
  services: readonly ResultsFile[],
): readonly string[] {
  const checks = ALL_CHECKS.filter(({ id }) => id.split(/[./]/)[0] === section);
  const rows = checks.map((check) => [
    `\`${check.id}\``,
    cell(check.title) + trapsOf(check),
    ...services.map(({ results }) => {
      const found = results.find(({ id }) => id === check.id);
      return found === undefined ? "not checked" : WORDS[found.outcome];
    }),
  ]);
  const heads = ["check", "a task hub does this", ...services.map(({ service }) => service)];
  return [`### ${name}`, table(heads, rows)];
}

function trapsOf({ traps = [] }: Check): string {
  return traps.length === 0 ? "" : ` (${traps.join(", ")})`;
}

function titleOf(wanted: string): string {
  return ALL_CHECKS.find(({ id }) => id === wanted)?.title ?? "";
}

/** Text that may stand in a table and in a list, as it is. */
function cell(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll("|", "\\|")
    .replaceAll("*", "\\*")
    .replaceAll("<", "&lt;");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const BEGINNING = `# Compatibility

This page is written by \`scripts/compatibility.ts\`, from results that the conformance suite has kept in
[docs/conformance](conformance). The suite knows nothing but an address: it calls the service and takes work
items as SDKs do, with messages of its own making, and looks at what comes.

\`\`\`text
npm run conformance -- --address localhost:4001
npm run conformance -- --address localhost:8080 --taskhub orders --only 4.10
\`\`\`

It can be run against a hub with other data: every name and id is new, what it has started it removes, and hubs
are only deleted when it has made them. \`--help\` tells the rest. The ids begin with the section of the protocol
that they are about; T1 to T46 are the traps that are known of it.

The Python SDK's backend is meant for tests, and promises less than a task hub: where it differs, programs that were
tested with it may see other things here. \`test/conformance/python/backend.py\` serves it.

The Go sidecar is the program of the Go module, with a SQLite file. It has one turn in flight at a time, so that one
which is not answered holds up all others, and nothing can give it back: each check was run against a process of its
own, because one process for all of them is soon held up by what a check has left.`;
