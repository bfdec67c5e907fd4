/** Streams that have nothing to do: a thousand of them. PROTOCOL.md 3.3. */
import { readFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  TaskHubSidecarService,
  WorkerCapability,
  type WorkItem,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient, type RawStream } from "../../support/raw-client.ts";
import { startSidecar } from "../../support/sidecar-process.ts";
import { completed } from "../../support/worker-actions.ts";
import { openWorkers } from "./kit/world.ts";

const { getWorkItems } = TaskHubSidecarService.method;
const STREAMS = 1_000;
const CONNECTIONS = 10;
const PING_MS = 30_000;

/** Many streams over a few connections. Closing the connections ends them. */
async function openIdle(address: string, clients: DisposableStack): Promise<RawStream<WorkItem>[]> {
  const streams: RawStream<WorkItem>[] = [];
  for (let at = 0; at < CONNECTIONS; at += 1) {
    const client = clients.use(new RawClient(address));
    for (let each = 0; each < STREAMS / CONNECTIONS; each += 1) {
      streams.push(clients.use(client.serverStream(getWorkItems, {})));
    }
  }
  // A worker takes its stream for open when it has these: they come before there is any work.
  await Promise.all(streams.map(({ headers }) => headers));
  return streams;
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

describe("1,000 idle streams", () => {
  it("are open at once, each has its ping after 30 s, and work goes to one of them", async () => {
    await using world = await openWorkers();
    using clients = new DisposableStack();
    const streams = await openIdle(world.address, clients);
    await world.hub.settled();
    expect(await openStreams(world.v1)).toBe(STREAMS);
    await world.hub.pass(PING_MS);
    const pings = await Promise.all(streams.map((stream) => stream.next()));
    expect(pings.map((item) => item?.request.case)).toEqual(Array(STREAMS).fill("healthPing"));
    expect(new Set(pings.map((item) => item?.completionToken))).toEqual(new Set([""]));
    const items = streams.map((stream) => stream.next());
    await world.start("a");
    const first = await Promise.race(items);
    expect(first?.request.case).toBe("orchestratorRequest");
    await world.client.completeOrchestratorTask({
      instanceId: "a",
      completionToken: first?.completionToken ?? "",
      actions: [completed("done")],
    });
    expect((await world.end("a")).output).toBe("done");
    for (const item of items) item.catch(() => {});
  });

  it.skipIf(process.platform !== "linux")("cost a process less than 100 KiB each", async () => {
    await using sidecar = await startSidecar();
    using clients = new DisposableStack();
    using first = new RawClient(sidecar.address);
    using warm = first.serverStream(getWorkItems, {});
    await warm.headers;
    const before = await residentBytes(sidecar.pid);
    await openIdle(sidecar.address, clients);
    const each = ((await residentBytes(sidecar.pid)) - before) / STREAMS;
    console.log(`an idle stream costs ${Math.round(each)} bytes`);
    expect(each).toBeLessThan(100 * 1_024);
  });
});

describe("a stream", () => {
  it("with capabilities, also of a newer protocol, is served as any other", async () => {
    await using world = await openWorkers();
    const { HISTORY_STREAMING, SCHEDULED_TASKS, LARGE_PAYLOADS } = WorkerCapability;
    const newer: number = 99;
    const capabilities: WorkerCapability[] = [HISTORY_STREAMING, SCHEDULED_TASKS, LARGE_PAYLOADS];
    capabilities.push(newer as WorkerCapability);
    const worker = await world.worker({ capabilities });
    await world.start("a");
    expect((await worker.turn()).request.requiresHistoryStreaming).toBe(false);
  });

  it("with filters that match nothing gets pings and no work, and keeps it from nobody", async () => {
    await using world = await openWorkers();
    const unsuitable = [{}, { orchestrations: [{ name: "Nobody starts this" }] }];
    const idle = [];
    for (const workItemFilters of unsuitable) {
      const transport = world.connect();
      const worker = await world.workerOver(transport, { workItemFilters });
      idle.push({ worker, client: createClient(TaskHubSidecarService, transport) });
    }
    for (const id of ["a", "b"]) await world.start(id);
    await world.hub.settled();
    await world.hub.pass(PING_MS);
    const worker = await world.worker();
    const taken = [await worker.completeNext(), await worker.completeNext()];
    expect(taken.map(({ request }) => request.instanceId)).toEqual(["a", "b"]);
    for (const id of ["a", "b"]) expect((await world.end(id)).status).toBe("COMPLETED");
    const { workers } = await world.v1.listWorkers({});
    expect(workers.map(({ inFlight, waiting }) => [inFlight.length, waiting])).toEqual(
      Array(3).fill([0, true]),
    );
    for (const { worker: silent, client } of idle) {
      // What the server sent before this answer, over the same connection, is here.
      await client.hello({});
      expect(silent.pings).toBe(1);
    }
  });
});

async function openStreams(v1: Awaited<ReturnType<typeof openWorkers>>["v1"]): Promise<number> {
  return (await v1.listWorkers({})).workers.filter(({ detached }) => !detached).length;
}
