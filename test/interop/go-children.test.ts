import { expect } from "vitest";
import { failureOf, goSuite } from "../support/go-sdk-suite.ts";
import { eventsOf } from "../support/history-events.ts";
import { type ProgramState, present } from "../support/program-suite.ts";

const suite = await goSuite("children");
const { scenario, cannot, history } = suite;
const noRetries = "it has no retry policies";

scenario("a child is called by its name and its output comes back", (output) =>
  expect(output).toBe(42),
);

cannot(
  "a child knows its parent's name, id and task, and its own version",
  "its context tells neither, and CallSubOrchestrator takes no version",
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

scenario<ProgramState>(
  "a child's failure passes up with its text",
  async ({ status, instanceId }) => {
    expect(status).toBe("FAILED");
    expect((await failureOf(suite, instanceId))?.errorMessage).toContain("the child is not well");
  },
);

scenario("a child gets the id that its parent gives it", (child) =>
  expect(child).toMatchObject({ name: "double", status: "COMPLETED", output: "2" }),
);

cannot("a child gets the tags that its parent gives it", "CallSubOrchestrator takes no tags");
cannot("a child that fails twice is run three times under the same id", noRetries);
cannot("a child is not run more often than its retry policy says", noRetries);

scenario<{ childId: string; state: ProgramState; child: ProgramState }>(
  "calling a child that is running fails the call and leaves it alone",
  async ({ childId, state, child }) => {
    expect(state.status).toBe("FAILED");
    expect((await failureOf(suite, state.instanceId))?.errorMessage).toContain(childId);
    expect(child.output).toBe('"still here"');
  },
);

scenario<ProgramState>(
  "a terminated child fails its parent's call",
  async ({ status, instanceId }) => {
    expect(status).toBe("FAILED");
    expect((await failureOf(suite, instanceId))?.errorMessage).toContain("no longer needed");
  },
);

scenario<{ parent: ProgramState; child: ProgramState }>(
  "a child goes on when its parent has completed without it",
  ({ parent, child }) => {
    expect(parent.output).toBe('"left"');
    expect(child.output).toBe("1");
  },
);
