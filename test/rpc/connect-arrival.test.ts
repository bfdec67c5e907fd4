import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Compression } from "@connectrpc/connect/protocol";
import { expect, it } from "vitest";
import { oneAtATime } from "../../sidecar/rpc/connect-arrival.ts";

it("messages are decompressed one after the other, also behind one that cannot be", async () => {
  const running: { name: string; done: (error?: Error) => void }[] = [];
  const compression = (name: string): Compression => ({
    name,
    compress: async (bytes) => new Uint8Array(bytes),
    decompress: (bytes) =>
      new Promise((resolve, reject) => {
        const done = (error?: Error) =>
          error === undefined ? resolve(new Uint8Array(bytes)) : reject(error);
        running.push({ name, done });
      }),
  });
  const [first, second] = oneAtATime([compression("first"), compression("second")]);
  const broken = first?.decompress(new Uint8Array(1), 10);
  const sound = second?.decompress(new Uint8Array(2), 10);
  await nextLoopTurn();
  expect(running.map(({ name }) => name)).toEqual(["first"]);
  running[0]?.done(new Error("not compressed"));
  await expect(broken).rejects.toThrow("not compressed");
  await nextLoopTurn();
  expect(running.map(({ name }) => name)).toEqual(["first", "second"]);
  running[1]?.done();
  expect(await sound).toEqual(new Uint8Array(2));
});
