/** The settings of retention reach the task hubs of a whole sidecar, and what it does is counted. */
import { createClient } from "@connectrpc/connect";
import { expect, it, vi } from "vitest";
import { startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { keptLog } from "../support/log-lines.ts";

it("purges by itself what --retention names, says so in the log, and counts it", async () => {
  const { log, lines } = keptLog();
  const flags = { store: "memory", listen: "127.0.0.1:0", retention: "terminated=1ms" };
  await using app = await startApp(
    parseServeConfig({ flags, environment: {}, workingDirectory: "/" }),
    { log },
  );
  const [address] = app.addresses;
  if (address === undefined) expect.fail("listens nowhere");
  using transport = new GrpcTransport(address);
  const client = createClient(TaskHubSidecarService, transport);
  await client.startInstance({ instanceId: "a", name: "Main" });
  await client.startInstance({ instanceId: "b", name: "Main" });
  await client.terminateInstance({ instanceId: "a" });
  await vi.waitFor(async () => {
    expect(await client.getInstance({ instanceId: "a" })).toMatchObject({ exists: false });
  });
  expect(await client.getInstance({ instanceId: "b" })).toMatchObject({ exists: true });
  await vi.waitFor(() => {
    const swept = lines.filter(({ event }) => event === "retention.swept");
    expect(swept.map(({ fields }) => fields)).toMatchObject([
      { taskHub: "default", status: "terminated", count: 1 },
    ]);
  });
  const url = `http://127.0.0.1:${address.port}/metrics`;
  const metrics = await (await fetch(url)).text();
  expect(metrics).toContain('taskhub_instances_purged_total{reason="retention"} 1');
  expect(metrics).toContain('taskhub_retention_overdue_seconds{task_hub="default"} 0');
});
