/** What the disk below a data directory is said to have room for. */
import { stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDiskSpace } from "../../sidecar/store/level/disk-space.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";
import { keptLog } from "../support/log-lines.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MIB = 1024 * 1024;

test.runIf(process.platform === "linux")(
  "space that the system tells of and that cannot be written, as behind a quota, is none",
  async () => {
    await using directory = await temporaryDirectory();
    const clock = new FakeSteadyClock();
    const { log, lines } = keptLog();
    await using space = await openDiskSpace({
      directory: directory.path,
      reserveBytes: MIB,
      clock,
      log,
    });
    const reserve = join(directory.path, "RESERVE");
    const size = () => stat(reserve).then(({ size: bytes }) => bytes);
    while ((await size().catch(() => 0)) < MIB) await new Promise(setImmediate);
    await space.makeRoom();
    await symlink("/dev/full", reserve);
    clock.advance(5_000);
    while (!lines.some(({ event }) => event === "disk.reserve_failed")) {
      await new Promise(setImmediate);
    }
    expect(space.level).toBe("full");
  },
);
