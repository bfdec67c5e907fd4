import { once } from "node:events";
import { constants } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallContext, mountService } from "../../sidecar/rpc/service.ts";
import { ServerReflection } from "../../sidecar/wire/gen/grpc/reflection/v1/reflection_pb.ts";
import {
  TaskHubSidecarService,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CountingHub } from "../support/counting-hub.ts";
import { answerOf, framed, RawHttp2 } from "../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const WAIT = "/TaskHubSidecarService/WaitForInstanceStart";
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const STREAM = "/TaskHubSidecarService/GetWorkItems";
const EMPTY = framed(new Uint8Array());

let hub: CountingHub;
let served: TestServer;
let raw: RawHttp2;

beforeEach(async () => {
  hub = new CountingHub();
  served = await openTestServer([mountService(TaskHubSidecarService, hub)]);
  raw = new RawHttp2(served.address);
});

afterEach(async () => {
  await raw[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
});

async function expectStillServing() {
  expect(await raw.call(HELLO, EMPTY)).toMatchObject({ http: 200, grpc: status.OK });
  expect(served.internalErrors).toEqual([]);
}

describe("a call that ends before its answer", () => {
  it.each([WAIT, STREAM])("by its deadline: %s is told, and so is its caller", async (path) => {
    // A slow machine may take a short time for a deadline that passed before the call began.
    for (let timeoutMs = 20; hub.calls === 0; timeoutMs *= 2) {
      const answer = await raw.call(path, EMPTY, { "grpc-timeout": `${timeoutMs}m` });
      expect(answer.grpc).toBe(status.DEADLINE_EXCEEDED);
    }
    expect(await hub.reason.promise).toMatchObject({ code: "deadline-exceeded" });
    await expectStillServing();
  });

  it.each([WAIT, STREAM])("by a cancel: %s is told", async (path) => {
    const stream = raw.open(path);
    stream.end(EMPTY);
    await hub.context.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await hub.reason.promise).toMatchObject({ code: "cancelled" });
    await expectStillServing();
  });

  it.each([WAIT, STREAM])("by a lost connection: %s is told", async (path) => {
    const stream = raw.open(path);
    stream.end(EMPTY);
    await hub.context.promise;
    raw.session.destroy();
    expect(await hub.reason.promise).toMatchObject({ code: "cancelled" });
    expect(served.internalErrors).toEqual([]);
  });

  it("by a lost connection, on a bidirectional call: its requests break off with the reason", async () => {
    const broken = Promise.withResolvers<unknown>();
    const mount = mountService(ServerReflection, {
      async *serverReflectionInfo(requests) {
        try {
          for await (const request of requests) yield { originalRequest: request };
        } catch (error) {
          broken.resolve(error);
          throw error;
        }
      },
    });
    await using other = await openTestServer([mount]);
    await using client = new RawHttp2(other.address);
    const stream = client.open(REFLECTION);
    stream.write(EMPTY);
    // The answer to the first request: the method is on its way to the second.
    await once(stream, "data");
    client.session.destroy();
    expect(await broken.promise).toMatchObject({ name: "HubError", code: "cancelled" });
    expect(other.internalErrors).toEqual([]);
  });

  it("before its signal was read: the signal is aborted when it is", async () => {
    const read = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<unknown>();
    const mount = mountService(TaskHubSidecarService, {
      async waitForInstanceStart(_request, context) {
        entered.resolve();
        await read.promise;
        seen.resolve(context.signal.reason);
        return {};
      },
    });
    await using closed = await openTestServer([mount], {
      onConnectionClosed: () => read.resolve(),
    });
    await using client = new RawHttp2(closed.address);
    client.open(WAIT).end(EMPTY);
    await entered.promise;
    client.session.destroy();
    expect(await seen.promise).toMatchObject({ code: "cancelled" });
    expect(closed.internalErrors).toEqual([]);
  });

  it("is of interest only if its method has a bug", async () => {
    const failed = Promise.withResolvers<unknown>();
    const mount = mountService(TaskHubSidecarService, {
      async waitForInstanceStart(_request, { signal }) {
        hub.context.resolve({ signal } as CallContext);
        if (!signal.aborted) await once(signal, "abort");
        throw new TypeError("bug");
      },
    });
    await using other = await openTestServer([mount], { onInternalError: failed.resolve });
    await using client = new RawHttp2(other.address);
    const stream = client.open(WAIT);
    stream.end(EMPTY);
    await hub.context.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await failed.promise).toEqual(new TypeError("bug"));
  });
});

describe("a stream", () => {
  it("has its headers sent before its first item", async () => {
    const stream = raw.open(STREAM);
    stream.end(EMPTY);
    const [headers] = await once(stream, "response");
    expect(headers).toMatchObject({ ":status": 200, "content-type": "application/grpc+proto" });
    expect(hub.calls).toBe(1);
    stream.close(constants.NGHTTP2_CANCEL);
    await hub.reason.promise;
  });

  it("is not pulled from while its caller does not read", async () => {
    const item = toBinary(
      WorkItemSchema,
      create(WorkItemSchema, { completionToken: "t".repeat(64 * 1024) }),
    );
    const items = 1_000;
    let pulled = 0;
    const mount = mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      async *getWorkItems() {
        for (; pulled < items; pulled += 1) yield item;
      },
    });
    await using other = await openTestServer([mount]);
    await using client = new RawHttp2(other.address);
    const stream = client.open(STREAM);
    stream.end(EMPTY);
    await once(stream, "response");
    // Round trips on the same connection, until nothing moved during one.
    for (let before = -1; pulled !== before; ) {
      before = pulled;
      await client.call(HELLO, EMPTY);
    }
    // A flow control window of 64 KiB, what the client's stream buffers, and the eight that may be
    // unsent.
    expect(pulled).toBeLessThan(16);
    const { grpc, body } = await answerOf(stream);
    expect(grpc).toBe(status.OK);
    expect(pulled).toBe(items);
    expect(body.byteLength).toBe(items * (item.byteLength + 5));
  });
});
