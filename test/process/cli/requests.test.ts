/** From flags to requests. */
import { userInfo } from "node:os";
import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  type HubSuspendFlags,
  hubSuspendRequest,
} from "../../../sidecar/process/cli/client/hub.ts";
import { type ResumeFlags, resumeRequest } from "../../../sidecar/process/cli/client/resume.ts";
import { startRequest } from "../../../sidecar/process/cli/client/start.ts";
import { type SuspendFlags, suspendRequest } from "../../../sidecar/process/cli/client/suspend.ts";
import { CreateInstanceRequestSchema } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  ResumeInstanceRequestSchema,
  SuspendInstanceRequestSchema,
  SuspendTaskHubRequestSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const user = userInfo().username;

describe("suspend", () => {
  const requestOf = (flags: SuspendFlags) =>
    toJson(SuspendInstanceRequestSchema, suspendRequest(flags));

  test("without flags places the unnamed hold in the name of the user", () => {
    expect(requestOf({})).toEqual({
      scope: "HOLD_SCOPE_INSTANCE",
      requestedBy: user,
      timerPolicy: "TIMER_POLICY_KEEP",
    });
  });

  test("every flag has its field, and a duration is the server's to count", () => {
    const flags: SuspendFlags = {
      hold: "audit",
      tree: true,
      reason: "",
      by: "ops",
      condition: "the audit is over",
      expires: "2h",
      onExpiry: "terminate",
      freezeTimers: true,
      replace: true,
    };
    expect(requestOf(flags)).toEqual({
      name: "audit",
      scope: "HOLD_SCOPE_TREE",
      reason: "",
      requestedBy: "ops",
      resumeCondition: "the audit is over",
      expiresAfter: "7200s",
      expiryAction: "EXPIRY_ACTION_TERMINATE",
      timerPolicy: "TIMER_POLICY_FREEZE",
      replace: true,
    });
    expect(requestOf({ expires: "2026-11-22T00:00:00Z" })).toMatchObject({
      expiresAt: "2026-11-22T00:00:00Z",
    });
  });

  test.each<[SuspendFlags, string]>([
    [{ onExpiry: "keep" }, "--on-expiry needs --expires"],
    [{ expires: "2h", onExpiry: "explode" }, '"explode" is not one of: resume, terminate, keep'],
    [{ expires: "later" }, '--expires: "later" is neither'],
  ])("%j is a mistake", (flags, message) => {
    expect(() => suspendRequest(flags)).toThrow(message);
  });
});

describe("resume", () => {
  const requestOf = (flags: ResumeFlags) =>
    toJson(ResumeInstanceRequestSchema, resumeRequest(flags));

  test("names a hold and its scope, or all", () => {
    expect(requestOf({})).toEqual({ scope: "HOLD_SCOPE_INSTANCE", requestedBy: user });
    expect(requestOf({ allHolds: true, by: "ops", reason: "done" })).toEqual({
      allHolds: true,
      requestedBy: "ops",
      reason: "done",
    });
    expect(requestOf({ hold: "audit", tree: true, rate: "0.5", canaries: "3" })).toEqual({
      name: "audit",
      scope: "HOLD_SCOPE_TREE",
      requestedBy: user,
      pace: { instancesPerSecond: 0.5, canaries: 3 },
    });
  });

  test.each<[ResumeFlags, string]>([
    [{ allHolds: true, hold: "x" }, "--all-holds does not go with --hold or --tree"],
    [{ rate: "5" }, "--rate and --canaries need --tree"],
    [{ tree: true, rate: "0" }, '--rate: "0" is not a number of instances per second'],
    [{ tree: true, canaries: "-1" }, '--canaries: "-1" is not a whole number'],
  ])("%j is a mistake", (flags, message) => {
    expect(() => resumeRequest(flags)).toThrow(message);
  });
});

describe("hub suspend", () => {
  const requestOf = (flags: HubSuspendFlags) =>
    toJson(SuspendTaskHubRequestSchema, hubSuspendRequest("maintenance", flags, nowMs));

  test("without flags covers everything and accepts starts", () => {
    expect(requestOf({})).toEqual({
      name: "maintenance",
      selector: {},
      acceptNewInstances: true,
      requestedBy: user,
      timerPolicy: "TIMER_POLICY_KEEP",
    });
  });

  test("every flag has its field", () => {
    const flags: HubSuspendFlags = {
      selectName: ["Order"],
      selectPrefix: "eu-",
      selectTag: ["team=red"],
      selectVersion: [""],
      starts: "10m",
      expires: "2026-11-21T14:00:00Z",
      onExpiry: "keep",
      refuseStarts: true,
      includeEntities: true,
      by: "ops",
    };
    expect(requestOf(flags)).toEqual({
      name: "maintenance",
      selector: {
        names: ["Order"],
        instanceIdPrefix: "eu-",
        tags: { team: "red" },
        versions: [""],
      },
      startsAt: "2026-11-21T12:10:00Z",
      acceptNewInstances: false,
      includeEntities: true,
      requestedBy: "ops",
      expiresAt: "2026-11-21T14:00:00Z",
      expiryAction: "EXPIRY_ACTION_KEEP",
      timerPolicy: "TIMER_POLICY_KEEP",
    });
  });

  test("terminates nothing", () => {
    expect(() => requestOf({ expires: "1h", onExpiry: "terminate" })).toThrow(
      '--on-expiry: "terminate" is not one of: resume, keep',
    );
  });
});

test("start carries the time of the request, by which a repeated one is known", () => {
  const flags = { id: "order-1", version: "2", tag: ["a=b"], at: "1h" };
  const request = startRequest("Order", flags, "null", nowMs);
  expect(toJson(CreateInstanceRequestSchema, request)).toEqual({
    instanceId: "order-1",
    name: "Order",
    version: "2",
    input: "null",
    tags: { a: "b" },
    scheduledStartTimestamp: "2026-11-21T13:00:00Z",
    requestTime: "2026-11-21T12:00:00Z",
  });
});
