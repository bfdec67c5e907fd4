import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { javaSuite } from "../support/java-sdk-suite.ts";
import { type ProgramState, present } from "../support/program-suite.ts";

const { scenario, cannot, history } = await javaSuite("children");

interface Retried {
  readonly state: ProgramState;
  readonly runs: number;
}

scenario("a child is called by its name and its output comes back", (output) =>
  expect(output).toBe(42),
);

cannot(
  "a child knows its parent's name, id and task, and its own version",
  "its context tells neither, and callSubOrchestrator takes no version",
);

scenario<ProgramState>(
  "an orchestration that a client started has no parent",
  async ({ instanceId }) => {
    const [started] = eventsOf(await history(instanceId), "executionStarted");
    expect(present(started).parentInstance).toBeUndefined();
    expect(present(started).orchestrationInstance?.instanceId).toBe(instanceId);
  },
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

cannot("a child gets the tags that its parent gives it", "callSubOrchestrator takes no tags");

scenario<Retried>(
  "a child that fails twice is run three times under the same id",
  async ({ state, runs }) => {
    expect(state.output).toBe("3");
    expect(runs).toBe(3);
    const created = eventsOf(await history(state.instanceId), "subOrchestrationInstanceCreated");
    expect(created.length).toBe(3);
    expect(new Set(created.map(({ instanceId }) => instanceId)).size).toBe(1);
  },
);

scenario<Retried>("a child is not run more often than its retry policy says", ({ state, runs }) => {
  expect(state.status).toBe("FAILED");
  expect(runs).toBe(3);
});

scenario<{ childId: string; state: ProgramState; child: ProgramState }>(
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

scenario<{ parent: ProgramState; child: ProgramState }>(
  "a child goes on when its parent has completed without it",
  ({ parent, child }) => {
    expect(parent.output).toBe('"left"');
    expect(child.output).toBe("1");
  },
);
