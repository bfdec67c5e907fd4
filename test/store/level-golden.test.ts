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
import { GOLDEN, type GoldenView, register, viewOf } from "./golden/orchestrations.ts";

const FORMATS = ["format-1", "format-2"] as const;

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
    expect(upgradesIn(sidecar)).toMatchObject(format === "format-1" ? UPGRADED : []);
    register(worker, true);
    await worker.start();
    await finishAll(client);
    await Promise.all([worker.stop(), client.stop()]);
    expect(await sidecar.stop()).toBe(0);
    // Whatever has happened to it, the indexes are those that follow from the logs.
    const checked = await runProgramToEnd(["check", "--data", directory.path]);
    expect(checked).toMatchObject({ end: 0, stderr: "" });
    expect(checked.stdout).toContain("problems: 0 of damage, 0 of indexes");
  },
);

/** What the log says of an upgrade. */
const UPGRADED = [{ from: 1, to: 2 }, { instances: GOLDEN.length + 1 }];

function upgradesIn(sidecar: SidecarProcess) {
  return sidecar.logs().filter(({ event }) => event === "store.upgrading");
}

async function finishAll(client: TaskHubGrpcClient): Promise<void> {
  for (const { finish } of GOLDEN) await finish?.(client);
  for (const { instanceId, endsAs, output } of GOLDEN) {
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
  await writeFile(path, JSON.stringify({ ...marker, format: 3, minReader: 3 }));
  const before = await digestOf(directory.path);
  await expect(openLevelStore({ directory: directory.path })).rejects.toThrow(
    "needs a newer version: this one does not know format 3; nothing was changed",
  );
  expect(await digestOf(directory.path)).toBe(before);
});
