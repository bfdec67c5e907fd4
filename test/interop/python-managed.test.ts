import { expect } from "vitest";
import { type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, cannot } = await pythonSuite("managed");

scenario<PythonState>(
  "an orchestration with an activity completes through the managed package",
  (state) => expect(state).toMatchObject({ status: "COMPLETED", input: "21", output: "42" }),
);

scenario("the managed package's client sees only the task hub that it names", (facts) =>
  expect(facts).toEqual({ unseen: null, inputs: ["1", "2"] }),
);

scenario("a worker of the managed package gets nothing of another task hub", (facts) =>
  expect(facts).toMatchObject({
    completed: { output: "4" },
    refused: "timeout",
    status: "PENDING",
  }),
);

scenario<{ ofPlain: PythonState; seen: PythonState; ofManaged: PythonState }>(
  "the managed package and the plain one work in the same task hub",
  ({ ofPlain, seen, ofManaged }) => {
    expect(ofPlain.output).toBe("8");
    expect(seen).toEqual(ofPlain);
    expect(ofManaged.output).toBe("10");
  },
);

scenario<PythonState>(
  "the managed package takes an address with its scheme, and needs no TLS then",
  (state) => expect(state.output).toBe("6"),
);

cannot(
  "the managed package takes a connection string without authentication",
  "its client and worker take an address and a task hub",
);
