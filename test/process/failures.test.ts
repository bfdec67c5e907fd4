import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AssertionFailed } from "../../sidecar/foundation/assert.ts";
import { HubError } from "../../sidecar/foundation/errors.ts";
import type { Log } from "../../sidecar/foundation/log.ts";
import { internalErrorReporter } from "../../sidecar/process/app.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { RawClient } from "../support/raw-client.ts";
import { runProgramToEnd, type SidecarProcess, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const { startInstance } = TaskHubSidecarService.method;

function linesAfterStart(sidecar: SidecarProcess) {
  return sidecar
    .logs()
    .filter(({ event }) => !["sidecar.started", "sidecar.ready"].includes(event));
}

test("damaged data: 74, one line on stderr and the details in the log", async () => {
  await using directory = await temporaryDirectory();
  {
    await using first = await startSidecar({ dataDirectory: directory.path });
    await first.stop();
  }
  await writeFile(join(directory.path, "db", "CURRENT"), "MANIFEST-999999\n");
  const args = ["serve", "--listen", "127.0.0.1:0", "--data", directory.path];
  const { end, stdout, stderr } = await runProgramToEnd(args);
  expect({ end, stderr }).toEqual({
    end: 74,
    stderr: expect.stringMatching(/^taskhub: stored data is damaged: .*; restore a backup\n$/),
  });
  expect(JSON.parse(stdout)).toMatchObject({
    level: "error",
    event: "sidecar.failed",
    error: { type: "HubError", code: "store-distrusted" },
  });
});

test("a write that fails while serving: 74, and the call is not acknowledged", async () => {
  await using directory = await temporaryDirectory();
  await using sidecar = await startSidecar({
    dataDirectory: directory.path,
    // No file may grow beyond 64 blocks, of 512 or 1024 bytes: as a full disk, but for one process.
    wrapper: ["/bin/sh", "-c", 'ulimit -f 64; exec "$@"', "sh"],
  });
  using client = new RawClient(sidecar.address);
  const input = JSON.stringify("x".repeat(256 * 1024));
  await expect(
    client.unary(startInstance, { instanceId: "big", name: "Big", input }),
  ).rejects.toMatchObject({
    details: expect.stringMatching(/^(Connection dropped|read ECONNRESET)/),
  });
  expect(await sidecar.exited).toBe(74);
  expect(await sidecar.stderr()).toMatch(/^taskhub: [^\n]+\n$/);
  // What is written again does not fit either.
  expect(linesAfterStart(sidecar)).toEqual([
    expect.objectContaining({ level: "error", event: "store.write_failed" }),
    expect.objectContaining({ level: "warn", event: "store.reopened", landed: false }),
    expect.objectContaining({ level: "error", event: "store.write_failed" }),
    expect.objectContaining({ level: "error", event: "sidecar.failed" }),
  ]);
});

/** Makes the process misbehave when it is told to. */
function misbehaveOnSignal(statement: string): string[] {
  const code = `process.on("SIGUSR2", () => { ${statement} })`;
  return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}

test.each([
  ["an error that nobody catches", 'throw new Error("boom")'],
  ["a rejection that nobody handles", 'void Promise.reject(new Error("boom"))'],
])("%s: 70, with one line in the log and one on stderr", async (_, statement) => {
  await using sidecar = await startSidecar({ nodeArgs: misbehaveOnSignal(statement) });
  await sidecar.logged("sidecar.ready");
  expect(await sidecar.kill("SIGUSR2")).toBe(70);
  expect(await sidecar.stderr()).toBe("taskhub: internal error: boom\n");
  expect(linesAfterStart(sidecar)).toEqual([
    expect.objectContaining({
      level: "error",
      event: "sidecar.crashed",
      error: expect.objectContaining({ message: "boom", stack: expect.stringContaining("at ") }),
    }),
  ]);
});

test.each([
  [new AssertionFailed("cannot be"), [new AssertionFailed("cannot be")]],
  [new HubError("store-distrusted", "torn"), [new HubError("store-distrusted", "torn")]],
  [new TypeError("a bug in one method"), []],
])("%s in a call is logged, and ends the process if no state can be relied on", (error, fatal) => {
  const logged: unknown[] = [];
  const failures: Error[] = [];
  const record = (event: string, fields?: object) => logged.push({ event, ...fields });
  const log: Log = { debug: record, info: record, warn: record, error: record };
  internalErrorReporter(log, (failure) => failures.push(failure))(error, "c0ffee00", "/S/M");
  expect(logged).toEqual([
    { event: "call.failed", correlationId: "c0ffee00", method: "/S/M", error },
  ]);
  expect(failures).toEqual(fatal);
});
