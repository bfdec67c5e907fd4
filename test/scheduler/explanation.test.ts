/** Reasons that are over before a client could ask again. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { newState } from "../../sidecar/engine/state.ts";
import { explain } from "../../sidecar/scheduler/explanation.ts";
import { newHead } from "../../sidecar/scheduler/head.ts";
import {
  ActivitySchema,
  Kind,
  Status,
  StoredEventSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";

const surroundings = {
  covering: [],
  streams: [],
  frozen: false,
  hubFreezes: [],
};

test("an instance waits for an event only when nothing else is about to wake it", () => {
  const at = timestampFromMs(0);
  const state = newState({
    kind: Kind.ORCHESTRATION,
    instanceId: "a",
    name: "Main",
    tags: {},
    status: Status.RUNNING,
    createdAt: at,
    updatedAt: at,
    executionId: "e",
  });
  const head = newHead("a");
  expect(explain(head, state, surroundings)).toEqual([{ kind: "event" }]);
  // The event is not durable yet, so the turn is not queued yet.
  const woken = { ...state, inbox: [create(StoredEventSchema)] };
  const work = { kind: "turn", name: "Main", version: "" };
  expect(explain(head, woken, surroundings)).toEqual([{ kind: "ready", work }]);
  // Neither is an activity queued that its turn has only just scheduled.
  const activities = new Map([
    [1n, create(ActivitySchema, { id: 1n, name: "Pay" })],
    [2n, create(ActivitySchema, { id: 2n, name: "Log", detached: true })],
  ]);
  const working = [{ kind: "activity", name: "Pay", count: 1 }];
  expect(explain(head, { ...state, activities }, surroundings)).toEqual(working);
});
