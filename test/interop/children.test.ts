import { expect } from "vitest";
import { eventsOf } from "../support/history-events.ts";
import { cannot, facts, failureIn, programArea } from "../support/program-area.ts";
import { type ProgramState, parsed, present } from "../support/program-state.ts";

const { scenario } = await programArea("children");

interface Retried {
  readonly state: ProgramState;
  readonly runs: number;
  /** The instance ids of all runs, from those that read histories. */
  readonly children?: readonly string[];
}

const goHasNoPolicies = { go: cannot("it has no retry policies") };

scenario(
  "a child is called by its name and its output comes back",
  facts((output) => expect(output).toBe(42)),
);

scenario(
  "a child knows its parent's name, id and task, and its own version",
  facts<{ state: ProgramState; parent: unknown }>(({ state, parent }) => {
    expect(parsed(state.output)).toEqual({ parent: state.instanceId, version: "2.1" });
    expect(parent).toMatchObject({
      name: "calls_child",
      task_scheduled_id: 1,
      orchestration_instance: { instance_id: state.instanceId },
    });
  }),
  {
    javascript: facts<ProgramState>(({ output, instanceId }) =>
      expect(parsed(output)).toEqual({
        parent: { name: "callsChild", instanceId, taskScheduledId: 1 },
        version: "2.1",
      }),
    ),
    java: cannot("its context tells neither, and callSubOrchestrator takes no version"),
    go: cannot("its context tells neither, and CallSubOrchestrator takes no version"),
  },
);

// Contexts tell of parents in JavaScript and Python only.
const startedWithoutParent = facts<ProgramState>(async ({ instanceId }, { history }) => {
  const [started] = eventsOf(await history(instanceId), "executionStarted");
  expect(present(started).parentInstance).toBeUndefined();
  expect(present(started).orchestrationInstance?.instanceId).toBe(instanceId);
});

scenario(
  "an orchestration that a client started has no parent",
  facts((output) => expect(output).toEqual({ parent: null, version: null })),
  {
    javascript: facts((output) => expect(output).toEqual({ version: "" })),
    java: startedWithoutParent,
    go: startedWithoutParent,
  },
);

scenario(
  "fifty children run side by side",
  facts((output) => expect(output).toEqual(Array.from({ length: 50 }, (_, i) => i * 2))),
);

scenario(
  "outputs pass up through three levels",
  facts((output) => expect(output).toEqual(["level 3", "level 2", "level 1", "bottom"])),
);

const failsWith = (text: string) =>
  facts<ProgramState>(async (state, suite) => {
    expect(state.status).toBe("FAILED");
    expect((await failureIn(state, suite))?.message).toContain(text);
  });

scenario("a child's failure passes up with its text", failsWith("the child is not well"));

scenario(
  "a child gets the id that its parent gives it",
  facts((child) =>
    expect(child).toMatchObject({ name: "double", status: "COMPLETED", output: "2" }),
  ),
);

const noTags = cannot("its calls take no tags");

scenario(
  "a child gets the tags that its parent gives it",
  facts((tags) => expect(tags).toEqual({ team: "blue" })),
  { python: noTags, java: noTags, go: noTags },
);

scenario(
  "a child that fails twice is run three times under the same id",
  facts<Retried>(async ({ state, runs, children }, { history }) => {
    expect(state.output).toBe("3");
    expect(runs).toBe(3);
    const events = eventsOf(await history(state.instanceId), "subOrchestrationInstanceCreated");
    const created = children ?? events.map(({ instanceId }) => instanceId);
    expect(created.length).toBe(3);
    expect(new Set(created).size).toBe(1);
  }),
  goHasNoPolicies,
);

scenario(
  "a child is not run more often than its retry policy says",
  facts<Retried>(({ state, runs }) => expect([state.status, runs]).toEqual(["FAILED", 3])),
  goHasNoPolicies,
);

scenario(
  "calling a child that is running fails the call and leaves it alone",
  facts<{ childId: string; state: ProgramState; child: ProgramState }>(
    async ({ childId, state, child }, suite) => {
      expect(state.status).toBe("FAILED");
      expect((await failureIn(state, suite))?.message).toContain(childId);
      expect(child.output).toBe('"still here"');
    },
  ),
);

scenario("a terminated child fails its parent's call", failsWith("no longer needed"));

scenario(
  "a child goes on when its parent has completed without it",
  facts<{ parent: ProgramState; child: ProgramState }>(({ parent, child }) =>
    expect([parent.output, child.output]).toEqual(['"left"', "1"]),
  ),
);
