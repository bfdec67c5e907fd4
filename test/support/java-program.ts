/** Java programs with the pinned package: fetched and compiled once, asked line by line. */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AskedProgram } from "./asked-program.ts";
import { tellMissing } from "./required.ts";
import { run } from "./sidecar-process.ts";

const folder = fileURLToPath(new URL("../interop/java/", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/taskhub/", import.meta.url));
const [pom, sources, prepare] = [`${folder}pom.xml`, `${folder}src`, `${folder}Prepare.java`];

/** Many small virtual machines at once: what they save at their start matters, not how fast they get. */
const machineArgs = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m"];

/** The class path of the compiled scenarios and what they need. */
export type Java = string & { readonly kind: "java" };

/**
 * What an earlier run made, or a new build. Without a JDK of 17 or newer and Maven, or without a
 * registry for a new build, it is undefined after one loud line.
 *
 * @throws where CI is set: there everything has to run
 */
export async function findJava(): Promise<Java | undefined> {
  const jars = `${cache}java-jars-${hashOf([pom])}`;
  const scenarios = globSync(`${sources}/**/*.java`).toSorted();
  const classes = `${cache}java-classes-${hashOf([pom, prepare, ...scenarios])}`;
  const java = `${classes}:${jars}/*` as Java;
  const { end: foundJava } = await run(["sh", "-c", "command -v java"]);
  if (foundJava === 0 && existsSync(jars) && existsSync(classes)) return java;
  const command = ["java", prepare, pom, sources, jars, classes];
  const { end, stdout, stderr } = await run(["sh", "-c", 'exec "$@"', "sh", ...command]);
  if (end === 0) return java;
  tellMissing(`Java with the package of pom.xml cannot be had: ${stdout}${stderr.trim()}`);
  return undefined;
}

/** A running `interop.Main`. */
export class JavaProgram extends AskedProgram {
  /** @param args an area, the address of the sidecar, and a task hub */
  constructor(java: Java, ...args: readonly [string, string, string]) {
    super("java", [...machineArgs, "-cp", java, "interop.Main", ...args]);
  }
}

function hashOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 12);
}
