/**
 * Makes a golden directory: a small data directory with instances in every state, for tests that
 * open what an older version wrote. Beside it, in `expected.json`, what clients saw of it.
 *
 *     node scripts/make-golden-directory.ts test/store/golden/format-2
 *
 * For the format of an earlier version, name the program of a checkout of it as the second argument:
 * `path/to/checkout/sidecar/main.ts`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { GOLDEN, type GoldenView, register, viewOf } from "../test/store/golden/orchestrations.ts";
import { newClient, newWorker } from "../test/support/javascript-sdk.ts";
import { SidecarProcess } from "../test/support/sidecar-process.ts";

const [target, program = "sidecar/main.ts"] = process.argv.slice(2);
if (target === undefined) throw new Error("name the directory to make");
const directory = resolve(target);
const data = join(directory, "data");
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });

await served(async (client) => {
  for (const { instanceId, name, input, startsInSeconds } of GOLDEN) {
    const startAt = new Date(Date.now() + 1_000 * (startsInSeconds ?? 0));
    await client.scheduleNewOrchestration(name, input, {
      instanceId,
      tags: { made: "golden" },
      ...(startsInSeconds === undefined ? {} : { startAt }),
    });
  }
  for (const { prepare } of GOLDEN) await prepare?.(client);
  for (const golden of GOLDEN) {
    while (!golden.isThere(await viewOf(client, golden.instanceId))) await sleep(50);
  }
});
// A second run turns the write-ahead log of the first one into a table.
const views: GoldenView[] = [];
await served(async (client) => {
  const ids = [...GOLDEN.map(({ instanceId }) => instanceId), "called"];
  for (const instanceId of ids) views.push(await viewOf(client, instanceId));
});
writeFileSync(join(directory, "expected.json"), `${JSON.stringify(views, undefined, 2)}\n`);
// What is kept in reserve is nothing that belongs to the format.
for (const name of ["RESERVE", "db/LOCK"]) rmSync(join(data, name), { force: true });
process.exit(0);

/** Runs a sidecar on the directory with a worker that leaves some activities unanswered. */
async function served(work: (client: TaskHubGrpcClient) => Promise<void>): Promise<void> {
  const args = [program, "serve", "--listen", "127.0.0.1:0", "--data", data];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  await using sidecar = new SidecarProcess(child);
  await sidecar.logged("sidecar.ready");
  const client = newClient(sidecar);
  const worker = newWorker(sidecar);
  register(worker, false);
  await worker.start();
  await work(client);
  // Killed: what workers have stays with them, as after a crash.
  await sidecar.kill();
}
