import {
  type OrchestrationContext,
  OrchestrationStatus,
  PurgeInstanceCriteria,
  type TaskHubGrpcClient,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { newClient, type Steps } from "../support/javascript-sdk.ts";
import {
  completed,
  createdAt,
  javaScriptSuite,
  newId,
  pair,
  startPending,
} from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();

/** Each test has a hub of its own: a filter takes whatever there is. */
async function newHub() {
  const client = newClient({ port: suite.port, taskHub: newId("hub") });
  return { client, [Symbol.asyncDispose]: () => client.stop() };
}

async function endAll(client: TaskHubGrpcClient, ids: readonly string[]): Promise<void> {
  for (const id of ids) await client.terminateOrchestration(id, "ended");
}

async function left(client: TaskHubGrpcClient, ids: readonly string[]): Promise<string[]> {
  const states = await Promise.all(ids.map((id) => client.getOrchestrationState(id)));
  return states.flatMap((state) => (state === undefined ? [] : [state.instanceId]));
}

function criteria(change: (criteria: PurgeInstanceCriteria) => void): PurgeInstanceCriteria {
  const all = new PurgeInstanceCriteria();
  all.setTimeout(30_000);
  change(all);
  return all;
}

test.concurrent("a purge by status deletes what has that status", async () => {
  const { client, worker } = pair({ port: suite.port, taskHub: newId("hub") });
  worker.addNamedOrchestrator("returns", async (_context, input: unknown) => input);
  await worker.start();
  const done = await client.scheduleNewOrchestration("returns", 1);
  await completed(client, done);
  const startAt = new Date(Date.now() + 3_600_000);
  const ended = await client.scheduleNewOrchestration("returns", 1, { startAt });
  await client.terminateOrchestration(ended, "ended");
  const purge = (status: OrchestrationStatus) =>
    client.purgeOrchestration(criteria((it) => it.setRuntimeStatusList([status])));
  expect(await purge(OrchestrationStatus.FAILED)).toMatchObject({ deletedInstanceCount: 0 });
  expect(await purge(OrchestrationStatus.COMPLETED)).toMatchObject({ deletedInstanceCount: 1 });
  expect(await left(client, [done, ended])).toEqual([ended]);
  expect(await purge(OrchestrationStatus.TERMINATED)).toMatchObject({ deletedInstanceCount: 1 });
  expect(await left(client, [done, ended])).toEqual([]);
  await Promise.all([client.stop(), worker.stop()]);
});

test.concurrent("a purge by the time of creation deletes what was created in it", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 4, "pending");
  await endAll(client, ids);
  const [from, last] = [await createdAt(client, ids[1]), await createdAt(client, ids[2])];
  const filter = criteria((it) => {
    it.setCreatedTimeFrom(from);
    // The SDK has whole milliseconds: the next one is behind it.
    it.setCreatedTimeTo(new Date(last.getTime() + 1));
  });
  expect(await client.purgeOrchestration(filter)).toMatchObject({ deletedInstanceCount: 2 });
  expect(await left(client, ids)).toEqual([ids[0], ids[3]]);
});

test.concurrent("a purge by a filter that names no status spares what has not ended", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 3, "pending");
  await endAll(client, ids.slice(0, 2));
  const filter = criteria((it) => it.setCreatedTimeFrom(new Date(0)));
  expect(await client.purgeOrchestration(filter)).toMatchObject({ deletedInstanceCount: 2 });
  expect(await left(client, ids)).toEqual(ids.slice(2));
});

test.concurrent.for([
  { recursive: false, count: 1 },
  { recursive: true, count: 3 },
])(
  "a purge by filter with recursive=$recursive of a parent of two deletes $count",
  async ({ recursive, count }) => {
    const { client, worker } = pair({ port: suite.port, taskHub: newId("hub") });
    worker.addNamedOrchestrator("child", async () => "done");
    worker.addNamedOrchestrator(
      "parent",
      async function* (context: OrchestrationContext, ids: string[]): Steps<void> {
        // They are created later than their parent also in the whole milliseconds of the SDK.
        yield context.createTimer(0.01);
        for (const instanceId of ids) {
          yield context.callSubOrchestrator("child", undefined, { instanceId });
        }
      },
    );
    await worker.start();
    const children = ["child-1", "child-2"];
    const parent = await client.scheduleNewOrchestration("parent", children);
    await completed(client, parent);
    const born = await createdAt(client, children[0]);
    const filter = criteria((it) => it.setCreatedTimeTo(new Date(born.getTime() - 1)));
    expect(await client.purgeOrchestration(filter, { recursive })).toMatchObject({
      deletedInstanceCount: count,
    });
    expect(await left(client, [parent, ...children])).toEqual(recursive ? [] : children);
    await Promise.all([client.stop(), worker.stop()]);
  },
);

test.concurrent("a purge by a filter that nothing fits deletes nothing", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 2, "pending");
  await endAll(client, ids);
  const filter = criteria((it) => it.setCreatedTimeFrom(new Date(Date.now() + 3_600_000)));
  expect(await client.purgeOrchestration(filter)).toMatchObject({ deletedInstanceCount: 0 });
  expect(await left(client, ids)).toEqual(ids);
});

// The limit of this SDK is its own: the call goes on without it.
test.concurrent("a purge with a time limit deletes what it can in that time", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 2, "pending");
  await endAll(client, ids);
  const filter = criteria((it) => it.setTimeout(10_000));
  expect(await client.purgeOrchestration(filter)).toMatchObject({ deletedInstanceCount: 2 });
  expect(await left(client, ids)).toEqual([]);
});
