/** The same memory for requests that come over HTTP/1.1. */
import { describe, expect, it } from "vitest";
import { BudgetWorld, KIB, PATHS } from "../../support/budget-world.ts";
import { type HttpRequest, http1, RawSocket } from "../../support/raw-http1.ts";

const LARGE = 600 * KIB;
const JSON_TYPE = { "content-type": "application/json" };

const jsonOf = (bytes: number) => JSON.stringify({ name: "Order", input: "x".repeat(bytes) });

/** So many bytes announced, and not one sent. */
async function announced(world: BudgetWorld, path: string, bytes: number): Promise<RawSocket> {
  const socket = new RawSocket(world.served.address);
  await socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${bytes}\r\n\r\n`,
  );
  return socket;
}

function call(world: BudgetWorld, path: string, body: HttpRequest["body"] & {}) {
  return http1(world.served.address, path, { headers: JSON_TYPE, body });
}

/** In chunks, so that nobody knows how many bytes there will be. */
function* chunksOf(text: string): Generator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.byteLength; at += 16 * KIB) yield bytes.subarray(at, at + 16 * KIB);
}

describe("a request over HTTP/1.1", () => {
  it("is refused when it would be too large together with another", async () => {
    await using world = await BudgetWorld.open();
    using other = await announced(world, PATHS.start, LARGE);
    await world.expectTaken(LARGE);
    const answers = [
      await call(world, PATHS.start, jsonOf(LARGE)),
      await call(world, PATHS.start, chunksOf(jsonOf(LARGE))),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 429,
        headers: { "retry-after-ms": expect.stringMatching(/^\d{3,4}$/) },
      });
      expect(JSON.parse(answer.text)).toMatchObject({ code: "resource_exhausted" });
    }
    expect(world.requests.refused).toBe(2);
    expect((await call(world, PATHS.start, jsonOf(KIB))).status).toBe(200);
    expect((await call(world, PATHS.complete, "{}")).status).toBe(200);
    other[Symbol.dispose]();
    await world.expectTaken(0);
    expect((await call(world, PATHS.start, jsonOf(LARGE))).status).toBe(200);
    expect((await call(world, PATHS.start, chunksOf(jsonOf(LARGE)))).status).toBe(200);
    expect(world.hub.seen).toBeGreaterThan(LARGE);
    await world.expectTaken(0);
  });

  it("that completes work is not", async () => {
    await using world = await BudgetWorld.open();
    using _other = await announced(world, PATHS.start, LARGE);
    using completion = await announced(world, PATHS.complete, LARGE);
    await world.expectTaken(2 * LARGE);
    await completion.write(JSON.stringify({ result: "x".repeat(LARGE - 13) }));
    expect(await completion.until("\r\n\r\n")).toContain("HTTP/1.1 200 OK");
    await world.expectTaken(LARGE);
  });

  it("of a call that stays is the method's once it is read", async () => {
    await using world = await BudgetWorld.open();
    using wait = await announced(world, PATHS.wait, 100);
    await world.expectTaken(100);
    await wait.write(JSON.stringify({ instanceId: "x".repeat(100 - 17) }));
    await world.hub.entered.promise;
    await world.expectTaken(0);
  });

  it("gives back what it has taken when it is refused for what it is", async () => {
    await using world = await BudgetWorld.open();
    expect((await call(world, PATHS.start, `{${" ".repeat(LARGE)}`)).status).toBe(400);
    await world.expectTaken(0);
    expect(world.served.internalErrors).toEqual([]);
  });
});
