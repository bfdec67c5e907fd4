/**
 * The worker of docs/suspend-resume.md, docs/custom-status.md and docs/administration.md, on the
 * published JavaScript SDK: `npx node examples/docs/worker.ts localhost:4001`.
 */
import {
  NoOpLogger,
  type OrchestrationContext,
  type Task,
  TaskHubGrpcWorker,
} from "@microsoft/durabletask-js";

/** The body of an orchestrator: `yield` fits whatever it is assigned to. */
type Steps<Result> = AsyncGenerator<Task<unknown>, Result, never>;

/** Shows how far it is, packs, waits for an approval, and ships. */
async function* order(context: OrchestrationContext, item: string): Steps<string> {
  context.setCustomStatus({ phase: "packing", percent: 10 });
  yield context.callActivity("pack", item);
  context.setCustomStatus({ phase: "waiting for approval", percent: 50 });
  const approval: { by: string } = yield context.waitForExternalEvent("Approval");
  context.setCustomStatus({ phase: "shipped", percent: 100 });
  return `${item}, approved by ${approval.by}`;
}

/** Packs two items, each as an order of its own. */
async function* batch(context: OrchestrationContext, items: string[]): Steps<number> {
  for (const [index, item] of items.entries()) {
    const instanceId = `${context.instanceId}-${index + 1}`;
    yield context.callSubOrchestrator("order", item, { instanceId });
  }
  return items.length;
}

/** Waits for a day. */
async function* reminder(context: OrchestrationContext): Steps<string> {
  yield context.createTimer(24 * 60 * 60);
  return "it is time";
}

const [hostAddress = "localhost:4001"] = process.argv.slice(2);
const worker = new TaskHubGrpcWorker({ hostAddress, logger: new NoOpLogger() });
worker.addNamedOrchestrator("order", order);
worker.addNamedOrchestrator("batch", batch);
worker.addNamedOrchestrator("reminder", reminder);
worker.addNamedActivity("pack", async (_context, item: string) => `${item} in a box`);
await worker.start();
console.log("the worker is connected; Ctrl-C stops it");
