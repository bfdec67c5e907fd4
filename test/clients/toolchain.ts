/** What a test needs that this project does not bring. */
import { test } from "vitest";
import { tellMissing } from "../support/required.ts";
import { run } from "../support/sidecar-process.ts";

/** With cold caches, packages are downloaded and compiled. */
const COLD_START_MS = 300_000;

/**
 * `test`, for a toolchain that this command shows to be there. Without it the test is skipped in
 * one loud line, and the file fails where CI is set: there everything has to run.
 */
export async function testWith(
  command: string,
): Promise<(name: string, body: () => Promise<void>) => void> {
  const { end } = await run(["sh", "-c", command]);
  if (end === 0) return (name, body) => test(name, { timeout: COLD_START_MS }, body);
  tellMissing(`"${command}" fails here`);
  return (name, body) => test.skip(name, body);
}
