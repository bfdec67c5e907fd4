/** Any filter over any hub finds and counts what looking at every state does. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, type Value } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { countInstances } from "../../sidecar/scheduler/count.ts";
import { findByCreation, findByHold } from "../../sidecar/scheduler/query.ts";
import { compileFilter } from "../../sidecar/scheduler/query-filter.ts";
import type { HeldCursor, InstanceCursor } from "../../sidecar/store/store.ts";
import {
  CustomStatusSchema,
  type HubHold,
  HubHoldSchema,
  Kind,
  Status,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  Comparison,
  type CustomStatusConditionSchema,
  type InstanceFilter,
  InstanceFilterSchema,
  InstanceStatus,
} from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { CountDimension } from "../../sidecar/wire/gen/taskhub/v1/query_pb.ts";
import { holdOf, QueryWorld } from "../support/query-world.ts";

const NOW_MS = 100;
const HOLDS = ["", "h", "w"];

const instance = fc.record({
  at: fc.nat({ max: 5 }),
  isEntity: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
  name: fc.constantFrom("A", "B"),
  version: fc.constantFrom(undefined, "", "1"),
  tags: fc.constantFrom({}, { t: "1" }, { t: "1", u: "2" }, { t: "2" }),
  parent: fc.constantFrom("", "p"),
  ancestors: fc.constantFrom([], [7n]),
  status: fc.constantFrom(Status.PENDING, Status.RUNNING, 3 as const, 4 as const, 6 as const),
  completed: fc.nat({ max: 5 }),
  customStatus: fc.constantFrom(undefined, "", "no json", "1", '{"a":2}'),
  holds: fc.subarray(HOLDS),
  heldAt: fc.nat({ max: 90 }),
});

const time = fc.nat({ max: 6 }).map(timestampFromMs);
const number = (value: number): Value["kind"] => ({ case: "numberValue", value });

const filter = fc
  .record({
    statuses: fc.subarray([1, 2, 3, 4, 5, 6, 7] as InstanceStatus[]),
    names: fc.subarray(["A", "B", "C"]),
    versions: fc.subarray(["", "1"]),
    tags: fc.constantFrom<Record<string, string>>({}, { t: "1" }, { u: "2", t: "1" }),
    instanceIdPrefix: fc.constantFrom("", "i", "i1", "x"),
    parentInstanceId: fc.constantFrom("", "p"),
    createdFrom: time,
    createdTo: time,
    completedFrom: time,
    completedTo: time,
    holdName: fc.constantFrom(...HOLDS),
    held: fc.boolean(),
    heldLongerThan: fc.nat({ max: 100 }).map((ms) => ({ seconds: 0n, nanos: ms * 1_000_000 })),
    customStatus: fc.constantFrom<MessageInitShape<typeof CustomStatusConditionSchema>[]>(
      [{ pointer: "" }],
      [{ pointer: "/a", comparison: Comparison.GREATER, value: { kind: number(1) } }],
      [{ pointer: "/a", comparison: Comparison.NOT_EXISTS }],
    ),
  })
  .map((given) => create(InstanceFilterSchema, given));

/** A few fields only, or most filters match nothing. */
const sparseFilter = fc
  .tuple(filter, fc.subarray(InstanceFilterSchema.fields, { maxLength: 3 }))
  .map(([full, fields]) => {
    const names = fields.map(({ localName }) => localName as keyof InstanceFilter);
    const kept = Object.fromEntries(names.map((name) => [name, full[name]]));
    return Object.assign(create(InstanceFilterSchema), kept);
  });

const hubHolds = fc.subarray([
  create(HubHoldSchema, { hold: holdOf("w"), selector: { names: ["A"] } }),
  create(HubHoldSchema, { hold: holdOf("h"), startsAt: timestampFromMs(NOW_MS + 1) }),
  create(HubHoldSchema, { hold: holdOf("h"), origin: { instanceId: "x", number: 7n } }),
]);

const dimensions = fc.subarray([1, 2, 3, 4] as CountDimension[]);

type Instances = typeof instance extends fc.Arbitrary<infer T> ? readonly T[] : never;

async function build(world: QueryWorld, instances: Instances): Promise<void> {
  for (const [index, each] of instances.entries()) {
    const id = `i${index}`;
    world.nowMs = each.at;
    await world.start(id, {
      kind: each.isEntity ? Kind.ENTITY : Kind.ORCHESTRATION,
      name: each.name,
      version: each.version,
      tags: each.tags,
      ancestors: [...each.ancestors],
      status: each.status === Status.PENDING ? Status.PENDING : Status.RUNNING,
      ...(each.parent === "" ? {} : { parent: parentOf(each.parent) }),
    });
    if (each.customStatus !== undefined) {
      const customStatus = create(CustomStatusSchema, { text: each.customStatus });
      await world.change(id, { customStatus });
    }
    world.nowMs = each.heldAt;
    for (const name of each.holds) await world.hold(id, name);
    world.nowMs = each.completed;
    if (each.status > Status.RUNNING) await world.finish(id, each.status);
  }
  world.nowMs = NOW_MS;
}

function parentOf(instanceId: string): NonNullable<InstanceState["parent"]> {
  const $typeName = "taskhub.internal.v1.Parent";
  return { $typeName, instanceId, executionId: "", taskScheduledId: 0, name: "", number: 1n };
}

/** Straight from the words of the API. */
function naive(filter: InstanceFilter, state: InstanceState, covering: readonly HubHold[]) {
  if (state.kind !== Kind.ORCHESTRATION) return false;
  const ms = (of: { seconds: bigint; nanos: number }) =>
    Number(of.seconds) * 1_000 + of.nanos / 1_000_000;
  const isOver = state.status > Status.RUNNING;
  const names = isOver
    ? []
    : [...state.holds.map(({ name }) => name), ...covering.map(({ hold }) => hold?.name ?? "")];
  const status = statusOf(state);
  const own = isOver || state.holds.length === 0 ? undefined : state.heldSince;
  const { createdFrom, createdTo, completedFrom, completedTo, holdName, heldLongerThan } = filter;
  const completed = state.completedAt && ms(state.completedAt);
  return [
    filter.statuses.length === 0 || filter.statuses.includes(status),
    filter.names.length === 0 || filter.names.includes(state.name),
    filter.versions.length === 0 || filter.versions.includes(state.version ?? ""),
    Object.entries(filter.tags).every(([key, value]) => state.tags[key] === value),
    state.instanceId.startsWith(filter.instanceIdPrefix),
    filter.parentInstanceId === "" || filter.parentInstanceId === state.parent?.instanceId,
    createdFrom === undefined || ms(state.createdAt) >= ms(createdFrom),
    createdTo === undefined || ms(state.createdAt) < ms(createdTo),
    completedFrom === undefined || (completed !== undefined && completed >= ms(completedFrom)),
    completedTo === undefined || (completed !== undefined && completed < ms(completedTo)),
    holdName === undefined || names.includes(holdName),
    filter.held === undefined || filter.held === names.length > 0,
    heldLongerThan === undefined || (own && NOW_MS - ms(own) > ms(heldLongerThan)) === true,
    filter.customStatus.every(({ pointer, comparison }) => {
      const text = state.customStatus?.text;
      if (pointer === "") return text === "1" || text === '{"a":2}';
      return comparison === Comparison.NOT_EXISTS ? text === "1" : text === '{"a":2}';
    }),
  ].every(Boolean);
}

function statusOf(state: InstanceState): InstanceStatus {
  if (state.holds.length > 0) return InstanceStatus.SUSPENDED;
  const shown = [0, 1, 2, 4, 5, 6, 7][state.status];
  return shown as InstanceStatus;
}

async function idsByCreation(world: QueryWorld, wanted: InstanceFilter, limit: number) {
  const filter = compileFilter(wanted);
  const ids: string[] = [];
  let after: InstanceCursor | undefined;
  do {
    const view = ({ instanceId }: InstanceState) => instanceId;
    const page = await findByCreation(world, { filter, view, after, limit });
    ids.push(...page.found.map(({ item }) => item));
    after = page.next;
  } while (after !== undefined);
  return ids;
}

async function idsByHold(world: QueryWorld, wanted: InstanceFilter, limit: number) {
  const filter = compileFilter(wanted);
  const ids: string[] = [];
  let after: HeldCursor | undefined;
  do {
    const view = ({ instanceId }: InstanceState) => instanceId;
    const page = await findByHold(world, { filter, view, after, limit });
    ids.push(...page.found.map(({ item }) => item));
    after = page.next;
  } while (after !== undefined);
  return ids;
}

async function counted(world: QueryWorld, wanted: InstanceFilter, by: Set<CountDimension>) {
  const filter = compileFilter(wanted);
  const totals: Record<string, number> = {};
  let after: InstanceCursor | undefined;
  do {
    const page = await countInstances(world, { filter, groupBy: by, after });
    for (const { count, ...group } of page.counts) add(totals, group, Number(count));
    after = page.next;
  } while (after !== undefined);
  return totals;
}

function add(totals: Record<string, number>, group: object, count: number): void {
  const key = JSON.stringify(group);
  totals[key] = (totals[key] ?? 0) + count;
}

function naiveCounts(
  matching: readonly (readonly [InstanceState, readonly HubHold[]])[],
  by: Set<CountDimension>,
) {
  const totals: Record<string, number> = {};
  for (const [state, covering] of matching) {
    const isOver = state.status > Status.RUNNING;
    const holds = isOver ? [] : [...state.holds, ...covering.map(({ hold }) => hold)];
    const names = holds.length === 0 ? [undefined] : holds.map((hold) => hold?.name);
    for (const holdName of by.has(CountDimension.HOLD) ? names : [undefined]) {
      const status = by.has(CountDimension.STATUS) ? statusOf(state) : undefined;
      const name = by.has(CountDimension.NAME) ? state.name : undefined;
      const version = by.has(CountDimension.VERSION) ? state.version : undefined;
      add(totals, { status, name, version, holdName }, 1);
    }
  }
  return totals;
}

it("any filter finds and counts exactly what it says, in any pages", async () => {
  const pageSize = fc.integer({ min: 1, max: 9 });
  const instances = fc.array(instance, { minLength: 5, maxLength: 60, size: "max" });
  const filters = fc.array(sparseFilter, { minLength: 1, maxLength: 12, size: "max" });
  await fc.assert(
    fc.asyncProperty(
      instances,
      hubHolds,
      filters,
      pageSize,
      dimensions,
      async (made, holds, wanted, limit, by) => {
        await using world = new QueryWorld();
        await build(world, made);
        world.hubHolds = holds;
        for (const each of wanted) {
          const matching = [...world.states.values()]
            .map((state) => [state, world.holdsOn(state)] as const)
            .filter(([state, covering]) => naive(each, state, covering));
          const byCreation = matching
            .map(([state]) => state)
            .sort((a, b) => a.createdAt.nanos - b.createdAt.nanos || order(a, b))
            .map(({ instanceId }) => instanceId);
          expect(await idsByCreation(world, each, limit)).toEqual(byCreation);
          const held = matching.filter(([state]) => state.holds.length > 0);
          const expectedHeld = held
            .map(([state]) => state)
            .sort((a, b) => (a.heldSince?.nanos ?? 0) - (b.heldSince?.nanos ?? 0) || byNumber(a, b))
            .map(({ instanceId }) => instanceId);
          expect(await idsByHold(world, each, limit)).toEqual(expectedHeld);
          const groups = new Set(by);
          expect(await counted(world, each, groups)).toEqual(naiveCounts(matching, groups));
        }
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 200), seed: Number(process.env.SEED ?? 20_261_121) },
  );
});

function order(left: InstanceState, right: InstanceState): number {
  return left.instanceId < right.instanceId ? -1 : 1;
}

function byNumber(left: InstanceState, right: InstanceState): number {
  return Number(left.number - right.number);
}
