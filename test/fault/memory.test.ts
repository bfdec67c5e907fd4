/** A heap that could not hold a fraction of what is stored: whoever keeps it all ends here. */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CompatWorker } from "../support/compat-worker.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { fillDirectory } from "../support/many-instances.ts";
import { fixedRig } from "../support/rig.ts";
import { type SidecarProcess, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { count, report } = fixedRig("T-MEMORY");

/** A head takes about 4 KB: a tenth of these instances would fill the heap. */
const INSTANCES = count(150_000, 1_000_000);
const HEAP_MB = 100;
const HEAP_FLAGS = [`--max-old-space-size=${HEAP_MB}`];

test("instances that wait for workers cost next to no memory, and run when there is one", {
  timeout: 1_800_000,
}, async () => {
  await using directory = await temporaryDirectory();
  await fillDirectory(directory.path, { count: INSTANCES });
  await using sidecar = await startSidecar({
    dataDirectory: directory.path,
    nodeArgs: HEAP_FLAGS,
  });
  await sidecar.logged("sidecar.ready");
  const heapAtRest = await heapMegabytes(sidecar);
  await using worker = await workerOf(sidecar);
  const seen = new Set<string>();
  const turns = 2_000;
  for (let turn = 0; turn < turns; turn += 1) {
    const { request } = await worker.completeNext();
    seen.add(request.instanceId);
  }
  expect(seen.size).toBe(turns);
  const heapAtWork = await heapMegabytes(sidecar);
  report({ instances: INSTANCES, heapLimitMb: HEAP_MB, heapAtRest, heapAtWork, turns });
});

test("instances that sleep cost no memory", { timeout: 1_800_000 }, async () => {
  await using directory = await temporaryDirectory();
  const scheduledStartAt = timestampFromMs(Date.now() + 30 * 24 * 3_600_000);
  await fillDirectory(directory.path, { count: INSTANCES, scheduledStartAt });
  await using sidecar = await startSidecar({
    dataDirectory: directory.path,
    nodeArgs: HEAP_FLAGS,
  });
  await sidecar.logged("sidecar.ready");
  report({ sleeping: INSTANCES, heapLimitMb: HEAP_MB, heapAtRest: await heapMegabytes(sidecar) });
});

async function workerOf(sidecar: SidecarProcess): Promise<CompatWorker> {
  const transport = new GrpcTransport({ host: "127.0.0.1", port: sidecar.port });
  return new CompatWorker(createClient(TaskHubSidecarService, transport), {
    maxConcurrentOrchestrationWorkItems: 10,
  });
}

async function heapMegabytes(sidecar: SidecarProcess): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${sidecar.port}/metrics`)).text();
  const bytes = /^nodejs_heap_size_used_bytes (\S+)$/m.exec(page)?.[1];
  return Math.round(Number(bytes) / 1024 ** 2);
}
