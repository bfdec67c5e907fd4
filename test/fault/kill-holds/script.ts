/** A long life of a hub under holds of every scope, step by step. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { SchemaMode } from "../../../sidecar/wire/gen/taskhub/v1/custom_status_pb.ts";
import {
  ExpiryAction,
  HoldScope,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { InstanceStatus } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { failureOf } from "../../support/compat-world.ts";
import { completed, createTimer, scheduleTask, startChild } from "../../support/worker-actions.ts";
import { TICKING } from "./facts.ts";
import { inClosedHub } from "./held-sidecar.ts";
import { generations, lives, revisions } from "./lives.ts";
import { eventsIn, kindsIn } from "./new-events.ts";
import {
  does,
  looks,
  raises,
  resumes,
  resumesHub,
  type Step,
  starts,
  suspends,
  suspendsHub,
  turns,
} from "./step.ts";

const HOUR = 3_600n;
const TIMER_SECONDS = 20;
const { SUSPENDED, TERMINATED, COMPLETED } = InstanceStatus;
const percentSchema = '{"type":"object","required":["percent"]}';
const frozen = "frozen";
const batch = ["batch-1", "batch-2", "batch-3"];

export function script(): readonly Step[] {
  return [
    ...contracts(),
    ...timers(),
    ...oneOrder(),
    ...windows(),
    ...expiries(),
    ...revisions(),
    ...generations(),
    ...lives(),
    ...wholeHub(),
    ...ends(),
  ];
}

function contracts(): Step[] {
  const put = (name: string, mode: SchemaMode) =>
    does(
      `schema of ${name}`,
      ({ v1 }) =>
        v1.putCustomStatusSchema({ name, schema: percentSchema, mode, requestId: `put ${name}` }),
      { repeatable: true },
    );
  return [
    // Ready for ever: that its turn comes after a restart shows that recovery hands out work.
    starts("witness", { name: "Witness" }),
    put("Order", SchemaMode.WARN),
    put("Gone", SchemaMode.REJECT),
    does(
      "delete a schema",
      ({ v1 }) => v1.deleteCustomStatusSchema({ name: "Gone", requestId: "delete Gone" }),
      { repeatable: true },
    ),
  ];
}

/** Two timers of the same time, one that stands still and one that does not. */
function timers(): Step[] {
  const withTimer = (instanceId: string, timerPolicy: TimerPolicy) => [
    starts(instanceId, { name: "Timed" }),
    turns(instanceId, 1, '"waits"', () => [
      createTimer(0, timestampFromMs(Date.now() + TIMER_SECONDS * 1_000)),
    ]),
    suspends(instanceId, { name: "night", reason: "too loud", timerPolicy }),
  ];
  return [...withTimer(frozen, TimerPolicy.FREEZE), ...withTimer(TICKING, TimerPolicy.KEEP)];
}

function oneOrder(): Step[] {
  const audit = {
    name: "audit",
    reason: "numbers differ",
    requestedBy: "ann",
    resumeCondition: "the books agree",
    expiresAfter: { seconds: HOUR },
    expiryAction: ExpiryAction.RESUME,
  };
  return [
    starts("order", { name: "Order", input: '"kettle"', tags: { tenant: "a" }, version: "2" }),
    turns(
      "order",
      1,
      '{"percent":10}',
      () => [scheduleTask(0), startChild(1, "order/child")],
      "order/child",
    ),
    turns(
      "order/child",
      1,
      '"at work"',
      () => [startChild(0, "order/grandchild")],
      "order/grandchild",
    ),
    does("the compatible suspend", ({ compat }) =>
      compat.suspendInstance({ instanceId: "order", reason: "by hand" }),
    ),
    suspends("order", audit, { answers: { placed: true, hold: { name: "audit" } } }),
    suspends(
      "order",
      { ...audit, reason: "numbers differ more", timerPolicy: TimerPolicy.FREEZE, replace: true },
      { answers: { placed: true, hold: { reason: "numbers differ more" } } },
    ),
    suspends("order", { name: "audit", reason: "me too" }, { answers: { placed: false } }),
    raises("order", "first"),
    raises("order", "second"),
    does("the compatible resume", ({ compat }) => compat.resumeInstance({ instanceId: "order" })),
    looks("it is suspended by the other hold", async ({ v1 }) => {
      const { instance, bufferedEvents, activitiesHeldBack } = await v1.getSuspension({
        instanceId: "order",
      });
      expect(instance?.status).toBe(SUSPENDED);
      expect(instance?.holds.map(({ name }) => name)).toEqual(["audit"]);
      expect(bufferedEvents?.count).toBe(2);
      expect(activitiesHeldBack).toBe(1);
    }),
    suspends("order", { name: "family", scope: HoldScope.TREE, requestedBy: "ben" }),
    suspends("order", { name: "spare", scope: HoldScope.TREE }),
    resumes("order", { name: "spare", scope: HoldScope.TREE }, { inPieces: true }),
    raises("order/child", "for the child"),
    raises("order/grandchild", "for the grandchild"),
  ];
}

function windows(): Step[] {
  const selector = { names: ["Batch"], instanceIdPrefix: "batch-" };
  const later = timestampFromMs(Date.now() + 3_600_000);
  return [
    suspendsHub({ name: "later", selector, startsAt: later, reason: "new disks" }),
    ...batch.map((instanceId) => starts(instanceId, { name: "Batch" })),
    suspendsHub({ name: "maintenance", selector, acceptNewInstances: false }),
    suspendsHub(
      { name: "maintenance", selector, acceptNewInstances: false, reason: "disks", replace: true },
      { answers: { placed: true, hold: { reason: "disks" } } },
    ),
    looks("a start that the window refuses", async ({ compat }) => {
      const start = { instanceId: "batch-4", name: "Batch" };
      const { code, message } = await failureOf(compat.startInstance(start));
      // So does a sidecar that was killed, which names no window.
      if (!message.includes("maintenance")) throw new Error(`lost: ${code}`, { cause: code });
    }),
    resumesHub({ name: "maintenance", pace: { instancesPerSecond: 0.001, canaries: 1 } }),
    resumesHub({ name: "maintenance" }, { answers: { remaining: [{ name: "later" }] } }),
    resumesHub({ name: "later" }, { answers: { remaining: [] } }),
  ];
}

function expiries(): Step[] {
  const atOnce = { expiresAfter: { seconds: 0n } };
  return [
    starts("overdue", { name: "Held" }),
    suspends("overdue", { name: "lunch", ...atOnce, expiryAction: ExpiryAction.KEEP }),
    starts("expired", { name: "Held" }),
    suspends("expired", { name: "", reason: "stays" }),
    suspends(
      "expired",
      { name: "last orders", ...atOnce, expiryAction: ExpiryAction.TERMINATE },
      { inPieces: true, settled: ({ v1 }) => v1.waitForInstance({ instanceId: "expired" }) },
    ),
    looks("the expiry has terminated it", async ({ v1, compat }) => {
      const { instance } = await v1.waitForInstance({ instanceId: "expired" });
      expect(instance?.status).toBe(TERMINATED);
      const { orchestrationState } = await compat.getInstance({
        instanceId: "expired",
        getInputsAndOutputs: true,
      });
      expect(orchestrationState?.output).toBe('"suspension last orders expired"');
    }),
  ];
}

function wholeHub(): Step[] {
  const { headers } = inClosedHub;
  return [
    suspendsHub({ name: "all", timerPolicy: TimerPolicy.FREEZE, requestedBy: "ops" }, { headers }),
    starts("late", { name: "Late" }, headers),
    raises("late", "waits", headers),
    looks("the hub is still", async ({ v1 }) => {
      expect((await v1.getTaskHub({}, inClosedHub)).quiescent).toBe(true);
    }),
    resumesHub({ allHolds: true }, { headers, answers: { remaining: [] } }),
  ];
}

function ends(): Step[] {
  return [
    resumes("order", { allHolds: true, reason: "all is well" }, { inPieces: true }),
    does("what was buffered arrives in its order, and the order completes", async (sidecar) => {
      const { instance } = await sidecar.v1.waitForInstance({
        instanceId: "order",
        timeout: { seconds: 0n },
      });
      if (instance?.status === COMPLETED) return;
      const turn = await sidecar.turnOf("order");
      expect(eventsIn(turn)).toEqual(["first", "second"]);
      await sidecar.complete(turn, [completed('"done"')], '{"percent":100}');
    }),
    resumes("again", { name: "meanwhile" }),
    looks("the next generation gets both events", async (sidecar) => {
      const turn = await sidecar.turnOf("again");
      expect(eventsIn(turn)).toEqual(["to the next", "to the next as well"]);
    }),
    resumes(TICKING, { name: "night" }),
    looks("a frozen timer has not fired when one of its time has", async (sidecar) => {
      const turn = await sidecar.turnOf(TICKING);
      expect(kindsIn(turn)).toContain("timerFired");
      const { turnHeldBack } = await sidecar.v1.getSuspension({ instanceId: frozen });
      expect(turnHeldBack).toBe(false);
    }),
  ];
}
