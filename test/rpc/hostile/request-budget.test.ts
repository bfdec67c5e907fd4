/** Requests that arrive together: how much memory they may take, and who is refused. */

import { once } from "node:events";
import { constants } from "node:http2";
import { gzipSync } from "node:zlib";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { RequestBudget } from "../../../sidecar/rpc/request-budget.ts";
import { mountService } from "../../../sidecar/rpc/service.ts";
import { MemoryBudget } from "../../../sidecar/scheduler/memory-budget.ts";
import { ServerReflection } from "../../../sidecar/wire/gen/grpc/reflection/v1/reflection_pb.ts";
import { BudgetWorld, EMPTY, KIB, PATHS, startRequest } from "../../support/budget-world.ts";
import { FakeSteadyClock } from "../../support/fake-clock.ts";
import { answerOf, framed, frameHeader, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer } from "../../support/rpc-harness.ts";

const LARGE = 600 * KIB;

describe("requests that are half there and together too large", () => {
  it("are refused but for the first, with a time to come back after", async () => {
    await using world = await BudgetWorld.open();
    const first = world.half(PATHS.start, LARGE);
    await world.arrived();
    expect(world.requests.bytes).toBe(LARGE);
    const others = Array.from({ length: 20 }, () => world.half(PATHS.start, LARGE));
    const retryAfter = others.map(
      (stream) =>
        new Promise((resolve) => {
          stream.once("response", (headers) => resolve(headers["retry-after-ms"]));
        }),
    );
    for (const stream of others) stream.once("end", () => stream.end());
    for (const answer of await Promise.all(others.map(answerOf))) {
      expect(answer).toMatchObject({
        grpc: status.RESOURCE_EXHAUSTED,
        message: expect.stringContaining("requests are on their way"),
      });
    }
    for (const ms of await Promise.all(retryAfter)) expect(ms).toMatch(/^\d{3,4}$/);
    expect(world.requests.refused).toBe(20);
    expect(world.requests.bytes).toBe(LARGE);
    first.end(framed(startRequest("half", LARGE)).subarray(16));
    expect(await answerOf(first)).toMatchObject({ grpc: status.OK });
    await world.expectTaken(0);
  });

  it("keep out neither small requests nor completions", async () => {
    await using world = await BudgetWorld.open();
    world.half(PATHS.start, 1024 * KIB);
    await world.arrived();
    const call = (path: string, bytes: number) =>
      world.raw.call(path, framed(startRequest("other", bytes)));
    expect(await call(PATHS.start, 4 * KIB)).toMatchObject({ grpc: status.OK });
    expect(world.hub.seen).toBe(1024 * KIB + 4 * KIB);
    expect(await call(PATHS.start, 4 * KIB + 1)).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
    expect(await call(PATHS.wait, 4 * KIB + 1)).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
    // Not one that can be read, but it was let in.
    for (const path of [PATHS.complete, PATHS.abandon]) {
      const { grpc } = await call(path, LARGE);
      expect([status.OK, status.INVALID_ARGUMENT]).toContain(grpc);
    }
    await world.expectTaken(1024 * KIB);
  });

  it("keep small ones out when those are too many", async () => {
    await using world = await BudgetWorld.open();
    world.half(PATHS.start, 1024 * KIB);
    for (let at = 0; at < 16; at += 1) world.half(PATHS.start, 4 * KIB);
    await world.arrived();
    expect(world.requests.bytes).toBe(1024 * KIB + 64 * KIB);
    const answer = await world.raw.call(PATHS.start, framed(startRequest("other", 100)));
    expect(answer).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
    expect(await world.raw.call(PATHS.hello, EMPTY)).toMatchObject({ grpc: status.OK });
  });
});

describe("a request", () => {
  it("that is larger than the whole budget is served when it is alone", async () => {
    await using world = await BudgetWorld.open({ bytesMax: 100 * KIB });
    const message = framed(startRequest("large", LARGE));
    expect(await world.raw.call(PATHS.start, message)).toMatchObject({ grpc: status.OK });
    expect(world.hub.seen).toBe(LARGE);
    world.half(PATHS.start, 80 * KIB);
    await world.arrived();
    const answer = await world.raw.call(PATHS.start, message);
    expect(answer).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
  });

  it("is counted whatever pieces it comes in", async () => {
    await using world = await BudgetWorld.open();
    const stream = world.raw.open(PATHS.start);
    for (const byte of framed(startRequest("pieces", 300))) {
      await new Promise((resolve) => stream.write(Buffer.of(byte), resolve));
    }
    await world.expectTaken(300);
    stream.end();
    expect(await answerOf(stream)).toMatchObject({ grpc: status.OK });
    expect(world.hub.seen).toBe(300);
    await world.expectTaken(0);
  });

  it("is counted by what it decompresses to", async () => {
    await using world = await BudgetWorld.open();
    const gzip = { "grpc-encoding": "gzip" };
    const bomb = framed(gzipSync(startRequest("bomb", LARGE)), { compressed: true });
    expect(bomb.byteLength).toBeLessThan(4 * KIB);
    expect(await world.raw.call(PATHS.start, bomb, gzip)).toMatchObject({ grpc: status.OK });
    expect(world.hub.seen).toBe(LARGE);
    await world.expectTaken(0);
    world.half(PATHS.start, LARGE);
    await world.arrived();
    const refused = await world.raw.call(PATHS.start, bomb, gzip);
    expect(refused).toMatchObject({
      grpc: status.RESOURCE_EXHAUSTED,
      message: expect.stringContaining("requests are on their way"),
    });
    await world.expectTaken(LARGE);
  });

  it.each([PATHS.wait, PATHS.workItems])(
    "of a call that stays is the method's once it is read: %s",
    async (path) => {
      await using world = await BudgetWorld.open();
      const request = framed(unknownField(100 * KIB));
      const stream = world.raw.open(path);
      stream.write(request.subarray(0, 100));
      await world.expectTaken(request.byteLength - 5);
      stream.end(request.subarray(100));
      await world.hub.entered.promise;
      await world.expectTaken(0);
      stream.close(constants.NGHTTP2_CANCEL);
      const another = world.half(path, LARGE);
      await world.expectTaken(LARGE);
      another.close(constants.NGHTTP2_CANCEL);
      await world.expectTaken(0);
    },
  );
});

/** A message of any kind: fields that nobody knows are allowed. */
function unknownField(bytes: number): Uint8Array {
  return new BinaryWriter().tag(100, WireType.LengthDelimited).bytes(Buffer.alloc(bytes)).finish();
}

describe("the requests of a call that has many", () => {
  const request = framed(Buffer.concat([Buffer.of(0x3a, 0xe8, 0x07), Buffer.alloc(1_000, "x")]));

  it("are given back one by one as they are read", async () => {
    await using world = await BudgetWorld.open();
    const stream = world.raw.open(PATHS.reflection);
    const answers = answerOf(stream);
    for (let at = 0; at < 20; at += 1) stream.write(request);
    stream.write(request.subarray(0, 500));
    await world.expectTaken(request.byteLength - 5);
    stream.end(request.subarray(500));
    expect(await answers).toMatchObject({ grpc: status.OK });
    await world.expectTaken(0);
  });

  it("end it when one is too large together with others", async () => {
    await using world = await BudgetWorld.open();
    const other = world.half(PATHS.start, LARGE);
    const stream = world.raw.open(PATHS.reflection);
    stream.write(request);
    await world.expectTaken(LARGE);
    const answer = answerOf(stream);
    // All of it is taken, and nothing of it is kept.
    for (let at = 0; at < 3; at += 1) {
      const sent = framed(unknownField(LARGE));
      await new Promise((resolve) => stream.write(sent, resolve));
    }
    stream.end();
    expect(await answer).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
    expect(world.requests.bytes).toBe(LARGE);
    other.close(constants.NGHTTP2_CANCEL);
    await world.expectTaken(0);
  });

  it("reach its method no more once one was refused, although its caller does not read", async () => {
    const seen: number[] = [];
    const mount = mountService(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const { host } of requests) {
          seen.push(host.length);
          // More than a window: the status of the call has to wait behind it.
          yield { validHost: "y".repeat(200 * KIB) };
        }
      },
    });
    const requests = new RequestBudget({
      bytesMax: 100 * KIB,
      smallBytes: 0,
      smallReserveBytes: 0,
    });
    const budgets = { requests, outbound: new MemoryBudget(LIMITS.outboundBytesMax) };
    await using served = await openTestServer([mount], { budgets });
    await using raw = new RawHttp2(served.address);
    const ofHost = (length: number) =>
      framed(
        new BinaryWriter().tag(1, WireType.LengthDelimited).string("h".repeat(length)).finish(),
      );
    const half = raw.open(PATHS.reflection);
    half.write(ofHost(60 * KIB).subarray(0, 100));
    const stream = raw.open(PATHS.reflection);
    stream.write(ofHost(1));
    await once(stream, "response");
    for (const length of [70 * KIB, 2, 3]) {
      await new Promise((resolve) => stream.write(ofHost(length), resolve));
    }
    stream.end();
    expect(await answerOf(stream)).toMatchObject({ grpc: status.RESOURCE_EXHAUSTED });
    expect(seen).toEqual([1]);
    expect(requests.refused).toBe(1);
  });

  it("have to arrive in time, each", async () => {
    const clock = new FakeSteadyClock();
    const times = { steadyClock: clock, requestTimeoutMs: 60_000 };
    await using world = await BudgetWorld.open(times);
    const stream = world.raw.open(PATHS.reflection);
    const ended = answerOf(stream);
    stream.write(request);
    await world.arrived();
    clock.advance(120_000);
    stream.write(frameHeader(1_000));
    await world.expectTaken(1_000);
    clock.advance(59_999);
    await world.arrived();
    expect(stream.closed).toBe(false);
    clock.advance(1);
    expect(await ended).toMatchObject({ reset: constants.NGHTTP2_CANCEL });
    await world.expectTaken(0);
  });
});
