/**
 * SDKs make the ids of what they ask for from what they replay: an execution that was rewound asks
 * under the ids of the one before it. What belongs to one execution is not that of another.
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { decideEntityAnswer } from "../../../sidecar/engine/entity/answer.ts";
import { decideMailSettled } from "../../../sidecar/engine/mail.ts";
import { newState } from "../../../sidecar/engine/state.ts";
import { entityLockGranted, entityOperationCompleted } from "../../../sidecar/wire/entity-event.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  EntityAnswerSchema,
  EntityCallerSchema,
  EntityCallSchema,
  Kind,
  LockRequestSchema,
  Status,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EntityBench, sender } from "../../support/entity-bench.ts";

const now = timestampFromMs(9_000);
const a = "@account@a";
const before = sender("order");
const rewound = { ...before, executionId: "order-2" };

/** It waits for the call "call-1", and for the lock of the section "cs-1". */
function orchestration(executionId: string) {
  const call = create(EntityCallSchema, { id: 1n, requestId: "call-1" });
  const request = create(LockRequestSchema, { id: 2n, criticalSectionId: "cs-1", lockSet: [a] });
  return newState({
    kind: Kind.ORCHESTRATION,
    instanceId: "order",
    name: "Order",
    tags: {},
    status: Status.RUNNING,
    createdAt: now,
    updatedAt: now,
    executionId,
    entityCalls: new Map([[1n, call]]),
    lockRequests: new Map([[2n, request]]),
  });
}

test.each([
  ["result", "call-1", [], entityOperationCompleted(now, "call-1", "1"), "nothing"],
  ["grant", "cs-1", [a], entityLockGranted(now, "cs-1"), "refuse"],
] as const)("a %s is for the execution that has asked", (_, requestId, lockSet, event, stale) => {
  const caller = create(EntityCallerSchema, { ...before, requestId });
  const answer = create(EntityAnswerSchema, { event, caller, lockSet: [...lockSet] });
  const environment = { now, ids: { next: () => "new" }, cause: Cause.MAIL, principal: "" };
  const decide = (executionId: string) =>
    decideEntityAnswer(orchestration(executionId), answer, environment).kind;
  expect(decide(before.executionId)).toBe("append");
  expect(decide(rewound.executionId)).toBe(stale);
});

test("a grant that comes back unlocks nothing that another execution has locked since", () => {
  const bench = new EntityBench();
  bench.wish(before, "cs-1", [a]);
  bench.wish(rewound, "cs-1", [a]);
  bench.release(a, "order", { executionId: before.executionId });
  expect(bench.mail(a)).toEqual(["to order: granted cs-1", "to order: granted cs-1"]);
  bench.perform(a, Cause.MAIL_SETTLED, (state, environment) =>
    decideMailSettled(state, 1, state.outbox.slice(0, 1), environment),
  );
  expect(bench.lock(a)).toBe("order cs-1");
  expect(bench.state(a).entity.lock?.holder?.executionId).toBe(rewound.executionId);
});
