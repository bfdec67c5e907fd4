/** Directories that the code of each format has made are opened, and everything in them ends. */
import { chmod, cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OrchestrationStatus, type TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { openLevelStore } from "../../sidecar/store/level/store.ts";
import { pair, present } from "../support/javascript-sdk-suite.ts";
import { runProgramToEnd, type SidecarProcess, startSidecar } from "../support/sidecar-process.ts";
import { digestOf } from "../support/store-directory.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import {
  BUSY,
  GOLDEN,
  type GoldenView,
  LOCKED,
  register,
  viewOf,
} from "./golden/orchestrations.ts";

const FORMATS = ["format-1", "format-2", "format-3"] as const;

type Format = (typeof FORMATS)[number];

const PATIENCE_SECONDS = 30;

const withoutReserve = ["--disk-reserve", "0"];

async function copyOf(format: string): Promise<TemporaryDirectory> {
  const directory = await temporaryDirectory();
  const golden = join(import.meta.dirname, "golden", format, "data");
  await cp(golden, directory.path, { recursive: true });
  // Who checks out may let everybody write; a sidecar does not.
  await chmod(directory.path, 0o700);
  return directory;
}

async function expectedOf(format: string): Promise<readonly GoldenView[]> {
  const path = join(import.meta.dirname, "golden", format, "expected.json");
  return JSON.parse(await readFile(path, "utf8"));
}

/** What is due goes on at once when the directory is opened. */
const GOES_ON: ReadonlySet<string> = new Set(["timer", "scheduled"]);

test.each(FORMATS)(
  "%s: every field is as the code that wrote it showed it, and everything ends as it should",
  async (format) => {
    await using directory = await copyOf(format);
    await using sidecar = await startSidecar({
      dataDirectory: directory.path,
      args: withoutReserve,
    });
    await sidecar.logged("sidecar.ready");
    const { client, worker } = pair(sidecar);
    for (const expected of await expectedOf(format)) {
      const seen = await viewOf(client, expected.instanceId);
      if (!GOES_ON.has(expected.instanceId)) expect(seen).toEqual(expected);
      else expect(seen).toMatchObject({ name: expected.name, createdAt: expected.createdAt });
    }
    expect(upgradesIn(sidecar)).toMatchObject(UPGRADES[format]);
    register(worker, true);
    await worker.start();
    await finishAll(client, format);
    if (format === "format-3") await expectEntities(client);
    await Promise.all([worker.stop(), client.stop()]);
    expect(await sidecar.stop()).toBe(0);
    // Whatever has happened to it, the indexes are those that follow from the logs.
    const checked = await runProgramToEnd(["check", "--data", directory.path]);
    expect(checked).toMatchObject({ end: 0, stderr: "" });
    expect(checked.stdout).toContain("problems: 0 of damage, 0 of indexes");
  },
);

/** What the log says of an upgrade: only what format 1 had not takes a look at all instances. */
const UPGRADES = {
  "format-1": [{ from: 1, to: 3 }, { instances: goldenIn("format-1").length + 1 }],
  "format-2": [{ from: 2, to: 3 }],
  "format-3": [],
};

function upgradesIn(sidecar: SidecarProcess) {
  return sidecar.logs().filter(({ event }) => event === "store.upgrading");
}

function goldenIn(format: Format) {
  return GOLDEN.filter(({ since }) => since === undefined || format === `format-${since}`);
}

/** What waited in front of nobody has run once, and nobody has them locked. */
async function expectEntities(client: TaskHubGrpcClient): Promise<void> {
  const states = { busy: ["called", "signalled", "behind"], locked: ["before", "behind"] };
  for (const id of [BUSY, LOCKED]) {
    const { state, lockedBy, backlogQueueSize } = present(await client.getEntity(id));
    const seen = { [id.key]: state, lockedBy, backlogQueueSize };
    const expected = states[id.key as keyof typeof states];
    expect(seen).toEqual({ [id.key]: expected, lockedBy: undefined, backlogQueueSize: 0 });
  }
}

async function finishAll(client: TaskHubGrpcClient, format: Format): Promise<void> {
  const golden = goldenIn(format);
  for (const { finish } of golden) await finish?.(client);
  for (const { instanceId, endsAs, output } of golden) {
    const ended = await client.waitForOrchestrationCompletion(instanceId, true, PATIENCE_SECONDS);
    const { runtimeStatus, serializedOutput } = present(ended);
    expect({ instanceId, status: OrchestrationStatus[runtimeStatus] }).toEqual({
      instanceId,
      status: OrchestrationStatus[endsAs],
    });
    expect(serializedOutput).toBe(output);
  }
}

test("a format that only a newer version can read is refused, and nothing changes", async () => {
  await using directory = await copyOf("format-2");
  const path = join(directory.path, "TASKHUB");
  const marker: Record<string, unknown> = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...marker, format: 4, minReader: 4 }));
  const before = await digestOf(directory.path);
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    "needs a newer version: this one does not know format 4; nothing was changed",
  );
  expect(await digestOf(directory.path)).toBe(before);
});
