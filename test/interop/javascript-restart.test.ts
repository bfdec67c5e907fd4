import { type OrchestrationContext, OrchestrationStatus } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, newId, present } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();

const double = suite.orchestrator("double", async (_context, input: number) => input * 2);
const versioned = suite.orchestrator("versioned", async ({ version }) => version);
const listens = suite.orchestrator(
  "listens",
  async function* (context: OrchestrationContext): Steps {
    return yield context.waitForExternalEvent("go");
  },
);

async function startListening(): Promise<string> {
  const instanceId = await suite.start(listens);
  await suite.client.waitForOrchestrationStart(instanceId);
  return instanceId;
}

test.concurrent("a completed orchestration that is restarted under its id runs again with its input", async () => {
  const before = await suite.run(double, 21);
  expect(await suite.client.restartOrchestration(before.instanceId)).toBe(before.instanceId);
  const after = await suite.completed(before.instanceId);
  expect(after.serializedInput).toBe("21");
  expect(after.serializedOutput).toBe("42");
  expect(after.createdAt.getTime()).toBeGreaterThan(before.createdAt.getTime());
});

test.concurrent("a restart under a new id leaves a running orchestration as it is", async () => {
  const instanceId = await startListening();
  const copy = await suite.client.restartOrchestration(instanceId, true);
  expect(copy).not.toBe(instanceId);
  await suite.client.raiseOrchestrationEvent(copy, "go", 1);
  expect((await suite.completed(copy)).serializedOutput).toBe("1");
  const { runtimeStatus } = present(await suite.client.getOrchestrationState(instanceId));
  expect(runtimeStatus).toBe(OrchestrationStatus.RUNNING);
});

test.concurrent("a restarted orchestration has the tags and the version of its source", async () => {
  const tags = { team: "blue" };
  const { instanceId } = await suite.run(versioned, undefined, { tags, version: "2.1" });
  const copy = await suite.client.restartOrchestration(instanceId, true);
  const state = await suite.completed(copy);
  expect(state.serializedOutput).toBe('"2.1"');
  expect(state.tags).toEqual(tags);
});

test.concurrent("a running or suspended orchestration is not restarted under its id", async () => {
  const instanceId = await startListening();
  const refused = /cannot be restarted/;
  await expect(suite.client.restartOrchestration(instanceId)).rejects.toThrow(refused);
  await suite.client.suspendOrchestration(instanceId);
  await expect(suite.client.restartOrchestration(instanceId)).rejects.toThrow(refused);
});

test.concurrent("restarting an unknown instance is refused", async () => {
  const instanceId = newId("nobody");
  await expect(suite.client.restartOrchestration(instanceId)).rejects.toThrow(/not found/);
  await expect(suite.client.restartOrchestration(instanceId, true)).rejects.toThrow(/not found/);
});
