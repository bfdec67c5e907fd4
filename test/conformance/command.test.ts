/** The command, and what keeps the suite from passing whatever it is shown. */
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import type { MountedMethod, ServiceMount } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openTestServer } from "../support/rpc-harness.ts";
import { run, startSidecar } from "../support/sidecar-process.ts";
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

/** What is all that these checks want: OK, or nothing. */
const CONTENT_WITH_OK = [
  "1.1/service-name",
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
    "4.2/",
    "--only",
    "7/",
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

it("lets a service that answers everything with nothing pass where that is all that is wanted", async () => {
  await using served = await openTestServer([emptyAnswers()]);
  const { host, port } = served.address;
  const results = await runChecks(ALL_CHECKS, { host, port, concurrency: 16, slow: false });
  const passed = results.filter(({ outcome }) => outcome === "passed").map(({ id }) => id);
  expect(passed).toEqual(CONTENT_WITH_OK);
});
