/** The programs of docs/clients.md that act on somebody else's order. */
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import { expect } from "vitest";
import { type HubAddress, newClient, newWorker, type Steps } from "../support/javascript-sdk.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { checkout, codeBlocks, type } from "./client-page.ts";

/**
 * Follows the section of a language: its program holds an order of a hub that is not the default
 * one, sees it held, approves it, releases it and sees it finish.
 */
export async function expectOrderHeldAndFinished(language: string): Promise<void> {
  await using sidecar = await startSidecar();
  await using _order = await waitingOrder({ port: sidecar.port, taskHub: "orders" });
  await using directory = await checkout();
  const reader = { checkout: directory, address: sidecar.address };
  const [generate, start] = codeBlocks(language, "sh");

  await type(generate, reader);
  const printed = await type(start, reader);

  expect(printed.slice(0, 2)).toEqual([
    'INSTANCE_STATUS_SUSPENDED "waiting for approval"',
    "revision 1 held: back soon",
  ]);
  // What is in between depends on how fast the program reads.
  expect(printed.at(-1)).toBe('INSTANCE_STATUS_COMPLETED "waiting for approval"');
}

/** Starts `order-1`, which shows that it waits for the event Approval, and finishes with it. */
async function waitingOrder(address: HubAddress): Promise<AsyncDisposable> {
  await using started = new AsyncDisposableStack();
  const client = newClient(address);
  started.defer(() => client.stop());
  const worker = newWorker(address);
  worker.addNamedOrchestrator("order", order);
  await worker.start();
  started.defer(() => worker.stop());
  await client.scheduleNewOrchestration("order", "kettle", "order-1");
  // Its first turn, which sets the custom status, is committed then.
  await client.waitForOrchestrationStart("order-1");
  return started.move();
}

async function* order(context: OrchestrationContext): Steps {
  context.setCustomStatus("waiting for approval");
  return yield context.waitForExternalEvent("Approval");
}
