/** Names that the pages of docs use are those of the program. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { ReasonKind } from "../../sidecar/wire/gen/taskhub/v1/insight_pb.ts";
import { taskhub } from "../support/command-line.ts";
import { startSidecar } from "../support/sidecar-process.ts";

const pages = [
  "docs/suspend-resume.md",
  "docs/custom-status.md",
  "docs/administration.md",
  "docs/backup.md",
  "docs/retention.md",
];

/** Of other programs. */
const foreignFlags = ["--list-services", "--protocol", "--template"];

test.each(pages)("each flag in %s is one of the command line", async (path) => {
  const commands = [["serve"], ["suspend"], ["resume"], ["list"], ["count"], ["start"], ["watch"]];
  commands.push(["hub", "suspend"], ["hub", "resume"], ["schema", "put"], ["raise-event"]);
  commands.push(["suspensions"], ["terminate"], ["status"]);
  const helps = await Promise.all(commands.map((command) => taskhub([...command, "--help"])));
  const known = new Set(helps.flatMap(({ out }) => out.match(/--[a-z-]+/g) ?? []));
  const used = readFileSync(path, "utf8").match(/(?<![\w-])--[a-z][a-z-]+/g) ?? [];
  const unknown = used.filter((flag) => !known.has(flag) && !foreignFlags.includes(flag));
  expect(unknown).toEqual([]);
});

test("each metric on the pages is there, and each that is there is on a page", async () => {
  await using sidecar = await startSidecar();
  const metrics = await (await fetch(`http://${sidecar.address}/metrics`)).text();
  const exported = new Set(metrics.match(/(?<=^# TYPE )taskhub_\w+/gm));
  const texts = [...pages, "docs/metrics.md"].map((path) => readFileSync(path, "utf8")).join("");
  const named = new Set(texts.match(/(?<=`)taskhub_\w+(?=[`{[ ])/g));
  expect([...named].toSorted()).toEqual([...exported].toSorted());
});

test("the page for operators says what to do about each kind of reason", () => {
  const rows = readFileSync("docs/administration.md", "utf8").match(/^\| `[A-Z_`, ]+\|/gm) ?? [];
  const named = rows.flatMap((row) => row.match(/[A-Z_]{2,}/g) ?? []);
  const kinds = Object.keys(ReasonKind).filter((kind) => kind !== "UNSPECIFIED");
  expect(named.toSorted()).toEqual(kinds.toSorted());
});

const { instanceHoldsMax, hubHoldsMax, nameBytesMax, reasonBytesMax, selectorValuesMax } = LIMITS;
const { tagsMax, bufferedEventsMax, bufferedEventBytesMax, freezeSpansMax } = LIMITS;
const { rememberedRequestsMax, customStatusBytesMax, ancestorsMax, schemaBytesMax } = LIMITS;
const { customStatusRevisionsMax, customStatusRevisionBytesMax, watchedChangesMax } = LIMITS;

test.each([
  ["docs/suspend-resume.md", `| holds of one instance | ${instanceHoldsMax} |`],
  ["docs/suspend-resume.md", `| trees and windows of one hub | ${grouped(hubHoldsMax)} |`],
  ["docs/suspend-resume.md", `| name, requested by | ${nameBytesMax} bytes,`],
  ["docs/suspend-resume.md", `| reason, resume condition | ${kibibytes(reasonBytesMax)} |`],
  ["docs/suspend-resume.md", `versions / tags | ${selectorValuesMax} each / ${tagsMax} |`],
  ["docs/suspend-resume.md", `held or not | ${grouped(bufferedEventsMax)} (`],
  ["docs/suspend-resume.md", `together ${bufferedEventBytesMax / 1024 ** 2} MiB (`],
  ["docs/suspend-resume.md", `| spans of frozen time | ${grouped(freezeSpansMax)} |`],
  ["docs/suspend-resume.md", `| request ids | ${rememberedRequestsMax} for each instance, `],
  ["docs/suspend-resume.md", `its ${ancestorsMax} nearest ancestors`],
  ["docs/custom-status.md", `The limit is ${kibibytes(customStatusBytesMax)} of UTF-8`],
  ["docs/custom-status.md", `answers the last ${customStatusRevisionsMax} revisions`],
  ["docs/custom-status.md", `together at most ${kibibytes(customStatusRevisionBytesMax)}`],
  ["docs/custom-status.md", `its last ${grouped(watchedChangesMax)} changes in memory`],
  ["docs/custom-status.md", `A hub has at most ${grouped(LIMITS.watchersMax)} watches`],
  ["docs/custom-status.md", `| size | ${kibibytes(schemaBytesMax)}; nested at most`],
  ["docs/custom-status.md", `at most ${LIMITS.schemaDepthMax} levels;`],
  ["docs/custom-status.md", `${grouped(LIMITS.schemaPartsMax)} subschemas; `],
  ["docs/custom-status.md", `${LIMITS.schemasMax} schemas in a hub |`],
  ["docs/custom-status.md", `at most ${LIMITS.schemaIdDepthMax} \`$id\``],
  ["docs/custom-status.md", `at most ${LIMITS.schemaPatternLengthMax} characters;`],
  ["docs/custom-status.md", `| nested deeper than | ${LIMITS.checkedDepthMax} levels |`],
  ["docs/custom-status.md", `| ${grouped(LIMITS.checkedNameLengthMax)} characters |`],
  ["docs/custom-status.md", `| ${grouped(LIMITS.checkedUniqueItemsMax)} items |`],
  ["docs/custom-status.md", `more than once | ${grouped(LIMITS.checkedStepsMax)} |`],
  ["docs/custom-status.md", `worst case | ${grouped(LIMITS.checkedPatternStepsMax)} |`],
  ["docs/custom-status.md", `${LIMITS.customStatusAdvisedPerSecond} changes of one\ninstance`],
  ["docs/custom-status.md", `at most ${LIMITS.customStatusMetricNamesMax} names and then`],
])("the figure in %s is that of the program: %s", (path, text) => {
  expect(readFileSync(path, "utf8")).toContain(text);
});

function grouped(figure: number): string {
  return figure.toLocaleString("en-US");
}

function kibibytes(bytes: number): string {
  return `${bytes / 1024} KiB`;
}
