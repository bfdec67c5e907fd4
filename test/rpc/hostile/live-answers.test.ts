/**
 * Hostile answers to work that a worker really has. None of them is refused for what it says,
 * because nobody would send it again; none takes anything away from others, and whatever it did, the
 * sidecar can read again, also after a restart, hand to the next worker, terminate and purge.
 */
import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { clientService } from "../../../sidecar/rpc/v1/service.ts";
import type { WorkKind } from "../../../sidecar/scheduler/figures.ts";
import { checkBytes } from "../../../sidecar/store/ordered/check.ts";
import type { Problem } from "../../../sidecar/store/ordered/check-findings.ts";
import {
  ActivityResponseSchema,
  EntityBatchResultSchema,
  OrchestrationStatus,
  OrchestratorResponseSchema,
  TaskHubSidecarService,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { signal } from "../../scheduler/kit/entity-calls.ts";
import { CompatWorker } from "../../support/compat-worker.ts";
import { succeeded } from "../../support/entity-results.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { GrpcTransport } from "../../support/grpc-transport.ts";
import { inMemoryTransport } from "../../support/in-memory-transport.ts";
import type { RawAnswer } from "../../support/raw-http2.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import { scheduleTask } from "../../support/worker-actions.ts";
import { type AnswerCase, answerCases, answerOf } from "./answer-cases.ts";
import { HostileWorld, internals } from "./hostile-world.ts";

interface Taken {
  readonly instanceId: string;
  readonly base: Uint8Array;
}

/** Work of one kind, and how it is answered. */
interface Kind {
  readonly name: string;
  readonly work: WorkKind;
  readonly schema: DescMessage;
  readonly method: "completeOrchestratorTask" | "completeActivityTask" | "completeEntityTask";
  /** Makes work for one answer. */
  readonly offer: (world: HostileWorld, id: string) => Promise<unknown>;
  /** Takes it, and says with what its answer begins. */
  readonly take: (worker: CompatWorker) => Promise<Taken>;
}

const filters = {
  orchestrations: [{ name: "Hostile" }],
  activities: [{ name: "Hostile" }],
  entities: [{ name: "hostile" }],
};

async function answerAll(world: HostileWorld, kind: Kind): Promise<string[]> {
  using transport = new GrpcTransport(world.server.address);
  await using worker = new CompatWorker(createClient(TaskHubSidecarService, transport), {
    workItemFilters: filters,
  });
  const wrong: string[] = [];
  let offered = 0;
  const cases = answerCases(kind.schema);
  for (const some of inParts(cases)) {
    await Promise.all(some.map((_, at) => kind.offer(world, idOf(offered + at))));
    offered += some.length;
    const answered = some.map(async (each) => {
      const { instanceId, base } = await kind.take(worker);
      const bytes = Buffer.concat([base, answerOf(instanceId, each)]);
      const method = TaskHubSidecarService.method[kind.method];
      const answer = await world.call(method, bytes, "10M");
      const problem = problemOf(each, answer);
      if (problem !== undefined) wrong.push(`${each.of}, ${each.what}: ${problem}`);
    });
    await Promise.all(answered);
    await world.expectServing();
    await expectConnected(worker);
  }
  // All but those that name other work were answers to what the worker had.
  const misdirected = cases.filter(({ of }) => NAMES.has(of)).length;
  expect(world.hub.hubs.figures.work.stale[kind.work]).toBeLessThanOrEqual(misdirected);
  return wrong;
}

/** What an answer is matched by. */
const NAMES: ReadonlySet<string> = new Set(["completionToken", "instanceId", "taskId"]);

/** It could read all that it was sent. */
async function expectConnected(worker: CompatWorker): Promise<void> {
  expect(await Promise.race([worker.ended, "connected"])).toBe("connected");
}

function idOf(at: number): string {
  return `h${String(at).padStart(5, "0")}`;
}

/** As many as are under way together without being too large for the client. */
function inParts(cases: readonly AnswerCase[]): AnswerCase[][] {
  const parts: AnswerCase[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const each of cases) {
    bytes += each.bytes.byteLength;
    if (bytes > 4_000_000 || (parts.at(-1)?.length ?? 0) >= 100) {
      parts.push([]);
      bytes = each.bytes.byteLength;
    }
    parts.at(-1)?.push(each);
  }
  return parts;
}

function problemOf({ expected }: AnswerCase, { grpc, message, http, reset }: RawAnswer) {
  const isMalformed = grpc === status.INVALID_ARGUMENT && !internals.test(message);
  const isFine =
    expected === "malformed"
      ? isMalformed
      : grpc === status.OK || (expected !== "taken" && isMalformed);
  return isFine ? undefined : `${status[grpc ?? -1]} ${message} ${http} ${reset}`;
}

const kinds: readonly Kind[] = [
  {
    name: "a turn",
    work: "turn",
    schema: OrchestratorResponseSchema,
    method: "completeOrchestratorTask",
    offer: ({ hub }, id) => hub.start(id, { name: "Hostile" }),
    async take(worker) {
      const { token: completionToken, request } = await worker.turn();
      const { instanceId } = request;
      const answer = create(OrchestratorResponseSchema, { completionToken, instanceId });
      return { instanceId, base: toBinary(OrchestratorResponseSchema, answer) };
    },
  },
  {
    name: "an activity",
    work: "activity",
    schema: ActivityResponseSchema,
    method: "completeActivityTask",
    offer: ({ hub }, id) => hub.start(id, { name: "Hostile" }),
    async take(worker) {
      await worker.complete(await worker.turn(), [scheduleTask(1, "Hostile")]);
      const { token: completionToken, request } = await worker.activity();
      const { taskId } = request;
      const instanceId = request.orchestrationInstance?.instanceId ?? "";
      const answer = create(ActivityResponseSchema, { completionToken, instanceId, taskId });
      return { instanceId, base: toBinary(ActivityResponseSchema, answer) };
    },
  },
  {
    name: "a batch",
    work: "batch",
    schema: EntityBatchResultSchema,
    method: "completeEntityTask",
    offer: ({ hub }, id) => signal(hub, `@hostile@${id}`, "op"),
    async take(worker) {
      const { token: completionToken, request } = await worker.batch();
      const results = [succeeded()];
      const answer = create(EntityBatchResultSchema, { completionToken, results });
      return { instanceId: request.instanceId, base: toBinary(EntityBatchResultSchema, answer) };
    },
  },
];

/** Answers everything as well as it can, until nothing more comes, at once or later. */
async function finishAll(hub: TestHub, worker: CompatWorker): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    await hub.settled();
    const turns = many(worker.waiting("orchestratorRequest"), () => worker.completeNext());
    const activities = many(worker.waiting("activityRequest"), async () =>
      worker.finish(await worker.activity()),
    );
    const batches = many(worker.waiting("entityRequestV2"), async () => {
      const batch = await worker.batch();
      const results = batch.request.operationRequests.map(() => succeeded());
      await worker.answer(batch, { results, entityState: "1" });
    });
    const done = await Promise.all([...turns, ...activities, ...batches]);
    quiet = done.length === 0 ? quiet + 1 : 0;
    if (quiet > 0) await hub.pass(60_000);
  }
}

function many<T>(count: number, make: () => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, make);
}

/** Reads all that there is, as clients of both services do. */
async function readAll(transport: Transport): Promise<readonly string[]> {
  const client = createClient(TaskHubSidecarService, transport);
  const ids: string[] = [];
  for (let continuationToken: string | undefined = ""; continuationToken !== undefined; ) {
    const query = { continuationToken, maxInstanceCount: 1_000, fetchInputsAndOutputs: true };
    const page = await client.queryInstances({ query });
    ids.push(...page.orchestrationState.map(({ instanceId }) => instanceId));
    continuationToken = page.continuationToken;
  }
  await client.queryEntities({ query: { includeState: true, includeTransient: true } });
  const insight = createClient(ClientService, transport);
  const read = async (instanceId: string) => {
    for await (const chunk of client.streamInstanceHistory({ instanceId })) void chunk;
    await insight.explainInstance({ instanceId });
  };
  for (let from = 0; from < ids.length; from += 20) {
    await Promise.all(ids.slice(from, from + 20).map(read));
  }
  return ids;
}

/** Instances that have neither ended nor are to begin later. */
async function unfinished(transport: Transport): Promise<readonly string[]> {
  const client = createClient(TaskHubSidecarService, transport);
  const { PENDING, RUNNING, SUSPENDED } = OrchestrationStatus;
  const query = { maxInstanceCount: 1_000, runtimeStatus: [PENDING, RUNNING, SUSPENDED] };
  const { orchestrationState } = await client.queryInstances({ query });
  return orchestrationState
    .filter(({ scheduledStartTimestamp }) => scheduledStartTimestamp === undefined)
    .map(({ instanceId }) => instanceId);
}

async function problemsIn(hub: TestHub): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  await checkBytes(hub.bytes, { onProblem: (problem) => void problems.push(problem) });
  return problems;
}

describe.each(kinds)("a hostile answer to $name", (kind) => {
  it("is taken, harms nobody, and leaves nothing that cannot be read, ended and purged", async () => {
    await using world = await HostileWorld.open();
    const { hub } = world;
    const wrong = await answerAll(world, kind);
    expect(wrong).toEqual([]);
    await hub.settled();
    expect(await problemsIn(hub)).toEqual([]);

    await hub.crash();
    const services = [
      compatibleService(hub.hubs, countedIds("d")),
      clientService(hub.hubs, { version: "1.2.3", steadyClock: hub.steady }),
    ];
    const transport = inMemoryTransport(services);
    const client = createClient(TaskHubSidecarService, transport);
    await using worker = new CompatWorker(client, {});
    await finishAll(hub, worker);
    const ids = await readAll(transport);
    // What waits for something goes on with an event, and ends: nothing is stuck.
    await Promise.all(ids.map((instanceId) => client.raiseEvent({ instanceId, name: "go" })));
    await finishAll(hub, worker);
    await expectConnected(worker);
    expect(await unfinished(transport)).toEqual([]);
    await Promise.all(ids.map((instanceId) => client.terminateInstance({ instanceId })));
    await hub.settled();
    const all = { case: "purgeInstanceFilter", value: {} } as const;
    const { deletedInstanceCount, isComplete } = await client.purgeInstances({ request: all });
    expect({ deletedInstanceCount, isComplete }).toEqual({
      deletedInstanceCount: ids.length,
      isComplete: true,
    });
    expect(await readAll(transport)).toEqual([]);
    expect(await problemsIn(hub)).toEqual([]);
  }, 180_000);
});
