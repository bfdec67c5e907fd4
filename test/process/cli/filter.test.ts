import { toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  type FilterFlags,
  hasFilter,
  parseFilter,
} from "../../../sidecar/process/cli/client/filter.ts";
import { InstanceFilterSchema } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");

function filterOf(flags: FilterFlags, holdName?: string): unknown {
  return toJson(InstanceFilterSchema, parseFilter(flags, holdName, nowMs));
}

test("every flag has its field", () => {
  const flags: FilterFlags = {
    status: ["running,Suspended", "FAILED"],
    name: ["Order", "a,b"],
    version: ["2", ""],
    tag: ["team=red", "empty=", "formula=a=b", "__proto__=x"],
    prefix: "order-",
    parent: "root",
    createdAfter: "1d",
    createdBefore: "2026-11-21T11:00:00Z",
    completedAfter: "1h",
    completedBefore: "30m",
    held: false,
    heldLongerThan: "90s",
    where: ["/percent >= 50", "/error missing"],
  };
  expect(filterOf(flags, "")).toEqual({
    statuses: ["INSTANCE_STATUS_RUNNING", "INSTANCE_STATUS_SUSPENDED", "INSTANCE_STATUS_FAILED"],
    names: ["Order", "a,b"],
    versions: ["2", ""],
    tags: Object.fromEntries([
      ["team", "red"],
      ["empty", ""],
      ["formula", "a=b"],
      ["__proto__", "x"],
    ]),
    instanceIdPrefix: "order-",
    parentInstanceId: "root",
    createdFrom: "2026-11-20T12:00:00Z",
    createdTo: "2026-11-21T11:00:00Z",
    completedFrom: "2026-11-21T11:00:00Z",
    completedTo: "2026-11-21T11:30:00Z",
    holdName: "",
    held: false,
    heldLongerThan: "90s",
    customStatus: [
      { pointer: "/percent", comparison: "COMPARISON_GREATER_OR_EQUAL", value: 50 },
      { pointer: "/error", comparison: "COMPARISON_NOT_EXISTS" },
    ],
  });
});

test("no flag, no filter", () => {
  expect(filterOf({})).toEqual({});
  expect(hasFilter({})).toBe(false);
  expect(hasFilter({ held: false })).toBe(true);
});

test.each<[FilterFlags, string]>([
  [{ status: ["idle"] }, '--status: "idle" is not one of: pending, running, suspended, completed'],
  [{ status: ["unspecified"] }, '--status: "unspecified" is not one of'],
  [{ tag: ["team"] }, '--tag: "team" is not key=value'],
  [{ tag: ["=x"] }, '--tag: "=x" is not key=value'],
  [{ tag: ["a=1", "a=2"] }, "--tag: a key is there twice"],
  [{ createdAfter: "soon" }, '--created-after: "soon" is neither'],
  [{ heldLongerThan: "long" }, '--held-longer-than: "long" is not a duration'],
])("%j is a mistake", (flags, message) => {
  expect(() => filterOf(flags)).toThrow(message);
});

test("--filter says the same as the flags of these names, and joins them", () => {
  const filter = [
    "status=running,suspended",
    "name=Order",
    "tag=formula=a=b",
    "prefix=order-",
    "created-after=1d",
    "held-longer-than=90s",
    "hold=audit",
    "where=/percent >= 50",
  ];
  expect(filterOf({ filter, name: ["Other"] })).toEqual(
    filterOf(
      {
        status: ["running,suspended"],
        name: ["Other", "Order"],
        tag: ["formula=a=b"],
        prefix: "order-",
        createdAfter: "1d",
        heldLongerThan: "90s",
        where: ["/percent >= 50"],
      },
      "audit",
    ),
  );
  expect(hasFilter({ filter: ["name=Order"] })).toBe(true);
});

test.each([
  [["order"], '--filter: "order" is not key=value'],
  [["=order"], '--filter: "=order" is not key=value'],
  [["__proto__=x"], '--filter: "__proto__" is not one of: status, name'],
  [["prefix=a", "prefix=b"], "--filter: prefix is there twice"],
])("--filter %j is refused", (filter, message) => {
  expect(() => filterOf({ filter })).toThrow(message);
});

test("--filter does not hide what a flag has said", () => {
  expect(() => filterOf({ filter: ["prefix=a"], prefix: "b" })).toThrow("prefix is there twice");
});
