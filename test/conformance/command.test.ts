/** The command, and what keeps the suite from passing whatever it is shown. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { MountedMethod, ServiceMount } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openTestServer } from "../support/rpc-harness.ts";
import { run, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { ALL_CHECKS } from "./all-checks.ts";
import { runChecks } from "./runner.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function conformance(...args: readonly string[]) {
  return run([process.execPath, main, ...args]);
}

/** Answers every call with an empty message, and ends every stream with OK. */
function emptyAnswers(): ServiceMount {
  const methods = new Map<string, MountedMethod>();
  for (const method of TaskHubSidecarService.methods) {
    const { localName, output } = method;
    if (method.methodKind === "unary") {
      methods.set(localName, {
        kind: "unary",
        invoke: async () => create(output),
      } as MountedMethod);
    } else {
      async function* invoke() {}
      methods.set(localName, { kind: "server_streaming", invoke } as MountedMethod);
    }
  }
  return { service: TaskHubSidecarService, methods };
}

/** What is all that these checks want: OK, nothing, or the words of a server that knows no such method. */
const CONTENT_WITH_OK = [
  "1.1/service-name",
  "2.1/unknown-method",
  "2.2/get-unknown",
  "2.3/abandon-unknown",
  "2.3/abandon-unknown-entity",
  "3.2/metadata-of-managed-packages",
  "3.3/headers-at-once",
  "6.9/clean",
  "6.9/get-unknown",
];

it("passes against our program, prints a table, and keeps no file unless asked", async () => {
  await using sidecar = await startSidecar();
  const args = [
    "--address",
    sidecar.address,
    "--taskhub",
    "orders",
    "--only",
    "4.2/empty-policy",
    "--only",
    "7/create",
    "--patience",
    "4",
  ];
  const { end, stdout } = await conformance(...args);
  expect({ end, last: stdout.trim().split("\n").at(-1) }).toEqual({
    end: 0,
    last: expect.stringMatching(/^\d+ passed, 0 failed, 0 not offered, 0 skipped$/),
  });
  expect(stdout).toMatch(/^pass +4\.2\/empty-policy +a policy that lists nothing/m);
});

it("fails when methods are not offered, unless that is allowed", async () => {
  await using served = await openTestServer([]);
  const args = ["--address", `127.0.0.1:${served.address.port}`, "--only", "2.2/get"];
  const refused = await conformance(...args);
  expect(refused.end).toBe(1);
  expect(refused.stdout).toMatch(/^not offered +2\.2\/get-unknown/m);
  expect((await conformance(...args, "--allow-missing")).end).toBe(0);
});

it("says so when nothing answers, and when an argument is wrong", async () => {
  const free = await openTestServer([]);
  await free[Symbol.asyncDispose]();
  const { end, stderr } = await conformance("--address", `127.0.0.1:${free.address.port}`);
  expect({ end, stderr }).toEqual({ end: 69, stderr: expect.stringMatching(/does not answer/) });
  expect((await conformance("--address", "nowhere")).end).toBe(64);
  expect((await conformance("--only", "no such check")).end).toBe(64);
});

describe("with --command", () => {
  const program = fileURLToPath(new URL("../../sidecar/main.ts", import.meta.url));
  const serve = `${process.execPath} ${program} serve --listen 127.0.0.1:{port}`;

  it("each check has a process of its own, which is gone at the end", async () => {
    await using directory = await temporaryDirectory();
    const notes = join(directory.path, "notes");
    // Only the first of them would serve if they shared a port or a directory.
    const command = `echo $$ {port} {directory} >> ${notes}; ${serve} --data {directory}/data`;
    const checks = ["2.2/get-unknown", "7/create-is-idempotent"];
    const only = checks.flatMap((id) => ["--only", id]);
    const args = ["--command", command, "--patience", "4", ...only];
    const { end, stdout } = await conformance(...args);
    expect({ end, last: stdout.trim().split("\n").at(-1) }).toEqual({
      end: 0,
      last: "2 passed, 0 failed, 0 not offered, 0 skipped",
    });
    const noted = (await readFile(notes, "utf8")).trim().split("\n");
    // One more looks at what the service lacks.
    expect(noted).toHaveLength(checks.length + 1);
    const columns = noted.map((line) => line.split(" "));
    for (const at of [0, 2]) {
      expect(new Set(columns.map((column) => column[at])).size).toBe(noted.length);
    }
    for (const [pid, , made = ""] of columns) {
      expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
      expect(existsSync(made)).toBe(false);
    }
  });

  it("says so when it ends, or cannot be understood", async () => {
    const ended = await conformance("--command", "echo no such hub, not at {port}; exit 3");
    expect(ended).toMatchObject({ end: 69, stderr: expect.stringContaining("no such hub") });
    expect((await conformance("--command", "serve --port 4001")).end).toBe(64);
    const both = await conformance("--command", serve, "--address", "localhost:4001");
    expect(both.end).toBe(64);
  });
});

it("lets a service that answers everything with nothing pass where that is all that is wanted", async () => {
  await using served = await openTestServer([emptyAnswers()]);
  const { host, port } = served.address;
  const results = await runChecks(ALL_CHECKS, { host, port, concurrency: 16, slow: false });
  const passed = results.filter(({ outcome }) => outcome === "passed").map(({ id }) => id);
  expect(passed).toEqual(CONTENT_WITH_OK);
});
