/** What the disk below a data directory is said to have room for. */
import { stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { levelOf, openDiskSpace } from "../../sidecar/store/level/disk-space.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";
import { keptLog } from "../support/log-lines.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MIB = 1024 * 1024;

test.each([
  ["a small disk", 1_000, { low: 99, tight: 49, full: 19, ample: 100 }],
  [
    "a large disk",
    2 ** 41,
    { low: 1024 * MIB - 1, tight: 512 * MIB - 1, full: 128 * MIB - 1, ample: 1024 * MIB },
  ],
])(
  "%s warns, then refuses the new, then almost all, by share or bytes, whichever is less",
  (_, totalBytes, free) => {
    for (const [level, freeBytes] of Object.entries(free)) {
      expect(levelOf({ freeBytes, totalBytes }), level).toBe(level);
    }
    expect(levelOf({ freeBytes: free.full + 1, totalBytes })).toBe("tight");
    expect(levelOf({ freeBytes: free.tight + 1, totalBytes })).toBe("low");
  },
);

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
