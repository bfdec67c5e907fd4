import { expect } from "vitest";
import { type PythonEvent, type PythonState, pythonSuite } from "../support/python-sdk-suite.ts";

const { scenario } = await pythonSuite("rewind");

const well = { status: "COMPLETED", output: "[1, 2]" };
const bothWell = [
  { status: "COMPLETED", output: "2" },
  { status: "COMPLETED", output: "2" },
];

scenario("a rewound orchestration runs its failed activity again and completes", (state) =>
  expect(state).toMatchObject(well),
);

scenario("what has succeeded before a rewind is not run again", (runs) =>
  expect(runs).toEqual([1, 2]),
);

scenario("a failed child is rewound with its parent", (states) =>
  expect(states).toMatchObject(bothWell),
);

scenario("a failed grandchild is rewound with its grandparent", (states) =>
  expect(states).toMatchObject(bothWell),
);

scenario("a purged child is created again when its parent is rewound", (states) =>
  expect(states).toMatchObject(bothWell),
);

scenario("an orchestration is rewound twice", (states) =>
  expect(states).toMatchObject([{ status: "FAILED" }, { status: "COMPLETED", output: "[1, 3]" }]),
);

scenario("an orchestration is rewound without a reason", (state) =>
  expect(state).toMatchObject(well),
);

scenario<readonly PythonState[]>(
  "a retry policy that has made its attempts makes one more behind each rewind",
  ([first, second]) => {
    expect(first?.failure?.message).toContain("run 3 failed");
    expect(second).toMatchObject({ status: "COMPLETED", output: "[4, 1]" });
  },
);

scenario<readonly PythonEvent[]>("the history shows a rewind and its reason", (history) => {
  expect(history.map(({ type }) => type)).toEqual([
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "OrchestratorStarted",
    "OrchestratorStarted",
    "ExecutionRewound",
    "OrchestratorStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
  expect(history[7]).toMatchObject({ reason: "the cause is gone" });
});

scenario("rewinding an unknown instance is refused", (refusal) =>
  expect(refusal).toMatchObject({ code: "NOT_FOUND" }),
);

scenario("an orchestration that has not failed is not rewound", (refusal) =>
  expect(refusal).toMatchObject({
    code: "FAILED_PRECONDITION",
    details: expect.stringContaining("precondition"),
  }),
);
