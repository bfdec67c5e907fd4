/**
 * A process for tests to kill: appends to a store, and says on stdout what was acknowledged. Each
 * line is a storage number and how many entries of its log are durable.
 */
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { commitOf, instanceAppend } from "../support/store-builders.ts";

const LOGS_IN_FLIGHT = 8;

const [directory = ""] = process.argv.slice(2);
const store = await openLevelStore({ directory });

async function appendForEver(): Promise<never> {
  const number = store.allocateNumber();
  for (let sequence = 1; ; sequence += 1) {
    const append = instanceAppend({ number, sequence }, String(sequence));
    await store.whenDurable(store.append(commitOf(append)));
    await say(`${number} ${sequence}\n`);
  }
}

/** Resolves when the line is in the pipe, so that a slow reader slows the process down. */
function say(line: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(line, () => resolve()));
}

const appending = Array.from({ length: LOGS_IN_FLIGHT }, appendForEver);
await Promise.race([store.failed, ...appending]);
process.exitCode = 74;
await store[Symbol.asyncDispose]();
