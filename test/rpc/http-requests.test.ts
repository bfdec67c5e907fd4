import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reflectionServices } from "../../sidecar/rpc/reflection.ts";
import { mountService } from "../../sidecar/rpc/service.ts";
import {
  CreateInstanceRequestSchema,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { CountingHub } from "../support/counting-hub.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  http1,
  jsonCall,
  RawSocket,
} from "../support/raw-http1.ts";
import { framed, frameHeader } from "../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../support/rpc-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const START = "/TaskHubSidecarService/StartInstance";
const STREAM = "/TaskHubSidecarService/GetWorkItems";
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const RECEIVE_BYTES_MAX = 64 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

let hub: CountingHub;
let served: TestServer;

beforeEach(async () => {
  hub = new CountingHub();
  const mounts = [mountService(TaskHubSidecarService, hub), ...reflectionServices([])];
  served = await openTestServer(mounts, { receiveBytesMax: RECEIVE_BYTES_MAX });
});

afterEach(async () => {
  await served[Symbol.asyncDispose]();
});

/** Nothing was called, nothing broke, and no header invites other origins. */
async function expectNoEffect({ headers }: HttpAnswer) {
  expect(hub.calls).toBe(0);
  expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  expect(await jsonCall(served.address, HELLO, {})).toMatchObject({ status: 200, text: "{}" });
  expect(served.internalErrors).toEqual([]);
}

describe("a call of curl", () => {
  it("is JSON both ways", async () => {
    const answer = await jsonCall(served.address, START, { name: "Order", instanceId: "o-1" });
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json" },
      text: JSON.stringify({ instanceId: "Order" }),
    });
    expect(hub.calls).toBe(1);
  });

  it("stays on HTTP/1.1 when it asks for an upgrade to HTTP/2", async () => {
    const upgrade = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "" };
    const answer = await jsonCall(served.address, HELLO, {}, upgrade);
    expect(answer).toMatchObject({ status: 200, text: "{}" });
  });

  it("is refused when it names a field that does not exist", async () => {
    const answer = await jsonCall(served.address, START, { name: "Order", instanceID: "o-1" });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "invalid_argument" });
    expect(answer.text).toContain("instanceID");
    await expectNoEffect(answer);
  });
});

describe("a malformed request is refused before its method runs:", () => {
  const garbage = Buffer.from("d9a1ff0083", "hex");
  const unary: [string, string, Uint8Array | string, Record<string, string>][] = [
    ["no JSON", "application/json", "{", {}],
    ["no body", "application/json", "", {}],
    ["a JSON array", "application/json", "[]", {}],
    ["a wrong type", "application/json", '{"name":7}', {}],
    ["random bytes", "application/proto", garbage, {}],
    ["invalid UTF-8", "application/proto", Buffer.from([0x0a, 2, 0xc3, 0x28]), {}],
    ["bytes that are no gzip", "application/json", "{}", { "content-encoding": "gzip" }],
    [
      "half a gzip",
      "application/json",
      gzipSync('{"name":"Order"}').subarray(0, 20),
      { "content-encoding": "gzip" },
    ],
    ["no deadline", "application/json", "{}", { "connect-timeout-ms": "soon" }],
    ["an empty hub", "application/json", "{}", { taskhub: "" }],
    ["two hubs", "application/json", "{}", { taskhub: "a, b" }],
    ["an ill-named hub", "application/json", "{}", { taskhub: "caf\u00e9" }],
  ];

  it.each(unary)("%s as %s", async (_what, contentType, body, headers) => {
    const request = { body, headers: { ...headers, "content-type": contentType } };
    const answer = await http1(served.address, START, request);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([400, "invalid_argument"]);
    await expectNoEffect(answer);
  });

  const streamed: [string, Uint8Array][] = [
    ["random bytes", framed(garbage)],
    ["a truncated frame", framed(garbage).subarray(0, 7)],
    ["no gzip", framed(garbage, { compressed: true })],
  ];

  it.each(streamed)("%s to a stream", async (_what, body) => {
    const encoding = { "connect-content-encoding": "gzip", "grpc-encoding": "gzip" };
    const connect = { body, headers: { ...encoding, "content-type": "application/connect+proto" } };
    const answer = await http1(served.address, STREAM, connect);
    expect(answer.text).toContain('"code":"invalid_argument"');
    await expectNoEffect(answer);
    const web = { body, headers: { ...encoding, "content-type": "application/grpc-web+proto" } };
    expect((await http1(served.address, STREAM, web)).text).toContain("grpc-status: 3\r\n");
    await expectNoEffect(answer);
  });

  it.each(["0", "00"])("a deadline of %s ms", async (timeout) => {
    const answer = await jsonCall(served.address, START, {}, { "connect-timeout-ms": timeout });
    expect(JSON.parse(answer.text).code).toBe("deadline_exceeded");
    await expectNoEffect(answer);
  });

  const elsewhere: [string, string, HttpRequest, number][] = [
    ["an unknown service", "/Nope/Hello", { headers: JSON_TYPE, body: "{}" }, 404],
    ["an unknown method", `${HELLO}s`, { headers: JSON_TYPE, body: "{}" }, 404],
    ["a method with many requests", REFLECTION, { headers: JSON_TYPE, body: "{}" }, 404],
    ["an unknown page", "/favicon.ico", {}, 404],
    ["a path out of the tree", "//../../etc/passwd", {}, 404],
    ["GET of a method", START, {}, 405],
    ["PUT to a method", START, { method: "PUT", headers: JSON_TYPE, body: "{}" }, 405],
    ["OPTIONS of a method", START, { method: "OPTIONS" }, 405],
    ["OPTIONS of everything", "*", { method: "OPTIONS" }, 404],
    ["POST to a page", "/healthz", { headers: JSON_TYPE, body: "{}" }, 405],
    ["the body of a form", START, { headers: { "content-type": "text/plain" }, body: "{}" }, 415],
    [
      "gRPC",
      START,
      { headers: { "content-type": "application/grpc" }, body: framed(garbage) },
      415,
    ],
    ["no content type", START, { method: "POST" }, 415],
  ];

  it.each(elsewhere)("%s", async (_what, path, request, status) => {
    const answer = await http1(served.address, path, request);
    expect(answer.status).toBe(status);
    await expectNoEffect(answer);
  });

  it("headers of more than 16 KiB", async () => {
    const answer = await jsonCall(served.address, START, {}, { padding: "p".repeat(17_000) });
    expect(answer.status).toBe(431);
    await expectNoEffect(answer);
  });
});

describe("the size of a message", () => {
  it("may be the limit", async () => {
    const body = startRequest(RECEIVE_BYTES_MAX);
    const headers = { "content-type": "application/proto" };
    expect((await http1(served.address, START, { headers, body })).status).toBe(200);
    expect(hub.calls).toBe(1);
  });

  const large = startRequest(RECEIVE_BYTES_MAX + 1);
  const bomb = Buffer.alloc(16 * 1024 * 1024, " ");
  const megabytes = Array.from({ length: 32 }, () => Buffer.alloc(1024 * 1024, " "));
  const rows: [string, Record<string, string>, NonNullable<HttpRequest["body"]>][] = [
    ["one byte more", { "content-type": "application/proto" }, large],
    ["megabytes more, without a length", JSON_TYPE, megabytes],
    ["gzip of much more", { ...JSON_TYPE, "content-encoding": "gzip" }, gzipSync(bomb)],
    ["brotli of much more", { ...JSON_TYPE, "content-encoding": "br" }, brotliCompressSync(bomb)],
  ];

  it.each(rows)("may not be %s", async (_what, headers, body) => {
    const answer = await http1(served.address, START, { headers, body });
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([429, "resource_exhausted"]);
    await expectNoEffect(answer);
  });

  it.each(["connect+proto", "grpc-web+proto"])(
    "may not be 4 GiB in a frame of %s",
    async (type) => {
      const headers = { "content-type": `application/${type}` };
      const answer = await http1(served.address, STREAM, {
        headers,
        body: frameHeader(0xffff_ffff),
      });
      expect(answer.text).toMatch(/"code":"resource_exhausted"|grpc-status: 8\r\n/);
      await expectNoEffect(answer);
    },
  );
});

describe("a request that is refused half-way", () => {
  it("leaves its connection to the next one", async () => {
    using raw = new RawSocket(served.address);
    const length = RECEIVE_BYTES_MAX * 4;
    const head = `POST ${START} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const chunk = `${length.toString(16)}\r\n${" ".repeat(length)}\r\n`;
    await raw.write(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`);
    await raw.until("resource_exhausted");
    await raw.write(`${chunk}0\r\n\r\n`);
    await raw.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(await raw.closed).toMatch(/ok\n$/);
    expect(hub.calls).toBe(0);
  });
});

describe("a page of another origin", () => {
  const requests: [string, Record<string, string>][] = [
    ["another origin", { origin: "http://evil.example" }],
    ["another port", { origin: "http://127.0.0.1:1" }],
    ["an opaque origin", { origin: "null" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["a name that was pointed here", { host: "evil.example" }],
  ];

  it.each(requests)("is refused as %s, and has no effect", async (_what, headers) => {
    for (const path of [START, STREAM]) {
      const answer = await jsonCall(served.address, path, { name: "Order" }, headers);
      expect(answer.status).toBe(403);
      await expectNoEffect(answer);
    }
    for (const path of ["/", "/metrics", "/healthz", "/nothing"]) {
      expect((await http1(served.address, path, { headers })).status).toBe(403);
    }
  });

  it("gets no answer to a preflight", async () => {
    const origin = `http://${served.address.host}:${served.address.port}`;
    for (const headers of [{ origin }, { origin: "http://evil.example" }]) {
      const preflight = { ...headers, "access-control-request-method": "POST" };
      const answer = await http1(served.address, START, { method: "OPTIONS", headers: preflight });
      expect([403, 405]).toContain(answer.status);
      await expectNoEffect(answer);
    }
  });

  it("is told from a page of this origin", async () => {
    const origin = `http://${served.address.host}:${served.address.port}`;
    const headers = { origin, "sec-fetch-site": "same-origin" };
    expect((await jsonCall(served.address, START, {}, headers)).status).toBe(200);
    expect(hub.calls).toBe(1);
  });

  it("may not hide its host behind a second one", async () => {
    using raw = new RawSocket(served.address);
    const hosts = "Host: localhost\r\nHost: evil.example";
    await raw.write(`GET /healthz HTTP/1.1\r\n${hosts}\r\nConnection: close\r\n\r\n`);
    expect(await raw.closed).toMatch(/^HTTP\/1.1 40[03] /);
  });
});

/** A StartInstance request of exactly that many bytes. */
function startRequest(byteLength: number): Uint8Array {
  const overhead = 4;
  const name = "n".repeat(byteLength - overhead);
  return toBinary(CreateInstanceRequestSchema, create(CreateInstanceRequestSchema, { name }));
}
