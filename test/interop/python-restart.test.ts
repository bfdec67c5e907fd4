import { expect } from "vitest";
import { type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario } = await pythonSuite("restart");

scenario<{ before: PythonState; restarted: string; after: PythonState & { createdAt: string } }>(
  "a completed orchestration that is restarted under its id runs again with its input",
  ({ before, restarted, after }) => {
    expect(restarted).toBe(before.instanceId);
    expect(after).toMatchObject({ status: "COMPLETED", input: "21", output: "42" });
    expect(after).not.toMatchObject({ createdAt: (before as typeof after).createdAt });
  },
);

scenario<{ ids: string[]; copy: PythonState; status: string }>(
  "a restart under a new id leaves a running orchestration as it is",
  ({ ids, copy, status }) => {
    expect(new Set(ids).size).toBe(2);
    expect(copy.output).toBe("1");
    expect(status).toBe("RUNNING");
  },
);

scenario("a restarted orchestration has the tags and the version of its source", (seen) =>
  expect(seen).toEqual({ output: '"2.1"', tags: { team: "blue" } }),
);

scenario("a running or suspended orchestration is not restarted under its id", (refusals) => {
  const code = "FAILED_PRECONDITION";
  expect(refusals).toMatchObject([{ code }, { code }]);
});

scenario("restarting an unknown instance is refused", (refusals) =>
  expect(refusals).toMatchObject([{ code: "NOT_FOUND" }, { code: "NOT_FOUND" }]),
);
