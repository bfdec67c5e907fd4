import { once } from "node:events";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { silentLog } from "../../sidecar/foundation/log.ts";
import type { ListenTarget } from "../../sidecar/process/addresses.ts";
import { showAddress } from "../../sidecar/process/addresses.ts";
import { type App, startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import { EXIT } from "../../sidecar/process/exit-codes.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient } from "../support/raw-client.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { getInstance, getWorkItems, startInstance } = TaskHubSidecarService.method;

const freePort: ListenTarget = { kind: "address", host: "127.0.0.1", port: 0 };

function start(directory: string, ...listen: ListenTarget[]): Promise<App> {
  const store = { kind: "level", directory, reserveBytes: 0, acceptedLoss: undefined } as const;
  const config = parseServeConfig({ flags: {}, environment: {}, workingDirectory: directory });
  return startApp({ ...config, listen, store, logLevel: "error" }, { log: silentLog });
}

function clientOf(app: App): RawClient {
  return new RawClient(app.addresses.map(showAddress)[0] ?? "");
}

test("disposing an app waits for no worker, and keeps what was acknowledged", async () => {
  await using directory = await temporaryDirectory();
  {
    await using app = await start(directory.path, freePort);
    using client = clientOf(app);
    using stream = client.serverStream(getWorkItems, {});
    await client.unary(startInstance, { instanceId: "order", name: "Order" });
    expect((await stream.next())?.request.case).toBe("orchestratorRequest");
    await app[Symbol.asyncDispose]();
    await expect(stream.next()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    // Whoever comes second waits for the same end.
    await app.drain();
  }
  await using app = await start(directory.path, freePort);
  using client = clientOf(app);
  expect((await client.unary(getInstance, { instanceId: "order" })).exists).toBe(true);
});

test("an app that cannot listen leaves nothing open", async () => {
  await using directory = await temporaryDirectory();
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const takenPort: ListenTarget = { kind: "address", host: "127.0.0.1", port };
  await expect(start(directory.path, freePort, takenPort)).rejects.toMatchObject({
    exitCode: EXIT.addressInUse,
  });
  taken.close();
  await using app = await start(directory.path, freePort, takenPort);
  expect(app.addresses.length).toBe(2);
});
