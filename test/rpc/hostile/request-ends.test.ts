/** Every way in which a call can end: none keeps what its request has taken. */
import { constants } from "node:http2";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { BudgetWorld, EMPTY, KIB, PATHS, startRequest } from "../../support/budget-world.ts";
import { answerOf, framed, frameHeader } from "../../support/raw-http2.ts";

const LARGE = 600 * KIB;

/** How a call of `StartInstance` can end, and what is taken before. */
const ends: readonly [string, (world: BudgetWorld) => Promise<number>][] = [
  ["it is answered", (world) => finished(world, "ok")],
  ["its method fails", (world) => finished(world, "fail")],
  [
    "it cannot be read",
    async ({ raw, requests }) => {
      const stream = raw.open(PATHS.start);
      stream.write(frameHeader(1_000));
      await raw.call(PATHS.hello, EMPTY);
      const { bytes } = requests;
      stream.end(Buffer.alloc(1_000, 0xff));
      expect(await answerOf(stream)).toMatchObject({ grpc: status.INVALID_ARGUMENT });
      return bytes;
    },
  ],
  [
    "it cannot be decompressed",
    async (world) => {
      const stream = world.raw.open(PATHS.start, { "grpc-encoding": "gzip" });
      stream.write(frameHeader(1_000, true));
      await world.arrived();
      const { bytes } = world.requests;
      stream.end(Buffer.alloc(1_000, 0xff));
      expect(await answerOf(stream)).toMatchObject({ grpc: status.INVALID_ARGUMENT });
      return bytes;
    },
  ],
  [
    "it has a second request that is too large for the server",
    async (world) => {
      const stream = world.raw.open(PATHS.start);
      stream.write(framed(startRequest("first", 1_000)));
      await world.arrived();
      const { bytes } = world.requests;
      stream.end(frameHeader(0xffff_ffff));
      const { grpc } = await answerOf(stream);
      expect([status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED]).toContain(grpc);
      return bytes;
    },
  ],
  [
    "it ends in the middle of its request",
    (world) =>
      halfEnded(world, async (stream) => {
        stream.end();
        expect(await answerOf(stream)).toMatchObject({ grpc: status.UNIMPLEMENTED });
      }),
  ],
  [
    "it is cancelled in the middle of its request",
    (world) => halfEnded(world, async (stream) => stream.close(constants.NGHTTP2_CANCEL)),
  ],
  [
    "its connection is cut in the middle of its request",
    (world) => halfEnded(world, async () => world.raw.session.destroy()),
  ],
  [
    "its deadline passes in the middle of its request",
    async (world) => {
      const stream = world.half(PATHS.start, LARGE, { "grpc-timeout": "300m" });
      await world.arrived();
      const { bytes } = world.requests;
      stream.once("end", () => stream.end());
      expect(await answerOf(stream)).toMatchObject({ grpc: status.DEADLINE_EXCEEDED });
      return bytes;
    },
  ],
  [
    "it is cancelled while its method runs",
    (world) => runningEnded(world, (stream) => stream.close(constants.NGHTTP2_CANCEL)),
  ],
  [
    "its connection is cut while its method runs",
    (world) => runningEnded(world, () => world.raw.session.destroy()),
  ],
  ["its deadline passes while its method runs", (world) => runningEnded(world, () => {}, "300m")],
];

async function finished(world: BudgetWorld, name: string): Promise<number> {
  await world.raw.call(PATHS.start, framed(startRequest(name, LARGE)));
  return world.hub.seen;
}

type Client = ReturnType<BudgetWorld["half"]>;

async function halfEnded(
  world: BudgetWorld,
  end: (stream: Client) => Promise<void>,
): Promise<number> {
  const stream = world.half(PATHS.start, LARGE);
  await world.arrived();
  const { bytes } = world.requests;
  await end(stream);
  return bytes;
}

async function runningEnded(
  world: BudgetWorld,
  end: (stream: Client) => void,
  timeout = "20S",
): Promise<number> {
  const stream = world.raw.open(PATHS.start, { "grpc-timeout": timeout });
  stream.end(framed(startRequest("wait", LARGE)));
  const { signal } = await world.hub.entered.promise;
  end(stream);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return world.hub.seen;
}

describe("what a request has taken is given back when", () => {
  it.each(ends)("%s", async (_how, run) => {
    await using world = await BudgetWorld.open();
    expect(await run(world)).toBeGreaterThanOrEqual(1_000);
    await world.expectTaken(0);
    expect(world.served.internalErrors).toEqual([]);
  });

  it("the server stops", async () => {
    const world = await BudgetWorld.open();
    world.half(PATHS.start, LARGE);
    await world.arrived();
    expect(world.requests.bytes).toBe(LARGE);
    await world[Symbol.asyncDispose]();
    expect(world.requests.bytes).toBe(0);
  });
});
