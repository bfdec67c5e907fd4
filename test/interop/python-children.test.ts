import { expect } from "vitest";
import { parsed } from "../support/program-suite.ts";
import { type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario, cannot } = await pythonSuite("children");

interface Retried {
  readonly state: PythonState;
  readonly runs: number;
  readonly children: readonly string[];
}

scenario("a child is called by its name and its output comes back", (output) =>
  expect(output).toBe(42),
);

scenario<{ state: PythonState; parent: unknown }>(
  "a child knows its parent's name, id and task, and its own version",
  ({ state, parent }) => {
    expect(parsed(state.output)).toEqual({ parent: state.instanceId, version: "2.1" });
    expect(parent).toMatchObject({
      name: "calls_child",
      task_scheduled_id: 1,
      orchestration_instance: { instance_id: state.instanceId },
    });
  },
);

scenario("an orchestration that a client started has no parent", (output) =>
  expect(output).toEqual({ parent: null, version: null }),
);

scenario("fifty children run side by side", (output) =>
  expect(output).toEqual(Array.from({ length: 50 }, (_, i) => i * 2)),
);

scenario("outputs pass up through three levels", (output) =>
  expect(output).toEqual(["level 3", "level 2", "level 1", "bottom"]),
);

scenario("a child's failure passes up with its text", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: { message: expect.stringContaining("the child is not well") },
  }),
);

scenario("a child gets the id that its parent gives it", (child) =>
  expect(child).toMatchObject({ name: "double", status: "COMPLETED", output: "2" }),
);

cannot("a child gets the tags that its parent gives it", "call_sub_orchestrator takes no tags");

scenario<Retried>(
  "a child that fails twice is run three times under the same id",
  ({ state, runs, children }) => {
    expect(state.output).toBe("3");
    expect(runs).toBe(3);
    expect(children.length).toBe(3);
    expect(new Set(children).size).toBe(1);
  },
);

scenario<Retried>("a child is not run more often than its retry policy says", ({ state, runs }) => {
  expect(state.status).toBe("FAILED");
  expect(runs).toBe(3);
});

scenario<{ childId: string; state: PythonState; child: PythonState }>(
  "calling a child that is running fails the call and leaves it alone",
  ({ childId, state, child }) => {
    expect(state.status).toBe("FAILED");
    expect(state.failure?.message).toContain(childId);
    expect(child.output).toBe('"still here"');
  },
);

scenario("a terminated child fails its parent's call", (state) =>
  expect(state).toMatchObject({
    status: "FAILED",
    failure: { message: expect.stringContaining("no longer needed") },
  }),
);

scenario<{ parent: PythonState; child: PythonState }>(
  "a child goes on when its parent has completed without it",
  ({ parent, child }) => {
    expect(parent.output).toBe('"left"');
    expect(child.output).toBe("1");
  },
);
