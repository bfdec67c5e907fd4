/** What orchestrations send to entities, and what comes back: PROTOCOL.md 4.7, 6.5, 6.6. */
import { describe, expect, it } from "vitest";
import { mayHoldLock } from "../../../sidecar/engine/entity/leave.ts";
import { evolve } from "../../../sidecar/engine/evolve.ts";
import { decideStart } from "../../../sidecar/engine/start.ts";
import { decideFinishTerminate, decideTerminate } from "../../../sidecar/engine/terminate.ts";
import { entityLockGranted, entityOperationCompleted } from "../../../sidecar/wire/entity-event.ts";
import { OrchestrationStatus } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  Status,
  type StoredEvent,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { readEvent } from "../../../sidecar/wire/history-event.ts";

import {
  COUNTER,
  call,
  end,
  entity,
  event,
  lastEvent,
  lock,
  NOW,
  Orchestration,
  REQUEST,
  SECTION,
  startOrder,
  unlock,
} from "./asking-orchestration.ts";

describe("a call", () => {
  it("is in the history as it was sent, and goes out without its target and with its caller", () => {
    const order = new Orchestration();
    order.turn(call("@COUNTER@Key"));
    expect(lastEvent(order)).toMatchObject({
      eventId: 0,
      eventType: {
        case: "entityOperationCalled",
        value: { operation: "add", targetInstanceId: "@COUNTER@Key" },
      },
    });
    expect(order.mail).toMatchObject([
      [
        COUNTER,
        "entityOperationCalled",
        -1,
        {
          requestId: REQUEST,
          operation: "add",
          input: "5",
          parentInstanceId: "order",
          parentExecutionId: "first",
        },
        false,
      ],
    ]);
    const [sent] = order.mail as readonly (readonly unknown[])[];
    expect(sent?.[3]).not.toHaveProperty("targetInstanceId");
  });

  it("is answered once: a second answer, and one for nobody, changes nothing", () => {
    const order = new Orchestration();
    order.turn(call());
    const result = entityOperationCompleted(NOW, REQUEST, "7");
    expect(order.answer(result, "another").kind).toBe("nothing");
    order.apply(order.answer(result, REQUEST));
    expect(order.state.inbox).toHaveLength(1);
    expect(order.answer(result, REQUEST).kind).toBe("nothing");
  });

  it("of an earlier generation is not answered", () => {
    const order = new Orchestration();
    order.turn(call(), end(OrchestrationStatus.CONTINUED_AS_NEW));
    expect(order.mail).toHaveLength(1);
    expect(order.answer(entityOperationCompleted(NOW, REQUEST, "7"), REQUEST).kind).toBe("nothing");
  });
});

describe("a critical section", () => {
  it("asks the first entity, waits for the grant, and is over with its last unlock", () => {
    const order = new Orchestration();
    order.turn(lock("@A@1", "@b@2", "@a@1"));
    expect(order.mail).toEqual([["@a@1", "wish", ["@a@1", "@b@2"], 0]]);
    // The first entity may have granted it, and the second one not yet.
    expect(mayHoldLock(order.state)).toBe(true);
    order.apply(order.answer(entityLockGranted(NOW, SECTION), SECTION, ["@a@1", "@b@2"]));
    expect(mayHoldLock(order.state)).toBe(true);
    order.turn(unlock("@a@1"));
    expect(mayHoldLock(order.state)).toBe(true);
    order.turn(unlock("@B@2"));
    expect(mayHoldLock(order.state)).toBe(false);
    expect(order.mail.slice(1)).toEqual([
      ["@a@1", "release", SECTION],
      ["@b@2", "release", SECTION],
    ]);
  });

  it("that is left in the turn that asks for it refuses its grant", () => {
    const order = new Orchestration();
    order.turn(lock("@a@1", "@b@2"), unlock("@a@1"), unlock("@b@2"));
    expect(order.mail).toEqual([
      ["@a@1", "wish", ["@a@1", "@b@2"], 0],
      ["@a@1", "release", SECTION],
      ["@b@2", "release", SECTION],
    ]);
    const grant = entityLockGranted(NOW, SECTION);
    expect(order.answer(grant, SECTION, ["@a@1", "@b@2"]).kind).toBe("refuse");
  });

  it("of no entities is granted at once", () => {
    const order = new Orchestration();
    order.turn(lock());
    expect(readEvent(order.state.inbox[0] as StoredEvent).eventType).toMatchObject({
      case: "entityLockGranted",
      value: { criticalSectionId: SECTION },
    });
  });

  it("refuses a grant that nobody waits for, so that it goes back", () => {
    const order = new Orchestration();
    const grant = entityLockGranted(NOW, SECTION);
    expect(order.answer(grant, SECTION, ["@a@1"]).kind).toBe("refuse");
    order.turn(lock("@a@1"));
    order.apply(order.answer(grant, SECTION, ["@a@1"]));
    expect(order.answer(grant, SECTION, ["@a@1"]).kind).toBe("refuse");
  });

  it("releases again, with its grant, what it had unlocked before that", () => {
    const order = new Orchestration();
    order.turn(lock("@a@1", "@b@2"));
    // The wish may come to the entity behind this.
    order.turn(unlock("@b@2"));
    order.apply(order.answer(entityLockGranted(NOW, SECTION), SECTION, ["@a@1", "@b@2"]));
    expect(order.mail.slice(2)).toEqual([["@b@2", "release", SECTION]]);
    expect(mayHoldLock(order.state)).toBe(true);
  });

  const left = [
    ["@b@2", "release", SECTION],
    ["@c@3", "release", SECTION],
  ];

  it.each([
    ["completes", OrchestrationStatus.COMPLETED],
    ["fails", OrchestrationStatus.FAILED],
    ["says that it is terminated", OrchestrationStatus.TERMINATED],
    ["continues as new", OrchestrationStatus.CONTINUED_AS_NEW],
  ])("is left when the orchestration %s", (_how, status) => {
    const order = new Orchestration();
    order.turn(lock("@a@1", "@b@2", "@c@3"));
    order.apply(order.answer(entityLockGranted(NOW, SECTION), SECTION, ["@a@1", "@b@2", "@c@3"]));
    order.turn(unlock("@a@1"), end(status));
    expect(order.mail.slice(1)).toEqual([["@a@1", "release", SECTION], ...left]);
    expect(order.state.lockRequests.size).toBe(0);
  });

  it("is left when the orchestration is terminated, also before the grant", () => {
    const order = new Orchestration();
    order.turn(lock("@b@2", "@c@3"));
    const command = { instanceId: "order", output: undefined, recurse: false };
    order.apply(
      decideTerminate(order.state, { ...command, ignoreFinished: true }, order.environment),
    );
    order.apply(decideFinishTerminate(order.state, order.environment));
    expect(order.state.status).toBe(Status.TERMINATED);
    expect(order.mail.slice(1)).toEqual(left);
  });

  it("is left when another life takes the instance id", () => {
    const order = new Orchestration();
    order.turn(lock("@b@2", "@c@3"));
    const command = {
      ...startOrder,
      executionId: "second",
      idReusePolicy: {
        replaceableStatus: [OrchestrationStatus.RUNNING, OrchestrationStatus.TERMINATED],
        legacyAction: 0,
      },
    };
    const begun = decideStart(order.state, command, order.environment);
    if (begun.kind !== "begin") throw new Error(begun.kind);
    order.state = evolve(undefined, 2n, 1, begun.entry);
    expect(order.mail.slice(1)).toEqual(left);
    expect(order.state.outbox.map(({ number }) => number)).toEqual([1n, 2n, 3n]);
    const [release] = order.state.outbox.slice(1);
    expect(release?.body.value).toMatchObject({ executionId: "first" });
  });
});

describe("a message that cannot be carried out fails the instance", () => {
  const olderWith = (changes: object) => JSON.stringify({ op: "add", id: REQUEST, ...changes });
  const older = olderWith({});
  const many = Array.from({ length: 1_001 }, (_, i) => ({ name: "a", key: `${i}` }));

  it.each([
    ["an id without a key", call("@counter")],
    ["an id without its sign", call("counter")],
    ["no id", call("")],
    ["an entity to lock that is none", lock("@a@1", "b")],
    ["more to lock than the limit", lock(...Array.from({ length: 1_001 }, (_, i) => `@a@${i}`))],
    ["an id that is too long in lower case", call(`@${"\u0130".repeat(250)}@k`)],
    ["nothing at all", entity(undefined)],
    ["an older one to an id that is too long", event("op", older, `@a@${"k".repeat(600)}`)],
    ["an older one to an id with a control character", event("op", older, "@a@\0")],
    ["an older one with too long an operation", event("op", olderWith({ op: "o".repeat(300) }))],
    ["an older one with too long an id", event("op", olderWith({ id: "i".repeat(300) }))],
    ["an older end of a section of an entity that is none", event("release", older, "@a@\0")],
    ["an older one that locks more than the limit", event("op", olderWith({ lockset: many }))],
  ])("%s", (_what, message) => {
    const order = new Orchestration();
    order.turn(message);
    expect(order.state.status).toBe(Status.FAILED);
    expect(order.mail).toEqual([]);
  });
});
