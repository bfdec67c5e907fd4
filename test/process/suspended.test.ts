/** Held hubs and instances over the life and the end of the real process. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScope, TimerPolicy } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { InstanceStatus } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { RawClient } from "../support/raw-client.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { getWorkItems, startInstance, waitForInstanceCompletion } = TaskHubSidecarService.method;
const { getSuspension, getTaskHub, listSuspensions, queryInstances, raiseEvent } =
  ClientService.method;
const { resumeTaskHub, suspendInstance, suspendTaskHub, waitForQuiescence, watchInstance } =
  ClientService.method;

const suspended = { args: ["--suspended"] };
const inNewHub = { metadata: { taskhub: "new" } };
const unavailable = { code: status.UNAVAILABLE };
const many = 1_000;

/** The windows of a hub, with the names that matter to readers. */
async function windowsOf(client: RawClient, options = {}) {
  const { holds, quiescent } = await client.unary(getTaskHub, {}, options);
  return {
    quiescent,
    names: holds.map(({ hold }) => hold?.name),
    placedAt: holds[0]?.hold?.placedAt,
  };
}

test("--suspended holds every hub there is and every one that comes, and outlasts a start without it", async () => {
  await using directory = await temporaryDirectory();
  const start = (more = {}) => startSidecar({ dataDirectory: directory.path, ...more });
  {
    await using sidecar = await start();
    using client = new RawClient(sidecar.address);
    await client.unary(startInstance, { instanceId: "order", name: "Order" });
    expect(await windowsOf(client)).toMatchObject({ names: [], quiescent: false });
    expect(await sidecar.stop()).toBe(0);
  }
  const placed = [];
  {
    await using sidecar = await start(suspended);
    using client = new RawClient(sidecar.address);
    await client.unary(startInstance, { instanceId: "late", name: "Late" }, inNewHub);
    for (const options of [{}, inNewHub]) {
      const windows = await windowsOf(client, options);
      expect(windows).toMatchObject({ names: ["boot"], quiescent: true });
      placed.push(windows.placedAt);
    }
    expect(await sidecar.kill("SIGKILL")).toBe("SIGKILL");
  }
  // The second start finds the hold of the first, and leaves it as it is.
  for (const again of [{}, suspended]) {
    await using sidecar = await start(again);
    await sidecar.logged("sidecar.ready");
    using client = new RawClient(sidecar.address);
    const found = [await windowsOf(client), await windowsOf(client, inNewHub)];
    expect(found.map(({ names }) => names)).toEqual([["boot"], ["boot"]]);
    expect(found.map(({ placedAt }) => placedAt)).toEqual(placed);
    const { instance, turnHeldBack } = await client.unary(getSuspension, { instanceId: "order" });
    expect(turnHeldBack).toBe(true);
    expect(instance?.status).toBe(InstanceStatus.PENDING);
    expect(await sidecar.stop()).toBe(0);
  }
});

test("what --suspended holds runs when a client releases it, also after the next start", async () => {
  await using directory = await temporaryDirectory();
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path, ...suspended });
    using client = new RawClient(sidecar.address);
    using work = client.serverStream(getWorkItems, {});
    await work.headers;
    await client.unary(startInstance, { instanceId: "order", name: "Order" });
    await client.unary(resumeTaskHub, { name: "boot" });
    expect((await work.next())?.request).toMatchObject({ value: { instanceId: "order" } });
    work.cancel();
    // Only what is placed when it starts is placed: a hub that comes now is held like the first one.
    await client.unary(startInstance, { instanceId: "late", name: "Late" }, inNewHub);
    expect((await windowsOf(client, inNewHub)).names).toEqual(["boot"]);
    await sidecar.kill("SIGKILL");
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  expect((await windowsOf(client)).names).toEqual([]);
  using work = client.serverStream(getWorkItems, {});
  expect((await work.next())?.request).toMatchObject({ value: { instanceId: "order" } });
});

test("SIGTERM does not wait for what is held, and ends those who wait for it", async () => {
  await using directory = await temporaryDirectory();
  const instanceId = "order";
  const window = { name: "night", selector: { names: ["Batch"] }, timerPolicy: TimerPolicy.FREEZE };
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using client = new RawClient(sidecar.address);
    using work = client.serverStream(getWorkItems, {});
    await work.headers;
    await client.unary(suspendTaskHub, window);
    await client.unary(startInstance, { instanceId: "batch", name: "Batch" });
    // Held before it can run: its start is later.
    const scheduledStartTimestamp = timestampFromMs(Date.now() + 3_600_000);
    await client.unary(startInstance, { instanceId, name: "Order", scheduledStartTimestamp });
    await client.unary(suspendInstance, { instanceId, name: "audit", reason: "numbers" });
    await client.unary(suspendInstance, { instanceId, name: "tree", scope: HoldScope.TREE });
    await client.unary(raiseEvent, { instanceId, name: "E" });
    using watch = client.serverStream(watchInstance, { instanceId });
    expect((await watch.next())?.instance?.holds).toHaveLength(2);
    const waiting = client.unary(waitForInstanceCompletion, { instanceId });
    const refused = expect(waiting).rejects.toMatchObject(unavailable);
    await client.unary(getSuspension, { instanceId });

    const end = sidecar.stop();

    await refused;
    await expect(watch.next()).rejects.toMatchObject(unavailable);
    await expect(work.next()).rejects.toMatchObject(unavailable);
    expect(await end).toBe(0);
    const complaints = sidecar.logs().filter(({ level }) => level !== "info");
    expect(complaints).toEqual([]);
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  using client = new RawClient(sidecar.address);
  const { instance, bufferedEvents } = await client.unary(getSuspension, { instanceId });
  expect(instance?.holds.map(({ name }) => name)).toEqual(["audit", "tree"]);
  expect(bufferedEvents?.count).toBe(1);
  const target = { case: "window", value: "night" } as const;
  const { holds } = await client.unary(waitForQuiescence, { target });
  expect(holds.map(({ name, timerPolicy }) => ({ name, timerPolicy }))).toEqual([
    { name: "night", timerPolicy: TimerPolicy.FREEZE },
  ]);
});

test(`${many} suspended instances are not loaded by a start, and all are there`, async () => {
  await using directory = await temporaryDirectory();
  {
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    using client = new RawClient(sidecar.address);
    await client.unary(startInstance, { instanceId: "runs", name: "Order" });
    const ids = Array.from({ length: many }, (_, number) => `held-${number}`);
    await Promise.all(
      ids.map(async (instanceId) => {
        await client.unary(startInstance, { instanceId, name: "Order" });
        await client.unary(suspendInstance, { instanceId, name: "audit" });
      }),
    );
    await sidecar.kill("SIGKILL");
  }
  await using sidecar = await startSidecar({ dataDirectory: directory.path });
  // What is ready and not held: one.
  expect(await sidecar.logged("sidecar.ready")).toMatchObject({ instances: 1 });
  using client = new RawClient(sidecar.address);
  const { suspensions } = await client.unary(listSuspensions, { pageSize: many });
  expect(suspensions).toHaveLength(many);
  expect(await countSuspended(client)).toBe(many);
  using work = client.serverStream(getWorkItems, {});
  expect((await work.next())?.request).toMatchObject({ value: { instanceId: "runs" } });
});

async function countSuspended(client: RawClient): Promise<number> {
  const filter = { statuses: [InstanceStatus.SUSPENDED] };
  let count = 0;
  let pageToken = "";
  // Ends with the page that has no next one.
  do {
    const page = await client.unary(queryInstances, { filter, pageToken, pageSize: many });
    count += page.instances.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return count;
}
