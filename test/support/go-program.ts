/** Go programs with the pinned module: built once, asked line by line. */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AskedProgram } from "./asked-program.ts";
import { tellMissing } from "./required.ts";
import { run } from "./sidecar-process.ts";

const folder = fileURLToPath(new URL("../interop/go/", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/taskhub/", import.meta.url));

/** The binary of the scenarios. */
export type Go = string & { readonly kind: "go" };

/**
 * What an earlier run made, or a new build. Without Go, or without a module proxy for a new build,
 * it is undefined after one loud line.
 *
 * @throws where CI is set: there everything has to run
 */
export async function findGo(): Promise<Go | undefined> {
  const hash = createHash("sha256");
  const sources = globSync(`${folder}**/*.go`).toSorted();
  for (const file of [`${folder}go.mod`, `${folder}go.sum`, ...sources]) {
    hash.update(readFileSync(file));
  }
  const binary = `${cache}go-scenarios-${hash.digest("hex").slice(0, 12)}`;
  if (existsSync(binary)) return binary as Go;
  // With the flags of the build, so that what both are made of is compiled once.
  const command = 'cd "$1" && CGO_ENABLED=0 exec go run -gcflags="all=-N -l" ./prepare "$2"';
  const { end, stdout, stderr } = await run(["sh", "-c", command, "sh", folder, binary]);
  if (end === 0) return binary as Go;
  tellMissing(`Go with the module of go.mod cannot be had: ${stdout}${stderr.trim()}`);
  return undefined;
}

/** A running test/interop/go. */
export class GoProgram extends AskedProgram {
  /** @param args an area, the address of the sidecar, and a task hub */
  constructor(go: Go, ...args: readonly [string, string, string]) {
    super(go, args);
  }
}
