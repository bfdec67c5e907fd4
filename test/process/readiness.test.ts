/** What makes the sidecar not ready, told by its pages, its health service and its metrics. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { showAddress } from "../../sidecar/process/addresses.ts";
import { startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import type { StoreMonitor } from "../../sidecar/store/monitor.ts";
import { Health } from "../../sidecar/wire/gen/grpc/health/v1/health_pb.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";
import { FaultyStore } from "../support/faulty-store.ts";
import { keptLog } from "../support/log-lines.ts";

async function started() {
  const disk = new FaultyStore();
  const clock = new FakeSteadyClock();
  const { log, lines } = keptLog();
  const flags = { store: "memory", listen: "127.0.0.1:0" };
  const config = parseServeConfig({ flags, environment: {}, workingDirectory: "/" });
  const openStore = (monitor: StoreMonitor) => disk.open(monitor, clock);
  const app = await startApp(config, { log, openStore, steadyClock: clock });
  const baseUrl = `http://${app.addresses.map(showAddress)[0]}`;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
  const health = createClient(Health, transport);
  const page = async (path: string) => {
    const answer = await fetch(`${baseUrl}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  const logged = async (event: string) => {
    while (!lines.some((line) => line.event === event)) await new Promise(setImmediate);
  };
  await logged("sidecar.ready");
  return {
    app,
    disk,
    clock,
    lines,
    logged,
    client: createClient(TaskHubSidecarService, transport),
    readyPage: () => page("/readyz"),
    /** The page for probes, the health service by service, and what the metrics say. */
    async shown() {
      const metrics = await page("/metrics");
      const metric = (sample: string) =>
        Number(
          metrics
            .split("\n")
            .find((line) => line.startsWith(`${sample} `))
            ?.split(" ")[1],
        );
      const status = async (service: string) => (await health.check({ service })).status;
      return {
        page: await page("/readyz"),
        liveness: await status("liveness"),
        readiness: await status("readiness"),
        service: await status("TaskHubSidecarService"),
        ready: metric("taskhub_ready"),
        notReady: metric('taskhub_not_ready{reason="store"}'),
        storeUp: metric("taskhub_store_up"),
      };
    },
    async [Symbol.asyncDispose]() {
      // A test that fails must not wait for a store that never comes back.
      disk.fate = "lands";
      disk.opening.resolve();
      await app[Symbol.asyncDispose]();
    },
  };
}

const serving = {
  liveness: 1,
  readiness: 1,
  service: 1,
  ready: 1,
  notReady: 0,
  page: "200 ready\n",
};
const notServing = { liveness: 1, readiness: 2, service: 2, ready: 0, notReady: 1 };

test("a store that is away for longer than three seconds makes it not ready, until it writes again", async () => {
  await using world = await started();
  const { client, clock, disk, lines, logged, shown } = world;
  await client.startInstance({ instanceId: "witness", name: "Order" });
  expect(await shown()).toEqual({ ...serving, storeUp: 1 });
  disk.fate = "fails";
  const start = client.startInstance({ instanceId: "a", name: "Order" });
  await logged("store.write_failed");
  clock.advance(2_999);
  // What the page reads from the store is not there, and the page is.
  expect(await shown()).toEqual({ ...serving, storeUp: 0 });
  clock.advance(1);
  const page = "503 not ready: store\n";
  expect(await shown()).toEqual({ ...notServing, storeUp: 0, page });
  disk.fate = "lands";
  clock.advance(1_000);
  disk.opening.resolve();
  expect((await start).instanceId).toBe("a");
  expect(await shown()).toEqual({ ...serving, storeUp: 1 });
  const said = lines.filter(({ event }) => event.startsWith("store."));
  expect(said.map(({ level, event }) => `${level} ${event}`)).toEqual([
    "error store.write_failed",
    "error store.down",
    "warn store.reopened",
    "info store.up",
  ]);
  expect(said.at(-1)?.fields).toEqual({ durationMs: 4_000 });
});

test("a store that is back at once leaves it ready, and so does the time after that", async () => {
  await using world = await started();
  const { client, clock, disk, logged, shown } = world;
  disk.fate = "fails";
  const start = client.startInstance({ instanceId: "a", name: "Order" });
  await logged("store.write_failed");
  disk.fate = "lands";
  disk.opening.resolve();
  await start;
  clock.advance(60_000);
  expect(await shown()).toEqual({ ...serving, storeUp: 1 });
});

test("a store that was opened again and cannot write is still away", async () => {
  await using world = await started();
  const { client, clock, disk, logged, shown, lines } = world;
  const count = (event: string) => lines.filter((line) => line.event === event).length;
  // Only for a lack of space it is tried more than once.
  disk.space.isShort = async () => true;
  disk.space.makeRoom = async () => true;
  disk.fate = "fails";
  const start = client.startInstance({ instanceId: "a", name: "Order" });
  await logged("store.write_failed");
  clock.advance(2_000);
  disk.opening.resolve();
  await logged("store.reopened");
  while (count("store.write_failed") < 2) await new Promise(setImmediate);
  clock.advance(1_000);
  expect(await shown()).toMatchObject({ ...notServing, page: "503 not ready: store\n" });
  disk.fate = "lands";
  disk.opening.resolve();
  await start;
  expect(await shown()).toEqual({ ...serving, storeUp: 1 });
});

test("a store that has failed for good makes it not ready at once", async () => {
  await using world = await started();
  const { app, client, disk, logged, readyPage } = world;
  disk.fate = "fails";
  const start = client.startInstance({ instanceId: "a", name: "Order" });
  // It is cut when the process ends.
  start.catch(() => {});
  await logged("store.write_failed");
  disk.opening.reject(new Error("gone"));
  expect(await app.failed).toMatchObject({ code: "store-distrusted" });
  expect(await readyPage()).toBe("503 not ready: store\n");
});

test.each(["low", "tight", "full"] as const)(
  "a disk whose space is %s leaves it ready, and the page says so",
  async (level) => {
    await using world = await started();
    world.disk.space.level = level;
    expect(await world.shown()).toEqual({
      ...serving,
      storeUp: 1,
      page: `200 ready: disk ${level}\n`,
    });
  },
);
