/** Programs with the published JavaScript SDK, in processes of their own, asked line by line. */
import { fileURLToPath } from "node:url";
import { AskedProgram } from "./asked-program.ts";

const main = fileURLToPath(new URL("../interop/javascript/program-child.ts", import.meta.url));

/** What it can be asked for. The tests of other areas run the SDK by themselves. */
export const JAVASCRIPT_AREAS: readonly string[] = [
  "activities",
  "children",
  "continue-as-new",
  "control",
  "events",
  "payloads",
  "restart",
  "rewind",
  "suspension",
];

/** A running test/interop/javascript. */
export class JavaScriptProgram extends AskedProgram {
  /** @param args an area, the address of the sidecar, and a task hub */
  constructor(...args: readonly [string, string, string]) {
    super(process.execPath, [main, ...args]);
  }
}
