/** A history that the heap could not hold is served all the same: to readers, and to workers. */
import { create, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  TaskHubSidecarService,
  WorkerCapability,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { delimitedFields } from "../../sidecar/wire/splice.ts";
import { CompatWorker, type TurnItem } from "../support/compat-worker.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type SidecarProcess, startSidecar } from "../support/sidecar-process.ts";
import { type HistoryFigures, writeHistory } from "../support/stored-history.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Less than half of what it has to do with, in megabytes: loaded once, the history would fill it. */
const HEAP_MB = 90;

/** 56 MB in events so small that each of them costs more heap than it has bytes. */
const LONG = { instanceId: "a", turns: 150, eventsPerTurn: 2_000, payloadBytes: 150 };

test("a history of 50 MB is read and worked on in a process with a heap of less than 192 MB", {
  timeout: 180_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const written = await writeHistory(directory.path, LONG);
  expect(written.bytes).toBeGreaterThan(50_000_000);
  await using sidecar = await startSidecar({
    dataDirectory: directory.path,
    nodeArgs: [`--max-old-space-size=${HEAP_MB}`],
  });
  await sidecar.logged("sidecar.ready");
  using transport = new GrpcTransport({ host: "127.0.0.1", port: sidecar.port });
  const client = createClient(TaskHubSidecarService, transport);
  expect((await client.getInstance({ instanceId: "a" })).exists).toBe(true);
  expect(await figuresOf(sidecar, false)).toEqual(written);
  await workOn(client, sidecar, written.events);
  expect(sidecar.logs().filter(({ level }) => level === "error")).toEqual([]);
});

/** Turns by a worker that fetches the history of each. */
async function workOn(
  client: Client<typeof TaskHubSidecarService>,
  sidecar: SidecarProcess,
  written: number,
): Promise<void> {
  await using worker = new CompatWorker(client, {
    capabilities: [WorkerCapability.HISTORY_STREAMING],
  });
  let events = written;
  for (let count = 0; count < 2; count += 1) {
    await client.raiseEvent({ instanceId: "a", name: "Go" });
    const turn: TurnItem = await worker.turn();
    expect(turn.request).toMatchObject({ requiresHistoryStreaming: true, pastEvents: [] });
    expect(await figuresOf(sidecar, true)).toMatchObject({ events });
    await worker.complete(turn);
    events += turn.request.newEvents.length;
  }
}

/** Counts what a stream of chunks carries, without decoding its events. */
async function figuresOf(
  sidecar: SidecarProcess,
  forWorkItemProcessing: boolean,
): Promise<HistoryFigures> {
  const client = new GrpcClient(sidecar.address, credentials.createInsecure());
  const { input, parent, name } = TaskHubSidecarService.method.streamInstanceHistory;
  const request = create(input, { instanceId: "a", forWorkItemProcessing });
  const chunks: AsyncIterable<Buffer> = client.makeServerStreamRequest(
    `/${parent.typeName}/${name}`,
    (message: typeof request) => Buffer.from(toBinary(input, message)),
    (bytes) => bytes,
    request,
  );
  let events = 0;
  let bytes = 0;
  for await (const chunk of chunks) {
    expect(chunk.length).toBeLessThanOrEqual(LIMITS.historyChunkBytes);
    for (const [, event] of delimitedFields(chunk)) {
      events += 1;
      bytes += event.length;
    }
  }
  client.close();
  return { events, bytes };
}
