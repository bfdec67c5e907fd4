/** AdminService: a hub leaves as chunks of a file and comes back in parts. */
import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { adminService } from "../../../sidecar/rpc/v1/admin-service.ts";
import { AdminService } from "../../../sidecar/wire/gen/taskhub/v1/admin_service_pb.ts";
import { comparable, opened, partsOf } from "../../support/backup-files.ts";
import { populate } from "../../support/backup-world.ts";
import { failureOf, type Serve } from "../../support/compat-world.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openHub } from "../../support/scheduler-harness.ts";

const CHUNK = 256 * 1024;

async function openAdmin(serve: Serve) {
  const hub = await openHub();
  const served = await serve(compatibleService(hub.hubs, countedIds("c")), adminService(hub.hubs));
  const admin = createClient(AdminService, served.transport);
  return {
    hub,
    admin,
    internalErrors: served.internalErrors,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

type World = Awaited<ReturnType<typeof openAdmin>>;

const inHub = (taskhub: string) => ({ headers: { taskhub } });

async function chunksOf({ admin }: World, taskHub = "default"): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const { data } of admin.exportTaskHub({}, inHub(taskHub))) chunks.push(data);
  return chunks;
}

async function send(world: World, file: Uint8Array, taskHub: string) {
  const { admin } = world;
  const { importId } = await admin.beginImport({}, inHub(taskHub));
  for (const [partNumber, data] of partsOf(file, CHUNK)) {
    await admin.importRecords({ importId, partNumber, data }, inHub(taskHub));
  }
  return { importId, answer: await admin.finishImport({ importId }, inHub(taskHub)) };
}

describe.each(transports)("over $name", ({ serve }) => {
  it("a hub is exported in chunks of at most 256 KiB, and imported under another name", async () => {
    await using world = await openAdmin(serve);
    await populate(world.hub);
    const input = JSON.stringify("x".repeat(200_000));
    for (const id of ["large-1", "large-2", "large-3"]) await world.hub.start(id, { input });
    const chunks = await chunksOf(world);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.every(({ length }) => length <= CHUNK)).toBe(true);
    const file = Buffer.concat(chunks);
    const { importId, answer } = await send(world, file, "copy");
    const { header } = opened(Buffer.concat(await chunksOf(world, "copy")));
    const { incarnation } = header;
    expect(answer).toMatchObject({ instances: 15n, hold: "import", incarnation });
    expect(answer.entries).toBe(BigInt(comparable(file).length));
    expect(await world.admin.finishImport({ importId }, inHub("copy"))).toEqual(answer);
    expect(world.internalErrors).toEqual([]);
  });

  it("what cannot be done is refused in words, and changes nothing", async () => {
    await using world = await openAdmin(serve);
    const { admin, hub } = world;
    await hub.start("a");
    const file = Buffer.concat(await chunksOf(world));
    const written = hub.store.durablePosition;
    expect(await failureOf(chunksOf(world, "never"))).toEqual({
      code: "NotFound",
      message: 'task hub "never" does not exist',
    });
    expect(await failureOf(admin.beginImport({}))).toEqual({
      code: "FailedPrecondition",
      message: 'task hub "default" is not empty: purge or delete it first',
    });
    expect(await failureOf(admin.finishImport({ importId: "x" }))).toMatchObject({
      code: "NotFound",
    });
    expect(await admin.abortImport({ importId: "x" })).toBeDefined();
    expect(hub.store.durablePosition).toBe(written);
    const { importId } = await admin.beginImport({}, inHub("b"));
    const part = (partNumber: bigint, data: Uint8Array) =>
      failureOf(admin.importRecords({ importId, partNumber, data }, inHub("b")));
    expect(await part(0n, file)).toMatchObject({ code: "InvalidArgument" });
    expect(await part(1n, Buffer.alloc(CHUNK + 1))).toMatchObject({ code: "ResourceExhausted" });
    expect(await part(2n, file)).toMatchObject({ code: "FailedPrecondition" });
    expect(await failureOf(admin.beginImport({}, inHub("b")))).toMatchObject({
      code: "FailedPrecondition",
      message: 'task hub "b" is being imported',
    });
    expect(await part(1n, Buffer.alloc(100))).toEqual({
      code: "InvalidArgument",
      message: "the backup is damaged: it does not begin like a backup; nothing was imported",
    });
    expect(await part(1n, file)).toMatchObject({ code: "NotFound" });
    expect(await hub.store.listHubs()).toHaveLength(1);
    expect(world.internalErrors).toEqual([]);
  });

  it("a reader that goes away leaves no export open", async () => {
    await using world = await openAdmin(serve);
    const input = JSON.stringify("x".repeat(1_000_000));
    for (let at = 0; at < 8; at += 1) await world.hub.start(`large-${at}`, { input });
    const call = new AbortController();
    const reading = (async () => {
      for await (const _chunk of world.admin.exportTaskHub({}, { signal: call.signal })) {
        expect(world.hub.hubs.exports.open).toBe(1);
        call.abort();
      }
    })();
    await expect(reading).rejects.toThrow();
    while (world.hub.hubs.exports.open > 0) await new Promise((turn) => setImmediate(turn));
    expect(world.internalErrors).toEqual([]);
  });
});
