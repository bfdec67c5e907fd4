import type { MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../sidecar/wire/gen/grpc/health/v1/health_pb.ts";
import {
  OrchestrationStatus,
  type OrchestratorActionSchema,
  TaskHubSidecarService,
  type WorkItem,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient, type RawStream } from "../support/raw-client.ts";
import { runProgramToEnd, type SidecarProcess, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { getInstance, getWorkItems, startInstance } = TaskHubSidecarService.method;
const { completeOrchestratorTask, waitForInstanceCompletion } = TaskHubSidecarService.method;

const order = { instanceId: "order", name: "Order" };
const unavailable = { code: status.UNAVAILABLE };

/** A worker that has taken the first turn of "order", and answers it when it is told to. */
async function workerWithTurn(client: RawClient): Promise<TurnInFlight> {
  const stream = client.serverStream(getWorkItems, {});
  await stream.headers;
  await client.unary(startInstance, order);
  const completionToken = (await stream.next())?.completionToken ?? "";
  const { instanceId } = order;
  return {
    stream,
    complete: (actions = [done]) =>
      client.unary(completeOrchestratorTask, {
        instanceId,
        completionToken,
        actions: [...actions],
      }),
  };
}

interface TurnInFlight {
  readonly stream: RawStream<WorkItem>;
  /** Answers the turn; by default with the end of the instance. */
  readonly complete: (actions?: readonly Action[]) => Promise<unknown>;
}

type Action = MessageInitShape<typeof OrchestratorActionSchema>;

const done: Action = {
  id: 0,
  orchestratorActionType: {
    case: "completeOrchestration",
    value: { orchestrationStatus: OrchestrationStatus.COMPLETED, result: '"done"' },
  },
};

function startOfChild(id: number): Action {
  const value = { name: "Child", instanceId: `child-${id}` };
  return { id, orchestratorActionType: { case: "createSubOrchestration", value } };
}

/** Has told the sidecar to stop, and waits until it has begun to. */
async function stopping(sidecar: SidecarProcess): Promise<void> {
  void sidecar.stop();
  await sidecar.logged("sidecar.stopping");
}

test.each(["SIGTERM", "SIGINT"] as const)("%s ends an idle sidecar with 0", async (signal) => {
  await using sidecar = await startSidecar();
  expect(await sidecar.kill(signal)).toBe(0);
  expect(await sidecar.stderr()).toBe("");
  expect(sidecar.logs().map(({ event }) => event)).toEqual([
    "sidecar.started",
    "sidecar.ready",
    "sidecar.stopping",
    "sidecar.stopped",
  ]);
});

test("idle streams and waiting calls end with UNAVAILABLE, and the sidecar with 0", async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  await client.unary(startInstance, order);
  const stream = client.serverStream(getWorkItems, {
    workItemFilters: { orchestrations: [{ name: "SomethingElse" }] },
  });
  await stream.headers;
  const waiting = client.unary(waitForInstanceCompletion, order);
  // On one connection: when this is answered, the wait has arrived.
  await client.unary(getInstance, order);
  const end = sidecar.stop();
  await expect(waiting).rejects.toMatchObject(unavailable);
  await expect(stream.next()).rejects.toMatchObject(unavailable);
  expect(await end).toBe(0);
});

test("while it drains it is alive but not ready, and takes no new calls", async () => {
  await using sidecar = await startSidecar();
  using client = new RawClient(sidecar.address);
  const turn = await workerWithTurn(client);
  await stopping(sidecar);
  const [liveness, readiness, service] = await Promise.all(
    ["liveness", "readiness", "TaskHubSidecarService"].map((name) =>
      client.unary(Health.method.check, { service: name }),
    ),
  );
  expect([liveness?.status, readiness?.status, service?.status]).toEqual([
    Serving.SERVING,
    Serving.NOT_SERVING,
    Serving.NOT_SERVING,
  ]);
  expect(await runProgramToEnd(["healthcheck", "--address", sidecar.address])).toEqual({
    end: 1,
    stdout: "NOT_SERVING\n",
    stderr: "",
  });
  await expect(client.unary(startInstance, { name: "Late" })).rejects.toMatchObject(unavailable);
  await turn.complete();
  expect(await sidecar.exited).toBe(0);
});

test("what a worker answers while the sidecar drains is kept", async () => {
  await using directory = await temporaryDirectory();
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using client = new RawClient(sidecar.address);
    const turn = await workerWithTurn(client);
    await stopping(sidecar);
    await turn.complete();
    await expect(turn.stream.next()).rejects.toMatchObject(unavailable);
    expect(await sidecar.exited).toBe(0);
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  const { orchestrationState } = await client.unary(getInstance, {
    ...order,
    getInputsAndOutputs: true,
  });
  expect(orchestrationState).toMatchObject({
    orchestrationStatus: OrchestrationStatus.COMPLETED,
    output: '"done"',
  });
});

test("stopping while the children of a turn are still being created ends with 0", async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  const turn = await workerWithTurn(client);
  await stopping(sidecar);
  // Far more than one commit creates; the others wait in the outbox.
  await turn.complete(Array.from({ length: 5_000 }, (_, id) => startOfChild(id)));
  expect({ end: await sidecar.exited, stderr: await sidecar.stderr() }).toEqual({
    end: 0,
    stderr: "",
  });
});

test("a second signal ends it at once with 1, though a worker still has work", async () => {
  await using sidecar = await startSidecar();
  using client = new RawClient(sidecar.address);
  await workerWithTurn(client);
  await stopping(sidecar);
  expect(await sidecar.kill("SIGTERM")).toBe(1);
  expect(await sidecar.stderr()).toBe("taskhub: forced to stop by a second signal (SIGTERM)\n");
});
