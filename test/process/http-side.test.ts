import { expect, test } from "vitest";
import { silentLog } from "../../sidecar/foundation/log.ts";
import { showAddress } from "../../sidecar/process/addresses.ts";
import { startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import { READINESS } from "../../sidecar/process/health-names.ts";
import { VERSION } from "../../sidecar/process/version.ts";
import { Health } from "../../sidecar/wire/gen/grpc/health/v1/health_pb.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient } from "../support/raw-client.ts";

const { completeOrchestratorTask, getWorkItems, startInstance } = TaskHubSidecarService.method;

test("the HTTP/1.1 side tells whether the app is ready, and its metrics", async () => {
  const flags = { store: "memory", listen: "127.0.0.1:0" };
  const config = parseServeConfig({ flags, environment: {}, workingDirectory: "/" });
  await using app = await startApp(config, { log: silentLog });
  const address = app.addresses.map(showAddress)[0] ?? "";
  const page = async (path: string) => {
    const answer = await fetch(`http://${address}${path}`);
    return [answer.status, await answer.text()];
  };
  using client = new RawClient(address);
  using readiness = client.serverStream(Health.method.watch, { service: READINESS });
  while ((await readiness.next())?.status !== 1);
  expect(await page("/readyz")).toEqual([200, "ready\n"]);
  expect(await page("/metrics")).toEqual([
    200,
    expect.stringContaining(
      `taskhub_build_info{version="${VERSION}",node="${process.versions.node}"} 1`,
    ),
  ]);
  using stream = client.serverStream(getWorkItems, {});
  await client.unary(startInstance, { instanceId: "order", name: "Order" });
  const item = await stream.next();
  // Ends when the worker has answered.
  const drained = app.drain();
  expect(await page("/readyz")).toEqual([503, "not ready: stopping\n"]);
  expect(await page("/healthz")).toEqual([200, "ok\n"]);
  await client.unary(completeOrchestratorTask, {
    instanceId: "order",
    completionToken: item?.completionToken ?? "",
  });
  await drained;
});
