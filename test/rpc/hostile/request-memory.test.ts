/** The real program with a small heap, and more than two gigabytes of requests at its door. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { ClientHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import {
  ActivityResponseSchema,
  CreateInstanceRequestSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { PATHS } from "../../support/budget-world.ts";
import { http1 } from "../../support/raw-http1.ts";
import {
  answerOf,
  framed,
  frameHeader,
  type RawAnswer,
  RawHttp2,
} from "../../support/raw-http2.ts";
import { startSidecar } from "../../support/sidecar-process.ts";

const MIB = 1024 * 1024;
const REQUESTS = 40;
const REQUEST_BYTES = 60 * MIB;
/** What of it is sent. */
const SENT_BYTES = 12 * MIB;
/** The program itself, one request that was let in, and what is on its way. Not forty of them. */
const MEMORY_MAX_BYTES = 400 * MIB;

/** Small: what all of them have unsent counts as memory of the client's session, which has a bound. */
const piece = Buffer.alloc(64 * 1024);

/** Sends the beginning of a request, unless it is answered before. */
async function sendHalf(stream: ClientHttp2Stream, answer: Promise<RawAnswer>): Promise<void> {
  let isAnswered = false;
  const answered = answer.then(() => {
    isAnswered = true;
  });
  stream.write(frameHeader(REQUEST_BYTES));
  for (let left = SENT_BYTES; left > 0 && !isAnswered; left -= piece.byteLength) {
    const written = new Promise((resolve) => stream.write(piece, resolve));
    await Promise.race([written, answered]);
  }
}

async function peakBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

it("forty requests of 60 MiB that are on their way take the memory of one", async () => {
  await using sidecar = await startSidecar({ nodeArgs: ["--max-old-space-size=96"] });
  const [host = "", port = ""] = sidecar.address.split(":");
  const address = { host, port: Number(port) };
  const used = async () => {
    const { text } = await http1(address, "/metrics");
    return Number(/memory_budget_used_bytes\{budget="requests"\} (\d+)/.exec(text)?.[1]);
  };
  const answers: (number | undefined)[] = [];
  {
    await using raw = new RawHttp2(address);
    const sent = Array.from({ length: REQUESTS }, () => {
      const stream = raw.open(PATHS.start);
      // Whoever is refused has nothing more to say.
      stream.once("end", () => stream.end());
      const answer = answerOf(stream);
      void answer.then(({ grpc }) => answers.push(grpc));
      return sendHalf(stream, answer);
    });

    await Promise.all(sent);
    expect(await peakBytes(sidecar.pid)).toBeLessThan(MEMORY_MAX_BYTES);

    expect(answers).toEqual(Array(REQUESTS - 1).fill(status.RESOURCE_EXHAUSTED));
    expect(await used()).toBe(REQUEST_BYTES);
    const start = { instanceId: "a", name: "Main", input: "x".repeat(8_000) };
    const completion = { instanceId: "a", completionToken: "t".repeat(5 * MIB) };
    await using other = new RawHttp2(address);
    expect([
      await other.call(
        PATHS.start,
        framed(toBinary(CreateInstanceRequestSchema, create(CreateInstanceRequestSchema, start))),
      ),
      await other.call(
        PATHS.complete,
        framed(toBinary(ActivityResponseSchema, create(ActivityResponseSchema, completion))),
      ),
    ]).toMatchObject([{ grpc: status.OK }, { grpc: status.OK }]);
    expect(await peakBytes(sidecar.pid)).toBeLessThan(MEMORY_MAX_BYTES);
    raw.session.destroy();
    await once(raw.session, "close");
  }
  for (let trips = 0; trips < 200 && (await used()) !== 0; ) trips += 1;
  expect(await used()).toBe(0);
});
