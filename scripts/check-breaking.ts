/**
 * Fails when a change of the .proto files breaks what was landed last: `proto/baseline` has one
 * image of each module. `--refresh` makes the images anew; that is for a state that has landed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const modules = ["api", "compat", "grpc", "internal"];
const baseline = join("proto", "baseline");

if (process.argv.includes("--refresh")) {
  mkdirSync(baseline, { recursive: true });
  for (const name of modules) run("build", join("proto", name), "-o", imageOf(name));
} else {
  for (const name of modules) {
    if (!existsSync(imageOf(name))) throw new Error(`${imageOf(name)} is missing`);
    run("breaking", join("proto", name), "--against", imageOf(name));
  }
}

function imageOf(name: string): string {
  return join(baseline, `${name}.binpb`);
}

function run(...args: readonly string[]): void {
  try {
    execFileSync("buf", args, { stdio: ["ignore", "inherit", "inherit"] });
  } catch {
    // buf has said what is wrong.
    process.exitCode = 1;
  }
}
