import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type Command,
  type RunOptions,
  runProgramToEnd,
  startSidecar,
} from "../support/sidecar-process.ts";
import { digestOf } from "../support/store-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Tries to serve a directory on a free port. */
function serve(dataDirectory: string, options: RunOptions = {}) {
  return runProgramToEnd(["serve", "--listen", "127.0.0.1:0", "--data", dataDirectory], options);
}

const withoutOverride: Command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

function refusal(end: number, line: string) {
  return { end, stdout: "", stderr: `taskhub: ${line}\n` };
}

test("a directory that another process uses: 75", async () => {
  await using directory = await temporaryDirectory();
  await using first = await startSidecar({ dataDirectory: directory.path });
  const database = join(directory.path, "db");
  expect(await serve(directory.path)).toEqual(refusal(75, `another process is using ${database}`));
  expect(await first.stop()).toBe(0);
});

test("an address that another process uses: 69, and the directory can be used again", async () => {
  await using directory = await temporaryDirectory();
  await using first = await startSidecar();
  const args = ["serve", "--listen", first.address, "--data", directory.path];
  expect(await runProgramToEnd(args)).toEqual(
    refusal(69, `${first.address} is in use: stop the other process or choose another --listen`),
  );
  await using second = await startSidecar({ dataDirectory: directory.path });
  expect(await second.stop()).toBe(0);
});

test("an address that others could connect to: 78, before anything is touched", async () => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, "data");
  const args = ["serve", "--listen", "0.0.0.0:4001", "--data", data];
  const before = await digestOf(directory.path);
  expect(await runProgramToEnd(args)).toEqual(
    refusal(
      78,
      '--listen: "0.0.0.0:4001" is not a loopback address, and there is no authentication yet: ' +
        "use localhost:4001 and run the sidecar in the network namespace of the application",
    ),
  );
  expect(await digestOf(directory.path)).toBe(before);
});

test("a directory of a newer format: 78, and nothing in it changes", async () => {
  await using directory = await temporaryDirectory();
  await using first = await startSidecar({ dataDirectory: directory.path });
  await first.stop();
  const marker = { format: 99, minReader: 98, features: [], createdBy: "later", incarnation: "i" };
  await writeFile(join(directory.path, "TASKHUB"), JSON.stringify(marker));
  const before = await digestOf(directory.path);
  expect(await serve(directory.path)).toEqual(
    refusal(
      78,
      `${directory.path} needs a newer version: this one does not know format 99; nothing was changed`,
    ),
  );
  expect(await digestOf(directory.path)).toBe(before);
});

test("a directory of somebody else: 78, and nothing in it changes", async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, "letter.txt"), "Dear all");
  const before = await digestOf(directory.path);
  expect(await serve(directory.path)).toEqual(
    refusal(
      78,
      `${directory.path} is not empty and has no TASKHUB file: not ours; nothing was changed`,
    ),
  );
  expect(await digestOf(directory.path)).toBe(before);
});

test("a directory that may not be written: 78", async () => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, "data");
  await mkdir(data);
  await chmod(data, 0o555);
  // Root may write everywhere, unless it gives that up. Another user might not reach the program.
  const options: RunOptions = process.getuid?.() === 0 ? { wrapper: withoutOverride } : {};
  expect(await serve(data, options)).toEqual(
    refusal(78, `cannot use ${data}: EACCES: permission denied, access '${data}'`),
  );
});

test("a directory that cannot be there: 78", async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "file");
  await writeFile(file, "");
  const data = join(file, "data");
  expect(await serve(data)).toEqual(
    refusal(78, `cannot use ${data}: ENOTDIR: not a directory, mkdir '${data}'`),
  );
});
