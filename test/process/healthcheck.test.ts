import { expect, test } from "vitest";
import { runProgramToEnd, startSidecar } from "../support/sidecar-process.ts";

test("a sidecar that is ready: SERVING and 0", async () => {
  await using sidecar = await startSidecar();
  await sidecar.logged("sidecar.ready");
  expect(await runProgramToEnd(["healthcheck", "--address", sidecar.address])).toEqual({
    end: 0,
    stdout: "SERVING\n",
    stderr: "",
  });
});

test("without --address it asks where the environment says that a sidecar listens", async () => {
  await using sidecar = await startSidecar();
  await sidecar.logged("sidecar.ready");
  const env = { TASKHUB_LISTEN: sidecar.address };
  expect((await runProgramToEnd(["healthcheck"], { env })).end).toBe(0);
});

test("an address where nobody listens: 1 and one line", async () => {
  await using sidecar = await startSidecar();
  await sidecar.kill();
  expect(await runProgramToEnd(["healthcheck", "--address", sidecar.address])).toEqual({
    end: 1,
    stdout: "",
    stderr: expect.stringMatching(
      `^taskhub: no answer from ${sidecar.address}: [^\n]*ECONNREFUSED[^\n]*\n$`,
    ),
  });
});
