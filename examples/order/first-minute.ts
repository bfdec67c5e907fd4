/**
 * `npm start`: a sidecar on its embedded store, the sample application beside it, and two orders
 * from their start to their results. Then both go on running until Ctrl-C. Arguments are those of
 * `taskhub serve`: `npm start -- --listen 4002`.
 */
import { once } from "node:events";
import { NoOpLogger, TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { connectHub } from "./client.ts";
import { commandsToTry } from "./commands.ts";
import { showCommands, showFact, showTitle, typedPath } from "./screen.ts";
import { type Sidecar, SidecarEnded, startSidecar } from "./sidecar.ts";
import { tellStory } from "./story.ts";
import { orderWorker } from "./worker.ts";

process.exitCode = await firstMinute(process.argv.slice(2));

/** Resolves with the exit code: that of the sidecar, or 1 when the story took another turn. */
async function firstMinute(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  // `on`, not `once`: npm repeats what the terminal has already sent to everybody.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => stop.abort(name));
  try {
    const sidecar = await startSidecar(args);
    void sidecar.ended.then(() => stop.abort("the sidecar has ended"));
    const isWell = await runBeside(sidecar, stop.signal);
    const exitCode = await sidecar.stop();
    return isWell ? exitCode : exitCode || 1;
  } catch (error) {
    if (error instanceof SidecarEnded) return error.exitCode;
    throw error;
  }
}

/** Runs the application until the signal. False when something went wrong before. */
async function runBeside({ address, directory }: Sidecar, signal: AbortSignal): Promise<boolean> {
  using connection = connectHub(address);
  const worker = orderWorker(address);
  const client = new TaskHubGrpcClient({ hostAddress: address, logger: new NoOpLogger() });
  await worker.start();
  showTitle("Orders on a durable task hub");
  showFact("sidecar", `${address}, data in ${directory ? typedPath(directory) : "memory"}`);
  showFact("worker", "runs examples/order/order.ts\n");
  try {
    const number = await firstFreeNumber(client);
    const stage = { hub: connection.hub, client, signal };
    await tellStory(stage, `order-${number}`, `order-${number + 1}`);
    showTitle("Try next, in another terminal in this folder");
    showCommands(commandsToTry(address, `order-${number + 2}`));
    console.log("Sidecar and worker are running. Ctrl-C stops them.");
    if (!signal.aborted) await once(signal, "abort");
    return true;
  } catch (error) {
    if (signal.aborted) return true;
    console.error(`\n${error instanceof Error ? error.message : error}`);
    return false;
  } finally {
    console.log(`\nStopping${signal.aborted ? `: ${signal.reason}` : ""}.`);
    await Promise.all([worker.stop(), client.stop()]);
  }
}

/** So that the show can be repeated on the same data. */
async function firstFreeNumber(client: TaskHubGrpcClient): Promise<number> {
  let number = 1;
  while ((await client.getOrchestrationState(`order-${number}`)) !== undefined) number += 1;
  return number;
}
