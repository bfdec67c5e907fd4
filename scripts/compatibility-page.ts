/** Renders docs/compatibility.md from the results in docs/conformance. */

import { TaskHubSidecarService } from "../sidecar/wire/gen/orchestrator_service_pb.ts";
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
import { readElsewhere } from "../test/conformance/rows.ts";
import type { Outcome } from "../test/conformance/runner.ts";
import { table } from "./markdown.ts";

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
    ...methods(services),
    ...services.slice(1).flatMap((service) => differing(services, service, explanations)),
    ...notCheckable(),
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

/** Of each method, how many of the checks that call it have passed. Which these are our own run tells. */
function methods(services: readonly ResultsFile[]): readonly string[] {
  const [own] = services;
  const rows = TaskHubSidecarService.methods.map(({ name }) => {
    const callers = own?.results.filter(({ calls }) => calls?.includes(name)).map(({ id }) => id);
    const ids = new Set(callers);
    const passed = ({ results }: ResultsFile) =>
      results.filter(({ id, outcome }) => ids.has(id) && outcome === "passed").length;
    return [`\`${name}\``, String(ids.size), ...services.map((each) => String(passed(each)))];
  });
  return [
    "## Methods",
    METHODS,
    table(["method", "checks that call it", ...services.map(({ service }) => service)], rows),
  ];
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

/** What a suite that has nothing but an address cannot see, and the tests that see it here. */
function notCheckable(): readonly string[] {
  const rows = readElsewhere().map(({ section, fact, because, traps = [], tests }) => [
    section,
    cell(fact) + (traps.length === 0 ? "" : ` (${traps.join(", ")})`),
    cell(because),
    tests.map((test) => `\`${test}\``).join("<br>"),
  ]);
  return [
    "## What cannot be checked from an address",
    ELSEWHERE,
    table(["section", "a task hub does this", "why not", "the test here"], rows),
  ];
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

const BEGINNING = `# Compatibility

This page is written by \`scripts/compatibility.ts\`, from results that the conformance suite has kept in
[docs/conformance](conformance). The suite knows nothing but an address: it calls the service and takes work
items as SDKs do, with messages of its own making, and looks at what comes. What published SDKs do with the service is
in [interop.md](interop.md).

\`\`\`text
npm run conformance -- --address localhost:4001
npm run conformance -- --address localhost:8080 --taskhub orders --only 4.10
\`\`\`

It can be run against a hub with other data: every name and id is new, what it has started it removes, and hubs
are only deleted when it has made them. \`--help\` tells the rest. The ids begin with the section of the protocol
that they are about; T1 to T46 are the traps that are known of it.

[rows.json](../test/conformance/rows.json) has the rows of sections 2 to 7, each with its checks; a test of this
repository refuses a row, a trap or a check that is missing there.

A check may leave a service in a state in which it serves nobody else any more, and one that has a single task hub
has no hub for checks that need a whole one. With \`--command\` instead of an address each check has a process of its
own, which is killed behind it; this is how the columns of other services are made:

\`\`\`text
PYTHON=$(python3 test/interop/python/environment.py node_modules/.cache/taskhub test/interop/python/requirements.txt)
npm run conformance -- --slow --concurrency 6 --command "$PYTHON test/conformance/python/backend.py {port}" \\
  --json docs/conformance/python.json --service "Python SDK, in-memory backend" --version "durabletask 1.12.0"

go build -C test/conformance/go -o /tmp/durabletask-go .
npm run conformance -- --slow --concurrency 6 --command "/tmp/durabletask-go -port {port} -db {directory}/hub.sqlite" \\
  --json docs/conformance/go.json --service "durabletask-go sidecar" --version 0.5.0

npm run compatibility
\`\`\`

The Python SDK's backend is meant for tests, and promises less than a task hub: where it differs, programs that were
tested with it may see other things here.

The Go sidecar is the program of the Go module, with a SQLite file. It has one turn in flight at a time, so that one
which is not answered holds up all others, and nothing can give it back.`;

const METHODS = `How many of the checks that call a method have passed. A method that is not offered has 0, unless
calls of it are part of checks that are about something else.`;

const ELSEWHERE = `Some of what the protocol asks for shows only when the service stops, dies, or has an hour. Each of these
has a test of this repository; none of them is part of the columns.`;
