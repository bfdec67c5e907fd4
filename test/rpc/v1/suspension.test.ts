/** Suspension as clients see it: answers, status codes and words, and who owns which hold. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import {
  ExpiryAction,
  HoldScope,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { InstanceStatus } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import {
  QuiescenceOutcome,
  type ResumeInstanceRequestSchema,
  type ResumeTaskHubRequestSchema,
  type SuspendInstanceRequestSchema,
  type SuspendTaskHubRequestSchema,
  WorkKind,
} from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { failureOf } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openV1, type V1World } from "../../support/v1-world.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";

const { INSTANCE, TREE, SELECTOR } = HoldScope;
const A = { instanceId: "a" };
const long = (bytes: number) => "x".repeat(bytes + 1);

type SuspendFields = MessageInitShape<typeof SuspendInstanceRequestSchema>;
type ResumeFields = MessageInitShape<typeof ResumeInstanceRequestSchema>;
type WindowFields = MessageInitShape<typeof SuspendTaskHubRequestSchema>;
type EndFields = MessageInitShape<typeof ResumeTaskHubRequestSchema>;

async function holdNames(world: V1World, instanceId = "a"): Promise<string[]> {
  const { instance } = await world.v1.getSuspension({ instanceId });
  return (instance?.holds ?? []).map(({ name }) => name);
}

describe.each(transports)("SuspendInstance over $name", ({ serve }) => {
  it("answers the hold with everything that was said of it", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const placedAt = world.hub.clock.now();
    const { hold, placed } = await world.v1.suspendInstance({
      ...A,
      name: "audit",
      reason: "books\nare closed",
      requestedBy: "ann",
      resumeCondition: "",
      expiresAfter: { seconds: 60n, nanos: 5 },
      expiryAction: ExpiryAction.TERMINATE,
      timerPolicy: TimerPolicy.FREEZE,
    });
    expect(placed).toBe(true);
    expect(hold).toMatchObject({
      name: "audit",
      scope: INSTANCE,
      reason: "books\nare closed",
      requestedBy: "ann",
      resumeCondition: "",
      placedAt,
      expiresAt: plus(placedAt, 60n, 5),
      expiryAction: ExpiryAction.TERMINATE,
      timerPolicy: TimerPolicy.FREEZE,
      overdue: false,
    });
    expect(hold?.replacedAt).toBeUndefined();
    expect(hold?.window).toBeUndefined();
    expect(await world.status("a")).toBe("SUSPENDED");
  });

  it("of a name that exists answers the existing hold, unless it is to be replaced", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "audit", reason: "one" });
    const written = world.hub.store.durablePosition;
    const again = await world.v1.suspendInstance({ ...A, name: "audit", reason: "two" });
    expect(again).toMatchObject({ placed: false, hold: { reason: "one" } });
    expect(world.hub.store.durablePosition).toBe(written);
    await world.hub.pass(1_000);
    const third = await world.v1.suspendInstance({ ...A, name: "audit", replace: true });
    expect(third.placed).toBe(true);
    expect(third.hold?.reason).toBeUndefined();
    expect(third.hold?.replacedAt).toEqual(world.hub.clock.now());
    expect(third.hold?.placedAt).toEqual(again.hold?.placedAt);
  });

  it("of scope TREE answers its origin, and leaves the status alone", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const { hold } = await world.v1.suspendInstance({ ...A, name: "t", scope: TREE });
    expect(hold).toMatchObject({ scope: TREE, originInstanceId: "a" });
    expect(hold?.window).toBeUndefined();
    expect(await world.status("a")).toBe("PENDING");
    expect(await holdNames(world)).toEqual(["t"]);
  });

  it.each<[string, SuspendFields, RegExp]>([
    ["no id", { instanceId: "" }, /instance_id is empty/],
    ["a long id", { instanceId: long(512) }, /instance_id is longer/],
    ["a control character in the id", { instanceId: "a\u0000" }, /instance_id contains/],
    ["a long name", { name: long(256) }, /name is longer than 256/],
    ["a name of many bytes", { name: "ä".repeat(129) }, /name is longer than 256/],
    ["a control character in the name", { name: "a\nb" }, /name contains a control/],
    ["a long reason", { reason: long(16_384) }, /^reason is longer/],
    ["a long author", { requestedBy: long(256) }, /requested_by is longer/],
    ["a control character in the author", { requestedBy: "\u001b[31m" }, /requested_by contains/],
    ["a long condition", { resumeCondition: long(16_384) }, /resume_condition is longer/],
    ["a long request id", { requestId: long(128) }, /request_id is longer than 128/],
    ["an unknown scope", { scope: 99 as HoldScope }, /scope 99 does not exist/],
    ["a negative scope", { scope: -1 as HoldScope }, /scope -1 does not exist/],
    ["scope SELECTOR", { scope: SELECTOR }, /SuspendTaskHub/],
    ["an unknown policy", { timerPolicy: 7 as TimerPolicy }, /timer_policy 7 does not exist/],
    [
      "an unknown expiry action",
      { expiryAction: 9 as ExpiryAction, expiresAfter: { seconds: 1n } },
      /expiry_action 9 does not exist/,
    ],
    ["an expiry action without an expiry", { expiryAction: ExpiryAction.RESUME }, /never expires/],
    [
      "both expiries",
      { expiresAfter: { seconds: 1n }, expiresAt: { seconds: 1n } },
      /expires_at and expires_after/,
    ],
    ["a negative duration", { expiresAfter: { seconds: -1n } }, /expires_after is negative/],
    ["negative nanos", { expiresAfter: { seconds: 1n, nanos: -1 } }, /expires_after is negative/],
    ["too many nanos", { expiresAfter: { nanos: 1_000_000_000 } }, /expires_after is not a dur/],
    ["a huge duration", { expiresAfter: { seconds: 2n ** 62n } }, /expires_after is not a dur/],
    ["a time of no year", { expiresAt: { seconds: 2n ** 62n } }, /expires_at is not a time/],
    ["a time before all", { expiresAt: { seconds: -(2n ** 62n) } }, /expires_at is not a time/],
    ["a time with negative nanos", { expiresAt: { nanos: -5 } }, /expires_at is not a time/],
  ])("with %s is refused and changes nothing", async (_what, fields, words) => {
    await using world = await openV1(serve);
    await world.start("a");
    for (const scope of [INSTANCE, TREE]) {
      const call = () => world.v1.suspendInstance({ ...A, scope, name: "n", ...fields });
      await world.expectV1Refused(call, "InvalidArgument", words);
    }
  });

  it.each([INSTANCE, TREE])("of what is not there (scope %s) is NOT_FOUND", async (scope) => {
    await using world = await openV1(serve);
    const call = () => world.v1.suspendInstance({ instanceId: "nobody", scope });
    await world.expectV1Refused(call, "NotFound", /"nobody" does not exist/);
    await world.start("a");
    await world.expectV1Refused(call, "NotFound", /"nobody" does not exist/);
  });

  it.each([INSTANCE, TREE])("of a finished one (scope %s) names its state", async (scope) => {
    await using world = await openV1(serve);
    await world.start("a");
    await (await world.worker()).completeNext();
    const suspend = () => world.v1.suspendInstance({ ...A, scope });
    await world.expectV1Refused(suspend, "FailedPrecondition", /"a" is in the COMPLETED state/);
    const resume = () => world.v1.resumeInstance({ ...A, scope });
    await world.expectV1Refused(resume, "FailedPrecondition", /"a" is in the COMPLETED state/);
    const all = () => world.v1.resumeInstance({ ...A, allHolds: true });
    await world.expectV1Refused(all, "FailedPrecondition", /COMPLETED/);
  });

  it("above 64 holds of an instance is RESOURCE_EXHAUSTED", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    for (let i = 0; i < LIMITS.instanceHoldsMax; i += 1) {
      await world.v1.suspendInstance({ ...A, name: `${i}` });
    }
    const call = () => world.v1.suspendInstance({ ...A, name: "more" });
    await world.expectV1Refused(call, "ResourceExhausted", /at most 64 holds/);
    await world.v1.suspendInstance({ ...A, name: "5", replace: true });
  });

  it("with the longest values is accepted, and shown as given", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const fields = {
      name: "n".repeat(256),
      reason: "r".repeat(16_384),
      requestedBy: "b".repeat(256),
      resumeCondition: "c".repeat(16_384),
      requestId: "i".repeat(128),
    };
    const { hold } = await world.v1.suspendInstance({ ...A, ...fields });
    const { requestId: _, ...shown } = fields;
    expect(hold).toMatchObject(shown);
  });

  it("with a request id answers the first result again, for each method its own", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const requestId = "once";
    const first = await world.v1.suspendInstance({ ...A, name: "n", reason: "one", requestId });
    const released = await world.v1.resumeInstance({ ...A, name: "n", requestId });
    expect(released.released).toMatchObject([{ name: "n" }]);
    await world.hub.pass(1_000);
    const again = await world.v1.suspendInstance({ ...A, name: "n", reason: "two", requestId });
    expect(again).toEqual(first);
    expect(await holdNames(world)).toEqual([]);
    expect(await world.v1.resumeInstance({ ...A, name: "n", requestId })).toEqual(released);
  });

  it("that expires with KEEP is shown as overdue", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const expiresAfter = { seconds: 1n };
    const fields = { ...A, name: "n", expiresAfter, expiryAction: ExpiryAction.KEEP };
    await world.v1.suspendInstance(fields);
    await world.hub.pass(1_000);
    const { instance } = await world.v1.getSuspension(A);
    expect(instance?.holds).toMatchObject([{ name: "n", overdue: true }]);
    const { suspensions } = await world.v1.listSuspensions({ overdue: true });
    expect(suspensions).toMatchObject([{ hold: { name: "n", overdue: true } }]);
  });
});

describe.each(transports)("ResumeInstance over $name", ({ serve }) => {
  it("answers what it released and what remains, of every scope", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    for (const name of ["x", "y"]) await world.v1.suspendInstance({ ...A, name });
    await world.v1.suspendInstance({ ...A, name: "x", scope: TREE });
    await world.v1.suspendTaskHub({ name: "w" });
    const one = await world.v1.resumeInstance({ ...A, name: "x" });
    expect(one.released).toMatchObject([{ name: "x", scope: INSTANCE }]);
    expect(one.remaining.map(({ name, scope }) => [name, scope])).toEqual([
      ["y", INSTANCE],
      ["x", TREE],
      ["w", SELECTOR],
    ]);
    const all = await world.v1.resumeInstance({ ...A, allHolds: true });
    expect(all.released.map(({ name, scope }) => [name, scope])).toEqual([
      ["y", INSTANCE],
      ["x", TREE],
    ]);
    expect(all.remaining).toMatchObject([{ name: "w", scope: SELECTOR }]);
    const none = await world.v1.resumeInstance({ ...A, allHolds: true });
    expect(none.released).toEqual([]);
    expect(none.remaining).toHaveLength(1);
  });

  it("of a tree with a pace answers it as remaining, with its pace", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "t", scope: TREE });
    const pace = { instancesPerSecond: 0.5, canaries: 3 };
    const answer = await world.v1.resumeInstance({ ...A, name: "t", scope: TREE, pace });
    expect(answer.released).toEqual([]);
    expect(answer.remaining).toMatchObject([{ name: "t", pacedRelease: pace }]);
  });

  it("notes its reason in the history", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.v1.suspendInstance({ ...A, name: "n", reason: "first" });
    await world.v1.resumeInstance({ ...A, name: "n", reason: "last", requestedBy: "ann" });
    const events = (await world.history("a")).slice(2).map(({ eventType }) => eventType.value);
    expect(events).toMatchObject([{ input: "first" }, { input: "last" }]);
  });

  it.each<[string, ResumeFields, RegExp]>([
    ["all holds and a name", { allHolds: true, name: "n" }, /name and scope must be unset/],
    ["all holds and a scope", { allHolds: true, scope: INSTANCE }, /name and scope must be unset/],
    ["scope SELECTOR", { scope: SELECTOR }, /ResumeTaskHub/],
    ["an unknown scope", { scope: 50 as HoldScope }, /scope 50 does not exist/],
    ["a pace for an instance", { pace: { instancesPerSecond: 1 } }, /pace is for holds of scope/],
    ["a long reason", { reason: long(16_384) }, /reason is longer/],
    ["a long author", { requestedBy: long(256) }, /requested_by is longer/],
    ["a long name", { name: long(256) }, /name is longer/],
    ["a long request id", { requestId: long(128) }, /request_id is longer/],
    ["NaN", { scope: TREE, pace: { instancesPerSecond: Number.NaN } }, /instances_per_second/],
    ["Infinity", { scope: TREE, pace: { instancesPerSecond: Infinity } }, /instances_per_second/],
    ["a negative rate", { scope: TREE, pace: { instancesPerSecond: -1 } }, /instances_per_second/],
    ["a tiny rate", { scope: TREE, pace: { instancesPerSecond: 1e-9 } }, /instances_per_second/],
    ["a huge rate", { scope: TREE, pace: { instancesPerSecond: 1e9 } }, /instances_per_second/],
    ["many canaries", { scope: TREE, pace: { canaries: 1_000_001 } }, /canaries/],
  ])("with %s is refused and changes nothing", async (_what, fields, words) => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "n" });
    await world.v1.suspendInstance({ ...A, name: "n", scope: TREE });
    const call = () => world.v1.resumeInstance({ ...A, ...fields });
    await world.expectV1Refused(call, "InvalidArgument", words);
    expect(await holdNames(world)).toEqual(["n", "n"]);
  });
});

describe.each(transports)("the compatible RPCs beside named holds over $name", ({ serve }) => {
  it("place and release the hold with the empty name and no other", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, name: "audit" });
    await world.client.suspendInstance({ ...A, reason: "compatible" });
    expect(await holdNames(world)).toEqual(["audit", ""]);
    await world.client.resumeInstance(A);
    expect(await holdNames(world)).toEqual(["audit"]);
    expect(await world.status("a")).toBe("SUSPENDED");
    await world.client.resumeInstance(A);
    expect(await world.status("a")).toBe("SUSPENDED");
    await world.v1.resumeInstance({ ...A, name: "audit" });
    expect(await world.status("a")).toBe("PENDING");
  });

  it("leave one pair of events in the history", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.v1.suspendInstance({ ...A, name: "audit" });
    await world.client.suspendInstance(A);
    await world.v1.resumeInstance({ ...A, name: "audit" });
    await world.client.resumeInstance(A);
    const kinds = (await world.kinds("a")).slice(2);
    expect(kinds).toEqual(["executionSuspended", "executionResumed"]);
  });

  it("and the hold with the empty name can be placed and released here too", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    await world.v1.suspendInstance({ ...A, requestedBy: "ann" });
    await world.client.suspendInstance({ ...A, reason: "late" });
    const { instance } = await world.v1.getSuspension(A);
    expect(instance?.holds).toMatchObject([{ name: "", requestedBy: "ann" }]);
    await world.client.resumeInstance(A);
    expect(await world.status("a")).toBe("PENDING");
    await world.client.suspendInstance(A);
    await world.v1.resumeInstance(A);
    expect(await world.status("a")).toBe("PENDING");
  });

  it("keep showing RUNNING and PENDING under trees and windows; reads here list every hold", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.v1.suspendTaskHub({ name: "w", reason: "night" });
    await world.start("b");
    await world.v1.suspendInstance({ instanceId: "b", name: "t", scope: TREE });
    expect([await world.status("a"), await world.status("b")]).toEqual(["RUNNING", "PENDING"]);
    const { instance } = await world.v1.getSuspension({ instanceId: "b" });
    expect(instance).toMatchObject({
      status: InstanceStatus.PENDING,
      holds: [
        { name: "w", scope: SELECTOR, reason: "night", window: { acceptNewInstances: true } },
        { name: "t", scope: TREE, originInstanceId: "b" },
      ],
    });
    const { instances } = await world.v1.queryInstances({ filter: { held: true } });
    expect(instances.map(({ holds }) => holds.map(({ name }) => name))).toEqual([
      ["w"],
      ["w", "t"],
    ]);
  });
});

describe.each(transports)("SuspendTaskHub over $name", ({ serve }) => {
  it("creates the hub, answers the window, and replaces it only when told to", async () => {
    await using world = await openV1(serve);
    const startsAt = world.hub.clock.in(60_000);
    const { hold, placed } = await world.v1.suspendTaskHub({
      name: "w",
      selector: { names: ["Order"], instanceIdPrefix: "p", tags: { a: "1" }, versions: ["", "2"] },
      startsAt,
      acceptNewInstances: false,
      includeEntities: true,
      expiresAfter: { seconds: 60n },
    });
    expect(placed).toBe(true);
    expect(hold).toMatchObject({
      name: "w",
      scope: SELECTOR,
      expiresAt: plus(startsAt, 60n, 0),
      expiryAction: ExpiryAction.RESUME,
      window: {
        selector: {
          names: ["Order"],
          instanceIdPrefix: "p",
          tags: { a: "1" },
          versions: ["", "2"],
        },
        startsAt,
        acceptNewInstances: false,
        includeEntities: true,
      },
    });
    expect(await world.v1.suspendTaskHub({ name: "w" })).toMatchObject({ hold, placed: false });
    const replaced = await world.v1.suspendTaskHub({ name: "w", replace: true });
    expect(replaced).toMatchObject({
      placed: true,
      hold: { window: { acceptNewInstances: true } },
    });
  });

  it("without accepting new instances lets StartInstance answer UNAVAILABLE and name it", async () => {
    await using world = await openV1(serve);
    const selector = { names: ["Order"] };
    const fields = { name: "night", selector, acceptNewInstances: false, reason: "backup" };
    await world.v1.suspendTaskHub(fields);
    const call = () => world.client.startInstance({ instanceId: "a", name: "Order" });
    await world.expectV1Refused(call, "Unavailable", /"night".*backup/);
    await world.start("b", "Mail");
    await world.v1.resumeTaskHub({ name: "night" });
    await world.start("a", "Order");
  });

  it.each<[string, WindowFields, RegExp]>([
    ["no name", { name: "" }, /name is empty/],
    ["a long name", { name: long(256) }, /name is longer/],
    ["a control character", { name: "a\tb" }, /name contains/],
    ["TERMINATE", { expiryAction: ExpiryAction.TERMINATE, expiresAfter: {} }, /TERMINATE is not/],
    ["101 names", { selector: { names: Array(101).fill("n") } }, /names has more than 100/],
    ["101 versions", { selector: { versions: Array(101).fill("n") } }, /versions has more/],
    ["a long name in it", { selector: { names: [long(256)] } }, /selector.names is longer/],
    ["a long prefix", { selector: { instanceIdPrefix: long(512) } }, /prefix is longer/],
    ["an empty tag key", { selector: { tags: { "": "" } } }, /tag has an empty key/],
    ["a long tag", { selector: { tags: { a: long(1_024) } } }, /value of tag "a" is longer/],
    ["a start of no year", { startsAt: { seconds: 2n ** 62n } }, /starts_at is not a time/],
    ["a negative duration", { expiresAfter: { seconds: -1n } }, /expires_after is negative/],
    ["an unknown policy", { timerPolicy: 99 as TimerPolicy }, /timer_policy 99/],
    ["a long author", { requestedBy: long(256) }, /requested_by is longer/],
    ["a long request id", { requestId: long(128) }, /request_id is longer/],
  ])("with %s is refused, changes nothing and creates nothing", async (_what, fields, words) => {
    await using world = await openV1(serve);
    const call = () => world.v1.suspendTaskHub({ name: "w", ...fields });
    await world.expectV1Refused(call, "InvalidArgument", words);
  });

  it("with too many tags is refused", async () => {
    await using world = await openV1(serve);
    const tags = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`${i}`, ""]));
    const call = () => world.v1.suspendTaskHub({ name: "w", selector: { tags } });
    await world.expectV1Refused(call, "InvalidArgument", /65 tags/);
  });
});

describe.each(transports)("ResumeTaskHub over $name", ({ serve }) => {
  it("ends one or all, and answers what remains", async () => {
    await using world = await openV1(serve);
    for (const name of ["x", "y", "z"]) await world.v1.suspendTaskHub({ name });
    const one = await world.v1.resumeTaskHub({ name: "y" });
    expect(one.released).toMatchObject([{ name: "y" }]);
    expect(one.remaining).toMatchObject([{ name: "x" }, { name: "z" }]);
    const pace = { canaries: 2, instancesPerSecond: 4 };
    const paced = await world.v1.resumeTaskHub({ name: "x", pace });
    expect(paced.released).toEqual([]);
    expect(paced.remaining).toMatchObject([{ name: "z" }, { name: "x", pacedRelease: pace }]);
    const all = await world.v1.resumeTaskHub({ allHolds: true });
    expect(all.released.map(({ name }) => name).sort()).toEqual(["x", "z"]);
    expect((await world.v1.resumeTaskHub({ allHolds: true })).released).toEqual([]);
  });

  it.each<[string, EndFields, string, RegExp]>([
    ["an unknown name", { name: "none" }, "NotFound", /no maintenance window "none"/],
    ["no name", {}, "InvalidArgument", /name is empty/],
    ["a name and all", { name: "w", allHolds: true }, "InvalidArgument", /both set/],
    [
      "NaN",
      { name: "w", pace: { instancesPerSecond: Number.NaN } },
      "InvalidArgument",
      /per_second/,
    ],
    [
      "a huge rate",
      { name: "w", pace: { instancesPerSecond: 1e7 } },
      "InvalidArgument",
      /per_second/,
    ],
    [
      "many canaries",
      { name: "w", pace: { canaries: 2 ** 32 - 1 } },
      "InvalidArgument",
      /canaries/,
    ],
    ["a long author", { name: "w", requestedBy: long(256) }, "InvalidArgument", /requested_by/],
  ])("with %s is refused and changes nothing", async (_what, fields, code, words) => {
    await using world = await openV1(serve);
    // A hub that does not exist must not come into being by that.
    const call = () => world.v1.resumeTaskHub(fields);
    await world.expectV1Refused(call, code, words);
    await world.v1.suspendTaskHub({ name: "w" });
    await world.expectV1Refused(call, code, words);
  });
});

describe.each(transports)("GetSuspension over $name", ({ serve }) => {
  it("tells what is in flight, what is held back, and what is buffered", async () => {
    await using world = await openV1(serve);
    await world.start("a", "Order");
    const worker = await world.worker({ maxConcurrentActivityWorkItems: 1 });
    await worker.complete(await worker.turn(), [scheduleTask(1, "Pay"), scheduleTask(2, "Ship")]);
    const activity = await worker.activity();
    const since = world.hub.clock.now();
    await world.hub.pass(1_000);
    await world.v1.suspendInstance({ ...A, name: "n" });
    const oldestAt = world.hub.clock.now();
    await world.v1.raiseEvent({ ...A, name: "E", input: "12345" });
    await world.hub.pass(1_000);
    await world.v1.raiseEvent({ ...A, name: "F" });
    const answer = await world.v1.getSuspension(A);
    expect(answer).toMatchObject({
      instance: { status: InstanceStatus.SUSPENDED, heldSince: oldestAt, holds: [{ name: "n" }] },
      inFlight: [
        {
          instanceId: "a",
          kind: WorkKind.ACTIVITY,
          name: "Pay",
          taskId: 1,
          detached: false,
          since,
        },
      ],
      activitiesHeldBack: 1,
      turnHeldBack: true,
      bufferedEvents: { count: 2, oldestAt },
      quiescent: false,
    });
    expect(answer.bufferedEvents?.bytes).toBeGreaterThan(10n);
    await worker.finish(activity);
    expect(await world.v1.getSuspension(A)).toMatchObject({ inFlight: [], quiescent: true });
  });

  it("of one that nothing holds says so, and of nobody is NOT_FOUND", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const answer = await world.v1.getSuspension(A);
    expect(answer).toMatchObject({ quiescent: false, activitiesHeldBack: 0, turnHeldBack: false });
    expect(answer.instance?.heldSince).toBeUndefined();
    const call = () => world.v1.getSuspension({ instanceId: "nobody" });
    await world.expectV1Refused(call, "NotFound", /"nobody"/);
    const empty = () => world.v1.getSuspension({ instanceId: "" });
    await world.expectV1Refused(empty, "InvalidArgument", /instance_id is empty/);
  });
});

describe.each(transports)("WaitForQuiescence over $name", ({ serve }) => {
  it("answers when the work is back, with what still holds", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.v1.suspendInstance({ ...A, name: "n" });
    const waiting = world.calls.next("waitForQuiescence");
    const wait = world.v1.waitForQuiescence({ target: { case: "instanceId", value: "a" } });
    await waiting;
    await worker.complete(turn);
    const { outcome, holds } = await wait;
    expect(outcome).toBe(QuiescenceOutcome.QUIESCENT);
    expect(holds).toMatchObject([{ name: "n" }]);
  });

  it("answers RELEASED and ENDED", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const target = { case: "instanceId", value: "a" } as const;
    const released = await world.v1.waitForQuiescence({ target });
    expect(released).toMatchObject({ outcome: QuiescenceOutcome.RELEASED, holds: [] });
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed()]);
    const ended = await world.v1.waitForQuiescence({ target });
    expect(ended).toMatchObject({ outcome: QuiescenceOutcome.ENDED, holds: [] });
    await world.v1.suspendTaskHub({ name: "w" });
    const window = await world.v1.waitForQuiescence({ target: { case: "window", value: "w" } });
    expect(window).toMatchObject({ outcome: QuiescenceOutcome.QUIESCENT, holds: [{ name: "w" }] });
  });

  it("of nothing, or of what is not there, is refused", async () => {
    await using world = await openV1(serve);
    const nothing = () => world.v1.waitForQuiescence({});
    await world.expectV1Refused(nothing, "InvalidArgument", /names no|names neither/);
    const nobody = { case: "instanceId", value: "nobody" } as const;
    const call = () => world.v1.waitForQuiescence({ target: nobody });
    await world.expectV1Refused(call, "NotFound", /"nobody"/);
    const none = { case: "window", value: "none" } as const;
    const window = () => world.v1.waitForQuiescence({ target: none });
    await world.expectV1Refused(window, "NotFound", /"none"/);
  });

  it("ends at shutdown with UNAVAILABLE, and with the call", async () => {
    await using world = await openV1(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.turn();
    await world.v1.suspendInstance({ ...A, name: "n" });
    const target = { case: "instanceId", value: "a" } as const;
    const call = new AbortController();
    const first = world.calls.next("waitForQuiescence");
    const cancelled = failureOf(world.v1.waitForQuiescence({ target }, { signal: call.signal }));
    await first;
    call.abort();
    expect(await cancelled).toMatchObject({ code: "Canceled" });
    const second = world.calls.next("waitForQuiescence");
    const ended = failureOf(world.v1.waitForQuiescence({ target }));
    await second;
    await world.hub.hubs.drain(AbortSignal.abort());
    expect(await ended).toMatchObject({ code: "Unavailable" });
  });
});

function plus({ seconds, nanos }: Timestamp, more: bigint, moreNanos: number): Timestamp {
  return create(TimestampSchema, { seconds: seconds + more, nanos: nanos + moreNanos });
}
