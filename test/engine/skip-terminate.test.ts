/** Which instances a termination at once is for, and what it decides. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { evolve } from "../../sidecar/engine/evolve.ts";
import { decideSkipTerminate } from "../../sidecar/engine/skip-terminate.ts";
import { decideStart } from "../../sidecar/engine/start.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { Cause, type Entry } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  Kind,
  LockRequestSchema,
  Status,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../sidecar/wire/history-event.ts";
import { countedIds } from "../support/fake-clock.ts";

const now = timestampFromMs(1_000_000);
const environment = { now, ids: countedIds("x"), cause: Cause.SKIP_GRACEFUL, principal: "" };

function started(): InstanceState {
  const command = {
    instanceId: "a",
    name: "Main",
    version: undefined,
    input: undefined,
    tags: {},
    executionId: undefined,
    idReusePolicy: undefined,
    parentTraceContext: undefined,
    fingerprint: undefined,
    refusedBecause: undefined,
    scheduledStartAt: undefined,
  };
  const decision = decideStart(undefined, command, { ...environment, cause: Cause.START });
  if (decision.kind !== "begin") expect.fail("the start begins a life");
  return evolve(undefined, 7n, 1, decision.entry);
}

function locks(granted: boolean) {
  const request = { id: 1n, criticalSectionId: "s", lockSet: ["@e@k"], granted };
  return new Map([[1n, create(LockRequestSchema, request)]]);
}

function entryOf(state: InstanceState, reason?: string): Entry {
  const decision = decideSkipTerminate(state, reason, environment);
  return decision.kind === "append" ? decision.entry : expect.fail(`it is ${decision.kind}`);
}

describe("a termination at once", () => {
  const others: readonly (readonly [string, () => InstanceState | undefined])[] = [
    ["what does not exist", () => undefined],
    ["an entity", () => Object.assign(started(), { kind: Kind.ENTITY })],
    ["who holds a lock", () => Object.assign(started(), { lockRequests: locks(true) })],
    ...[Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED].map(
      (status): (typeof others)[number] => [
        `what has ended (${status})`,
        () => Object.assign(started(), { status }),
      ],
    ),
  ];

  it.each(others)("leaves alone %s", (_, stateOf) => {
    expect(decideSkipTerminate(stateOf(), "why", environment)).toEqual({ kind: "nothing" });
  });

  it("ends who only waits for a lock", () => {
    const state = Object.assign(started(), { lockRequests: locks(false) });
    expect(entryOf(state).status).toBe(Status.TERMINATED);
  });

  it("ends the instance with its reason, and cancels its work", () => {
    const state = started();
    const entry = entryOf(state, "why");
    expect(entry.workCancelled).toBe(true);
    const events = entry.history.map((event) => readEvent(event).eventType);
    expect(events).toMatchObject([
      { case: "executionTerminated", value: { input: "why", recurse: false } },
      { case: "executionCompleted", value: { result: "why" } },
    ]);
    const after = evolve(state, 7n, 2, entry);
    expect([after.status, after.inbox, after.completedAt]).toEqual([Status.TERMINATED, [], now]);
    expect(decideSkipTerminate(after, "again", environment)).toEqual({ kind: "nothing" });
  });

  it("decides the same again, and changes nothing that it was given", () => {
    const state = started();
    const before = structuredClone({ ...state });
    expect(entryOf(state, "why")).toEqual(entryOf(state, "why"));
    expect({ ...state }).toEqual(before);
  });
});
