/** Pages of the compatible queries over any hub, with any sizes, while instances come and end. */
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { shownStatus } from "../../../sidecar/engine/status.ts";
import { queryMethods } from "../../../sidecar/rpc/compat/query-methods.ts";
import { mountService } from "../../../sidecar/rpc/service.ts";
import {
  type OrchestrationStatus,
  TaskHubSidecarService,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Kind, Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { inMemoryTransport } from "../../support/in-memory-transport.ts";
import { QueryWorld } from "../../support/query-world.ts";

/** Bytes and code units order some of them differently. */
const ids = ["a", "aa", "b", "ä", "\uffff", "🎉", "::", "../x", "__proto__", "A", " "];

const instance = fc.record({
  id: fc.constantFrom(...ids),
  suffix: fc.constantFrom("", "1", "🎉"),
  at: fc.nat({ max: 4 }),
  isEntity: fc.integer({ min: 0, max: 9 }).map((each) => each === 0),
  status: fc.constantFrom(Status.PENDING, Status.RUNNING, 3 as const, 4 as const, 6 as const),
  isHeld: fc.boolean(),
  endedAt: fc.nat({ max: 4 }),
});
type Instance = typeof instance extends fc.Arbitrary<infer T> ? T : never;

const instances = fc.uniqueArray(instance, {
  minLength: 5,
  maxLength: 30,
  selector: ({ id, suffix }) => id + suffix,
});
const time = fc.option(fc.nat({ max: 5 }).map(timestampFromMs), { nil: undefined });
const statuses = fc.oneof(
  fc.constant<OrchestrationStatus[]>([]),
  fc.array(
    fc.nat({ max: 7 }).map((status) => status as OrchestrationStatus),
    { maxLength: 4 },
  ),
);
const question = fc.record({
  statuses,
  from: time,
  to: time,
  prefix: fc.constantFrom("", "", "a", "🎉", "..", "A"),
});
const sizes = fc.array(fc.integer({ min: -1, max: 7 }), { minLength: 1, maxLength: 4 });

async function build(world: QueryWorld, made: readonly Instance[]): Promise<void> {
  for (const { id, suffix, at, isEntity, status, isHeld, endedAt } of made) {
    world.nowMs = at;
    const kind = isEntity ? Kind.ENTITY : Kind.ORCHESTRATION;
    const isPending = status === Status.PENDING;
    await world.start(id + suffix, { kind, status: isPending ? status : Status.RUNNING });
    if (isHeld) await world.hold(id + suffix, "h");
    world.nowMs = endedAt;
    if (status > Status.RUNNING) await world.finish(id + suffix, status);
  }
  world.nowMs = 10;
}

type Ask = (size: number, token: string | undefined) => Promise<Page>;
interface Page {
  readonly ids: readonly string[];
  readonly next: string | undefined;
}

/** Each page is as long as it was asked to be, but for the last, which alone has no token. */
async function walk(ask: Ask, pageSizes: readonly number[], between = async () => {}) {
  const all: string[] = [];
  let token: string | undefined;
  // More pages than there can be instances: it goes round in circles.
  for (let page = 0; page < 100; page += 1) {
    const size = pageSizes[page % pageSizes.length] ?? 0;
    const { ids: found, next } = await ask(size, token);
    all.push(...found);
    if (next === undefined) return all;
    expect(next).not.toBe("");
    expect(found).toHaveLength(size <= 0 ? 100 : size);
    token = next;
    await between();
  }
  throw new Error("the pages do not end");
}

interface Question {
  readonly statuses: OrchestrationStatus[];
  readonly from: Timestamp | undefined;
  readonly to: Timestamp | undefined;
  readonly prefix: string;
}

type Caller = Client<typeof TaskHubSidecarService>;

function byCreation(client: Caller, { statuses: runtimeStatus, from, to, prefix }: Question): Ask {
  return async (maxInstanceCount, token) => {
    const { orchestrationState, continuationToken } = await client.queryInstances({
      query: {
        runtimeStatus,
        maxInstanceCount,
        instanceIdPrefix: prefix,
        ...(from && { createdTimeFrom: from }),
        ...(to && { createdTimeTo: to }),
        ...(token !== undefined && { continuationToken: token }),
      },
    });
    return { ids: orchestrationState.map(({ instanceId }) => instanceId), next: continuationToken };
  };
}

function byCompletion(client: Caller, { statuses: runtimeStatus, from, to }: Question): Ask {
  return async (pageSize, token) => {
    const { instanceIds, lastInstanceKey } = await client.listInstanceIds({
      runtimeStatus,
      pageSize,
      ...(from && { completedTimeFrom: from }),
      ...(to && { completedTimeTo: to }),
      ...(token !== undefined && { lastInstanceKey: token }),
    });
    return { ids: instanceIds, next: lastInstanceKey };
  };
}

/** What the words of the protocol say, straight from the states. */
function expected(world: QueryWorld, asked: Question, by: "createdAt" | "completedAt"): string[] {
  const isWithin = (time: Timestamp | undefined) => {
    if (time === undefined) return false;
    const ms = timestampMs(time);
    if (asked.from !== undefined && ms < timestampMs(asked.from)) return false;
    return asked.to === undefined || ms <= timestampMs(asked.to);
  };
  const isWanted = (state: InstanceState) =>
    state.kind === Kind.ORCHESTRATION &&
    isWithin(state[by]) &&
    (asked.statuses.length === 0 || asked.statuses.includes(shownStatus(state))) &&
    (by === "completedAt" || state.instanceId.startsWith(asked.prefix));
  const msOf = (state: InstanceState) => timestampMs(state[by] ?? timestampFromMs(0));
  return [...world.states.values()]
    .filter(isWanted)
    .sort((a, b) => msOf(a) - msOf(b) || compareBytes(a.instanceId, b.instanceId))
    .map(({ instanceId }) => instanceId);
}

const compareBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function openClient(world: QueryWorld): Caller {
  const methods = queryMethods({ get: () => world });
  const transport = inMemoryTransport([mountService(TaskHubSidecarService, methods)]);
  return createClient(TaskHubSidecarService, transport);
}

const runs = {
  numRuns: Number(process.env.RUNS ?? 30),
  seed: Number(process.env.SEED ?? 20_261_122),
};

it("any pages of any question are what the protocol says, in its order, without gap or repeat", async () => {
  await fc.assert(
    fc.asyncProperty(
      instances,
      fc.array(question, { minLength: 1, maxLength: 4 }),
      sizes,
      async (made, questions, pageSizes) => {
        await using world = new QueryWorld();
        await build(world, made);
        const client = openClient(world);
        for (const asked of questions) {
          expect(await walk(byCreation(client, asked), pageSizes)).toEqual(
            expected(world, asked, "createdAt"),
          );
          const listed = await walk(byCompletion(client, asked), pageSizes);
          expect(listed).toEqual(expected(world, asked, "completedAt"));
        }
      },
    ),
    runs,
  );
});

const change = fc.record({ what: fc.constantFrom("start", "finish", "hold"), which: fc.nat() });

it("what is there throughout is on one page, whatever begins and ends meanwhile", async () => {
  const everything: Question = { statuses: [], from: undefined, to: undefined, prefix: "" };
  await fc.assert(
    fc.asyncProperty(
      instances,
      sizes,
      fc.array(change, { maxLength: 20 }),
      async (made, pageSizes, changes) => {
        for (const [ask, by] of [
          [byCreation, "createdAt"],
          [byCompletion, "completedAt"],
        ] as const) {
          await using world = new QueryWorld();
          await build(world, made);
          const client = openClient(world);
          const before = expected(world, everything, by);
          const left = [...changes];
          const found = await walk(ask(client, everything), pageSizes, async () => {
            world.nowMs += 1;
            await apply(world, left.pop());
          });
          expect(found.filter((id) => before.includes(id))).toEqual(before);
          expect(new Set(found).size).toBe(found.length);
        }
      },
    ),
    runs,
  );
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

async function apply(world: QueryWorld, changed: Change | undefined): Promise<void> {
  if (changed === undefined) return;
  const live = [...world.states.values()].filter(({ status }) => status <= Status.RUNNING);
  const { instanceId } = live[changed.which % live.length] ?? {};
  if (changed.what === "start") return world.start(`new ${world.nowMs}`);
  if (instanceId === undefined) return;
  return changed.what === "hold" ? world.hold(instanceId, "n") : world.finish(instanceId);
}
