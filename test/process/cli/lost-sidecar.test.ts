/** Commands whose sidecar goes away: a watch goes on when it is back, all others end. */
import { describe, expect, it, test } from "vitest";
import { taskhub } from "../../support/command-line.ts";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** `taskhub watch` under way, and what it has written so far. */
function watching(sidecar: SidecarProcess, ...args: readonly string[]) {
  let out = "";
  const waiting: { readonly text: string; readonly found: () => void }[] = [];
  const stop = new AbortController();
  const ran = taskhub(["watch", ...args], {
    address: sidecar.address,
    interrupt: stop.signal,
    onOut: (text) => {
      out += text;
      for (const each of waiting) if (out.includes(each.text)) each.found();
    },
  });
  return {
    ran,
    stop: () => stop.abort(),
    /** Resolves when it has written this. */
    wrote: async (text: string) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ text, found: resolve });
      if (!out.includes(text)) await promise;
    },
  };
}

describe.each(["SIGKILL", "SIGTERM"] as const)("behind %s and a new start", (signal) => {
  it("the watch of an instance shows what comes next, and each change once", async () => {
    await using directory = await temporaryDirectory();
    const before = await startSidecar({ dataDirectory: directory.path });
    const { address } = before;
    expect(await taskhub(["start", "Order", "--id", "a"], { address })).toMatchObject({ code: 0 });
    const watch = watching(before, "a");
    await watch.wrote("PENDING");
    await before.kill(signal);
    await using _after = await startSidecar({ dataDirectory: directory.path, listen: [address] });
    expect(await taskhub(["terminate", "a"], { address })).toMatchObject({ code: 0 });
    const { code, out, err } = await watch.ran;
    expect(out.match(/PENDING|TERMINATED/g)).toEqual(["PENDING", "TERMINATED"]);
    expect(err).toBe("taskhub: the connection is lost; connecting again\n");
    expect(code, "it has not completed").toBe(1);
  });

  it("the watch of a hub shows it anew, and then changes", async () => {
    await using directory = await temporaryDirectory();
    const before = await startSidecar({ dataDirectory: directory.path });
    const { address } = before;
    await taskhub(["start", "Order", "--id", "a"], { address });
    const watch = watching(before);
    await watch.wrote("live");
    await before.kill(signal);
    await using _after = await startSidecar({ dataDirectory: directory.path, listen: [address] });
    await taskhub(["start", "Order", "--id", "b"], { address });
    await watch.wrote("  b  ");
    watch.stop();
    expect(await watch.ran).toMatchObject({
      code: 130,
      err: expect.stringContaining("taskhub: the connection is lost; connecting again\n"),
    });
  });
});

test("a sidecar that was never reached is a failure at once", async () => {
  const sidecar = await startSidecar();
  await sidecar.kill();
  const { code, err } = await taskhub(["watch", "a"], sidecar);
  expect(code).toBe(69);
  expect(err).toContain("no sidecar answers");
});

test("a start that waits ends with 69, and says why", async () => {
  await using sidecar = await startSidecar();
  const { address } = sidecar;
  const waits = taskhub(["start", "Order", "--id", "a", "--wait"], { address });
  const watch = watching(sidecar, "a", "--wait");
  await watch.wrote("PENDING");
  // It waits now, or is about to: the process is gone either way.
  await sidecar.kill();
  watch.stop();
  const { code, err } = await waits;
  expect(code).toBe(69);
  expect(err).toMatch(/^taskhub: (the connection to .* was lost|no sidecar answers)/);
  await watch.ran;
});
