import { expect, test } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient } from "../support/raw-client.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { getInstance, getWorkItems, startInstance } = TaskHubSidecarService.method;
const order = { instanceId: "order", name: "Order", input: '{"sku":"x"}' };

test("an instance that was acknowledged is there, and goes on, after kill -9", async () => {
  await using directory = await temporaryDirectory();
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using client = new RawClient(sidecar.address);
    await client.unary(startInstance, order);
    expect(await sidecar.kill("SIGKILL")).toBe("SIGKILL");
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  const { exists, orchestrationState } = await client.unary(getInstance, {
    instanceId: "order",
    getInputsAndOutputs: true,
  });
  expect({ exists, name: orchestrationState?.name, input: orchestrationState?.input }).toEqual({
    exists: true,
    name: order.name,
    input: order.input,
  });
  using stream = client.serverStream(getWorkItems, {});
  const item = await stream.next();
  expect(item?.request).toMatchObject({
    case: "orchestratorRequest",
    value: { instanceId: "order" },
  });
});

test("task hubs are told apart, and each survives a restart", async () => {
  await using directory = await temporaryDirectory();
  const blue = { metadata: { taskhub: "blue" } };
  const green = { metadata: { taskhub: "green" } };
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using client = new RawClient(sidecar.address);
    await client.unary(startInstance, order, blue);
    expect(await sidecar.stop()).toBe(0);
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  const get = { instanceId: "order" };
  expect((await client.unary(getInstance, get, blue)).exists).toBe(true);
  expect((await client.unary(getInstance, get, green)).exists).toBe(false);
});

test("it listens at every address that it was given", async () => {
  const listen = ["127.0.0.1:0", "localhost:0", "127.0.0.2:0"] as const;
  await using sidecar = await startSidecar({ listen });
  expect(sidecar.addresses.length).toBeGreaterThanOrEqual(listen.length);
  for (const address of sidecar.addresses) {
    using client = new RawClient(address);
    expect((await client.unary(getInstance, { instanceId: "none" })).exists).toBe(false);
  }
});
