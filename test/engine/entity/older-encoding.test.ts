/** What orchestrations and entities say to each other as external events: PROTOCOL.md 6.8. */
import { describe, expect, it } from "vitest";
import { legacyCompleted } from "../../../sidecar/engine/entity/legacy-answers.ts";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";
import {
  COUNTER,
  end,
  event,
  lastEvent,
  NOW,
  Orchestration,
  REQUEST,
} from "./asking-orchestration.ts";

describe("the older encoding", () => {
  const id = "0B8C1F5E000040008000000000000001";

  it("of a call is an event in the history, and a call for the entity", () => {
    const order = new Orchestration();
    order.turn(event("op", JSON.stringify({ op: "add", input: "5", id, parent: "order" })));
    expect(lastEvent(order).eventType).toMatchObject({ case: "eventSent", value: { name: "op" } });
    expect(order.mail).toMatchObject([
      [
        COUNTER,
        "entityOperationCalled",
        -1,
        { requestId: REQUEST, operation: "add", input: "5" },
        true,
      ],
    ]);
    expect([...order.state.entityCalls.values()]).toMatchObject([
      { requestId: REQUEST, legacy: true },
    ]);
  });

  it("of a signal is not waited for, and may have its time", () => {
    const order = new Orchestration();
    const data = JSON.stringify({ op: "add", signal: true, id, due: "2026-01-01T00:00:00Z" });
    order.turn(event("op", data), event("op@2026-01-02T00:00:00.1234567Z", data));
    expect(order.state.entityCalls.size).toBe(0);
    expect(order.state.outbox.map(({ body }) => body.value)).toMatchObject([
      { dueAt: { seconds: 1_767_225_600n } },
      { dueAt: { seconds: 1_767_312_000n } },
    ]);
  });

  it("of an answer does not go on to a generation that did not ask", () => {
    const order = new Orchestration();
    order.turn(event("op", JSON.stringify({ op: "add", id })));
    const begun = order.begin();
    order.apply(order.answer(legacyCompleted(NOW, REQUEST, "7"), REQUEST));
    order.apply(order.raise("for whom it concerns"));
    order.complete(begun, end(OrchestrationStatus.CONTINUED_AS_NEW));
    expect(order.state.inbox.map((stored) => readEvent(stored).eventType)).toMatchObject([
      { case: "executionStarted" },
      { case: "eventRaised", value: { name: "for whom it concerns" } },
    ]);
  });

  it("of a lock and of its end", () => {
    const order = new Orchestration();
    const lockset = [
      { name: "A", key: "1" },
      { name: "b", key: "K" },
    ];
    order.turn(event("op", JSON.stringify({ op: null, id, lockset, pos: 0 }), "@a@1"));
    order.turn(event("release", JSON.stringify({ parent: "order", id }), "@b@K"));
    expect(order.mail).toEqual([
      ["@a@1", "wish", ["@a@1", "@b@K"], 0],
      ["@b@K", "release", REQUEST],
    ]);
  });

  it("of a lock of nothing is granted in the same encoding", () => {
    const order = new Orchestration();
    order.turn(event("op", JSON.stringify({ op: null, id, lockset: [], pos: 0 })));
    const [granted] = order.state.inbox.map(readEvent);
    expect(granted?.eventType).toMatchObject({ case: "eventRaised", value: { name: REQUEST } });
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["no id", '{"op":"add"}'],
    ["no operation", `{"id":"${id}"}`],
    ["a prototype", `{"__proto__":{"op":"add","id":"${id}"}}`],
  ])("that is none reaches nobody: %s", (_what, data) => {
    const order = new Orchestration();
    order.turn(event("op", data));
    expect(order.mail).toEqual([]);
    expect(order.state.status).toBe(Status.RUNNING);
  });
});
