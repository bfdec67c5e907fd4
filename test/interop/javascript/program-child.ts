/**
 * A worker and a client of the published @microsoft/durabletask-js that run what they are told.
 *
 *     node program-child.ts AREA ADDRESS TASK_HUB
 *
 * Each line of standard input is `[number, name, ...arguments]` in JSON: a scenario of the area, or
 * a command of it. They run side by side. Each is answered with one line in JSON: its number, and
 * its `result` or its `error`. The program ends with its input.
 */
import { newWorker } from "../../support/javascript-sdk.ts";
import { activities } from "./activities.ts";
import { children } from "./children.ts";
import { continueAsNew } from "./continue-as-new.ts";
import { control } from "./control.ts";
import { events } from "./events.ts";
import { type Area, Hub } from "./hub.ts";
import { payloads } from "./payloads.ts";
import { restart } from "./restart.ts";
import { rewind } from "./rewind.ts";
import { suspension } from "./suspension.ts";

const areas: Readonly<Record<string, Area>> = {
  activities,
  children,
  "continue-as-new": continueAsNew,
  control,
  events,
  payloads,
  restart,
  rewind,
  suspension,
};

const [areaName = "", address = "", taskHub = ""] = process.argv.slice(2);
const area = areas[areaName];
if (area === undefined) throw new Error(`there is no area ${areaName}`);
const port = Number(address.split(":").at(-1));
const hub = new Hub(port, taskHub);
const worker = newWorker({ port, taskHub });
for (const [name, run] of Object.entries(area.orchestrators)) {
  worker.addNamedOrchestrator(name, run);
}
for (const [name, run] of Object.entries(area.activities)) worker.addNamedActivity(name, run);
await worker.start();

const asked = area.asked;
// Not readline: U+2028 ends a line for it, and may stand in JSON as it is.
let rest = "";
for await (const chunk of process.stdin.setEncoding("utf8")) {
  const lines = `${rest}${chunk}`.split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) void answer(JSON.parse(line));
}
await Promise.all([worker.stop(), hub.client.stop()]);

async function answer([number, name, ...given]: [number, string, ...never[]]): Promise<void> {
  try {
    const run = asked[name];
    if (run === undefined) throw new Error(`there is no ${name}`);
    const result = (await run(hub, ...given)) ?? null;
    tell({ number, result });
  } catch (error) {
    const text = error instanceof Error ? error.stack : String(error);
    tell({ number, error: text });
  }
}

/** Whoever asks reads with readline. */
function tell(told: object): void {
  console.log(JSON.stringify(told).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029"));
}
