import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { typesOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import type { ProgramState } from "../support/program-suite.ts";

const taskHub = `java-${randomUUID()}`;
const suite = await javaSuite("rewind", taskHub);
const { test, ask, cannot } = suite;

const noClient = "its client has no rewind";

/** An SDK that cannot rewind works on what somebody else has rewound. */
async function rewind(instanceId: string, reason?: string): Promise<ProgramState> {
  using transport = new GrpcTransport({ host: "127.0.0.1", port: suite.sidecar.port });
  const client = createClient(TaskHubSidecarService, transport);
  const request = { instanceId, ...(reason === undefined ? {} : { reason }) };
  await client.rewindInstance(request, { headers: { taskhub: taskHub } });
  return ask<ProgramState>("completed", instanceId);
}

async function fail(name: string, wish: { goodRun?: number; depth?: number } = {}) {
  const key = `${name}-${randomUUID()}`;
  const { instanceId, status } = await ask<ProgramState>("run", name, {
    key,
    goodRun: 2,
    ...wish,
  });
  expect(status).toBe("FAILED");
  return { instanceId, key };
}

const well = { status: "COMPLETED", output: "[1,2]" };
const childWell = { status: "COMPLETED", output: "2" };

test("a rewound orchestration runs its failed activity again and completes", async () => {
  const { instanceId } = await fail("twoSteps");
  expect(await rewind(instanceId, "the cause is gone")).toMatchObject(well);
});

test("what has succeeded before a rewind is not run again", async () => {
  const { instanceId, key } = await fail("twoSteps");
  await rewind(instanceId);
  expect([await ask("runs", `${key} good`), await ask("runs", key)]).toEqual([1, 2]);
});

test("a failed child is rewound with its parent", async () => {
  const { instanceId, key } = await fail("levels", { depth: 1 });
  expect(await rewind(instanceId)).toMatchObject(childWell);
  expect(await ask("completed", `${key}-1`)).toMatchObject(childWell);
});

test("a failed grandchild is rewound with its grandparent", async () => {
  const { instanceId, key } = await fail("levels", { depth: 2 });
  expect(await rewind(instanceId)).toMatchObject(childWell);
  expect(await ask("completed", `${key}-1`)).toMatchObject(childWell);
});

test("a purged child is created again when its parent is rewound", async () => {
  const { instanceId, key } = await fail("levels", { depth: 1 });
  await ask("purge", `${key}-1`);
  expect(await rewind(instanceId)).toMatchObject(childWell);
});

test("an orchestration is rewound twice", async () => {
  const { instanceId } = await fail("twoSteps", { goodRun: 3 });
  expect(await rewind(instanceId)).toMatchObject({ status: "FAILED" });
  expect(await rewind(instanceId)).toMatchObject({ status: "COMPLETED", output: "[1,3]" });
});

test("an orchestration is rewound without a reason", async () => {
  const { instanceId } = await fail("twoSteps");
  expect(await rewind(instanceId)).toMatchObject(well);
});

test("a retry policy that has made its attempts makes one more behind each rewind", async () => {
  const { instanceId } = await fail("retries", { goodRun: 4 });
  const { failure } = await rewind(instanceId);
  expect(failure?.message).toContain("run 3 failed");
  expect(await rewind(instanceId)).toMatchObject({ status: "COMPLETED", output: "[4,1]" });
});

test("the history shows a rewind and its reason", async () => {
  const { instanceId } = await fail("twoSteps");
  await rewind(instanceId, "the cause is gone");
  const history = await suite.history(instanceId);
  expect(typesOf(history)).toEqual([
    "orchestratorStarted",
    "executionStarted",
    "taskScheduled",
    "orchestratorStarted",
    "taskCompleted",
    "orchestratorStarted",
    "orchestratorStarted",
    "executionRewound",
    "orchestratorStarted",
    "taskScheduled",
    "orchestratorStarted",
    "taskCompleted",
    "executionCompleted",
  ]);
  expect(history[7]?.eventType.value).toMatchObject({ reason: "the cause is gone" });
});

cannot("rewinding an unknown instance is refused", noClient);
cannot("an orchestration that has not failed is not rewound", noClient);
