import { expect } from "vitest";
import { javaSuite } from "../support/java-sdk-suite.ts";
import type { ProgramState } from "../support/program-suite.ts";

const { scenario, cannot } = await javaSuite("restart");

scenario<{ before: ProgramState; restarted: string; after: ProgramState }>(
  "a completed orchestration that is restarted under its id runs again with its input",
  ({ before, restarted, after }) => {
    expect(restarted).toBe(before.instanceId);
    expect(after).toMatchObject({ status: "COMPLETED", input: "21", output: "42" });
  },
);

scenario<{ copy: ProgramState; status: string }>(
  "a restart under a new id leaves a running orchestration as it is",
  ({ copy, status }) => {
    expect(copy.output).toBe("1");
    expect(status).toBe("RUNNING");
  },
);

cannot(
  "a restarted orchestration has the tags and the version of its source",
  "its client starts again without them",
);

scenario("a running or suspended orchestration is not restarted under its id", (refusals) =>
  expect(refusals).toMatchObject({
    running: { code: "ALREADY_EXISTS" },
    suspended: { code: "ALREADY_EXISTS" },
  }),
);

scenario("restarting an unknown instance is refused", (message) =>
  expect(message).toMatch(/not found/),
);
