/** What is counted of histories: the rest is provoked in test/process/provoked-metrics.test.ts. */
import { expect, test } from "vitest";
import { newState } from "../../sidecar/engine/state.ts";
import { Figures } from "../../sidecar/scheduler/figures.ts";
import { Kind, Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { keptLog } from "../support/log-lines.ts";
import { parseTime } from "../support/scenario-arguments.ts";

const MIB = 1024 * 1024;

test.each([
  [
    "events",
    { historyEvents: 51_200, historyBytes: 0 },
    { historyEvents: 51_201, historyBytes: 0 },
  ],
  [
    "bytes",
    { historyEvents: 0, historyBytes: 50 * MIB },
    { historyEvents: 0, historyBytes: 50 * MIB + 1 },
  ],
])(
  "a history is long above its %s, is said once, and again when another one begins so",
  (_, most, more) => {
    const { log, lines } = keptLog();
    const figures = new Figures(log);
    const now = parseTime("10:00:00");
    const state = newState({
      kind: Kind.ORCHESTRATION,
      instanceId: "a",
      name: "Order",
      tags: {},
      status: Status.RUNNING,
      createdAt: now,
      updatedAt: now,
      executionId: "e",
    });
    figures.grown({ historyEvents: 1, historyBytes: 1 }, { ...state, ...most });
    expect(figures.longHistories).toBe(0);
    figures.grown(most, { ...state, ...more });
    figures.grown(more, { ...state, ...more });
    expect(figures.longHistories).toBe(1);
    figures.grown(undefined, { ...state, ...more, generation: 2 });
    expect(figures.longHistories).toBe(2);
    const facts = { instanceId: "a", name: "Order", ...more };
    expect(lines.map(({ level, event, fields }) => ({ level, event, fields }))).toEqual([
      { level: "warn", event: "history.long", fields: { ...facts, generation: state.generation } },
      { level: "warn", event: "history.long", fields: { ...facts, generation: 2 } },
    ]);
  },
);
