import { constants } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reflectionServices } from "../../sidecar/rpc/reflection.ts";
import { mountService } from "../../sidecar/rpc/service.ts";
import {
  CreateInstanceRequestSchema,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CountingHub } from "../support/counting-hub.ts";
import { framed, frameHeader, RawHttp2 } from "../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const START = "/TaskHubSidecarService/StartInstance";
const WAIT = "/TaskHubSidecarService/WaitForInstanceStart";
const STREAM = "/TaskHubSidecarService/GetWorkItems";
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const COMPLETE = "/TaskHubSidecarService/CompleteActivityTask";
const EMPTY = framed(new Uint8Array());
const RECEIVE_BYTES_MAX = 64 * 1024;

let hub: CountingHub;
let served: TestServer;
let raw: RawHttp2;

beforeEach(async () => {
  hub = new CountingHub();
  served = await openTestServer(
    [mountService(TaskHubSidecarService, hub), ...reflectionServices([])],
    {
      receiveBytesMax: RECEIVE_BYTES_MAX,
    },
  );
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

describe("a malformed request is refused before its method runs:", () => {
  const invalidUtf8 = Buffer.from([0xc3, 0x28]);
  const requests: [string, string, Uint8Array, keyof typeof status][] = [
    ["random bytes", START, framed(Buffer.from("d9a1ff0083", "hex")), "INVALID_ARGUMENT"],
    ["random bytes", STREAM, framed(Buffer.from("d9a1ff0083", "hex")), "INVALID_ARGUMENT"],
    ["random bytes", REFLECTION, framed(Buffer.from("d9a1ff0083", "hex")), "INVALID_ARGUMENT"],
    ["a truncated field", START, framed(Buffer.from([0x0a, 5, 0x61])), "INVALID_ARGUMENT"],
    ["invalid UTF-8", START, framed(field1(invalidUtf8)), "INVALID_ARGUMENT"],
    // version = 3 is a StringValue, whose value is field 1.
    [
      "invalid UTF-8 in a wrapper",
      START,
      framed(Buffer.concat([Buffer.from([0x1a, 4]), field1(invalidUtf8)])),
      "INVALID_ARGUMENT",
    ],
    // tags = 8 is a map, whose key is field 1.
    [
      "invalid UTF-8 in a map key",
      START,
      framed(Buffer.concat([Buffer.from([0x42, 4]), field1(invalidUtf8)])),
      "INVALID_ARGUMENT",
    ],
    [
      "messages in messages without end",
      COMPLETE,
      framed(nestedFailure(1_000)),
      "INVALID_ARGUMENT",
    ],
    // That is the published code for a wrong number of messages, and what grpc-js answers by
    // itself.
    ["no message", START, new Uint8Array(), "UNIMPLEMENTED"],
    ["no message", STREAM, new Uint8Array(), "UNIMPLEMENTED"],
    ["two messages", START, Buffer.concat([EMPTY, EMPTY]), "UNIMPLEMENTED"],
    ["two messages", STREAM, Buffer.concat([EMPTY, EMPTY]), "UNIMPLEMENTED"],
    ["a frame of 4 GiB", START, frameHeader(0xffff_ffff), "RESOURCE_EXHAUSTED"],
    ["a frame of 4 GiB", STREAM, frameHeader(0xffff_ffff), "RESOURCE_EXHAUSTED"],
    [
      "one byte over the limit",
      START,
      framed(startRequest(RECEIVE_BYTES_MAX + 1)),
      "RESOURCE_EXHAUSTED",
    ],
  ];

  it.each(requests)("%s to %s", async (_what, path, body, code) => {
    expect(await raw.call(path, body)).toMatchObject({ http: 200, grpc: status[code] });
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it("a message that decompresses to more than the limit", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    // The bomb is smaller than the limit while it is compressed.
    expect(bomb.byteLength).toBeLessThan(RECEIVE_BYTES_MAX + 4096);
    const body = framed(bomb.subarray(0, RECEIVE_BYTES_MAX), { compressed: true });
    const answer = await raw.call(START, body, { "grpc-encoding": "gzip" });
    expect(answer.grpc).toBe(status.RESOURCE_EXHAUSTED);
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it("an encoding that is not known", async () => {
    const body = framed(Buffer.from("x"), { compressed: true });
    const answer = await raw.call(START, body, { "grpc-encoding": "zstd" });
    expect(answer.grpc).toBe(status.UNIMPLEMENTED);
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it.each(["application/json", ""])("content-type %j", async (contentType) => {
    const answer = await raw.call(START, EMPTY, { "content-type": contentType });
    expect(answer).toMatchObject({ http: 415, grpc: undefined });
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it.each([
    "/TaskHubSidecarService/Nope",
    "/TaskHubSidecarService/startInstance",
    "/../../etc/passwd",
    "/",
  ])("path %s", async (path) => {
    expect(await raw.call(path, EMPTY)).toMatchObject({ http: 200, grpc: status.UNIMPLEMENTED });
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it.each([START, STREAM])("a deadline that has passed, to %s", async (path) => {
    for (const timeout of ["0n", "1n", "0S"]) {
      const answer = await raw.call(path, EMPTY, { "grpc-timeout": timeout });
      expect(answer.grpc).toBe(status.DEADLINE_EXCEEDED);
    }
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it.each(["a\tb", "caf\u00e9"])("the hub name %j", async (taskhub) => {
    const answer = await raw.call(START, EMPTY, { taskhub });
    expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it("a hub that is named twice", async () => {
    const answer = await raw.call(START, EMPTY, { taskhub: ["a", "a"] });
    expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });

  it.each([20_000, 70_000])("metadata of %d bytes: the connection lives", async (bytes) => {
    // The limit holds from the moment that the server's settings are known.
    await raw.call(HELLO, EMPTY);
    const answer = await raw.call(START, EMPTY, { padding: "p".repeat(bytes) });
    expect(answer.grpc).toBe(undefined);
    expect([constants.NGHTTP2_REFUSED_STREAM, constants.NGHTTP2_ENHANCE_YOUR_CALM]).toContain(
      answer.reset,
    );
    expect(hub.calls).toBe(0);
    await expectStillServing();
  });
});

describe("a request at its limits is served:", () => {
  it("a message of exactly the limit", async () => {
    const answer = await raw.call(START, framed(startRequest(RECEIVE_BYTES_MAX)));
    expect(answer.grpc).toBe(status.OK);
    expect(hub.calls).toBe(1);
  });

  it("a compressed message", async () => {
    const body = framed(gzipSync(field1(Buffer.from("id"))), { compressed: true });
    const answer = await raw.call(START, body, { "grpc-encoding": "gzip" });
    expect(answer.grpc).toBe(status.OK);
    expect(hub.calls).toBe(1);
  });

  it.each(["2592000S", "99999999S", "99999999M", "99999999H"])(
    "a deadline of %s",
    async (timeout) => {
      const stream = raw.open(WAIT, { "grpc-timeout": timeout });
      stream.end(EMPTY);
      const { signal } = await hub.context.promise;
      await raw.call(HELLO, EMPTY);
      expect(signal.aborted).toBe(false);
      stream.close(constants.NGHTTP2_CANCEL);
      expect(await hub.reason.promise).toMatchObject({ code: "cancelled" });
    },
  );

  it("failures nested as deep as programs nest them", async () => {
    expect((await raw.call(COMPLETE, framed(nestedFailure(50)))).grpc).toBe(status.OK);
  });
});

/** Field 1 of a message, as a string or a submessage. */
function field1(content: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = content.byteLength; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), content]);
}

/** An ActivityResponse with a failure in a failure, … that many times. */
function nestedFailure(depth: number): Buffer {
  let details: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level += 1) {
    // TaskFailureDetails.innerFailure is field 4, ActivityResponse.failureDetails too.
    details = field1(details);
    details[0] = 0x22;
  }
  return details;
}

/** A StartInstance request of exactly that many bytes. */
function startRequest(byteLength: number): Uint8Array {
  const overhead = 4;
  const name = "n".repeat(byteLength - overhead);
  return toBinary(CreateInstanceRequestSchema, create(CreateInstanceRequestSchema, { name }));
}
