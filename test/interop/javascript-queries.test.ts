import {
  type OrchestrationQuery,
  OrchestrationStatus,
  type TaskHubGrpcClient,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { idOf, newEntityId, withEntities } from "../support/javascript-entities.ts";
import { newClient } from "../support/javascript-sdk.ts";
import {
  collected,
  createdAt,
  javaScriptSuite,
  millisecondsBehind,
  newId,
  present,
  startPending,
} from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const { call } = withEntities(suite);
const { COMPLETED, FAILED, PENDING, RUNNING, SUSPENDED, TERMINATED } = OrchestrationStatus;

const fails = suite.orchestrator("fails", async () => {
  throw new Error("out of order");
});
const waits = suite.orchestrator("waits", async function* (context) {
  yield context.waitForExternalEvent("go");
});

async function idsFound(query: OrchestrationQuery, client = suite.client): Promise<string[]> {
  return (await collected(client.getAllInstances(query))).map(({ instanceId }) => instanceId);
}

async function newHub() {
  const client = newClient({ port: suite.port, taskHub: newId("hub") });
  return { client, [Symbol.asyncDispose]: () => client.stop() };
}

test.concurrent("orchestrations are found by their status", async () => {
  const prefix = newId("statuses");
  const id = (name: string) => `${prefix}-${name}`;
  await suite.run("returns", 1, { instanceId: id("completed") });
  await suite.run(fails, undefined, { instanceId: id("failed") });
  for (const name of ["running", "suspended", "terminated"]) {
    await suite.start(waits, undefined, { instanceId: id(name) });
    await suite.client.waitForOrchestrationStart(id(name));
  }
  await suite.client.suspendOrchestration(id("suspended"));
  await suite.client.terminateOrchestration(id("terminated"), "ended");
  const startAt = new Date(Date.now() + 3_600_000);
  await suite.start("returns", 1, { instanceId: id("pending"), startAt });
  const find = (...statuses: OrchestrationStatus[]) =>
    idsFound({ statuses, instanceIdPrefix: prefix });
  expect(await find(COMPLETED)).toEqual([id("completed")]);
  expect(await find(FAILED)).toEqual([id("failed")]);
  expect(await find(RUNNING)).toEqual([id("running")]);
  expect(await find(SUSPENDED)).toEqual([id("suspended")]);
  expect(await find(TERMINATED)).toEqual([id("terminated")]);
  expect(await find(PENDING)).toEqual([id("pending")]);
  expect(await find(FAILED, PENDING)).toEqual([id("failed"), id("pending")]);
  expect((await find()).length).toBe(6);
});

test.concurrent("orchestrations are found by the time of their creation", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 4, "pending");
  const [createdFrom, last] = [await createdAt(client, ids[1]), await createdAt(client, ids[2])];
  // The SDK has whole milliseconds: the next one is behind it.
  const createdTo = new Date(last.getTime() + 1);
  expect(await idsFound({ createdFrom }, client)).toEqual(ids.slice(1));
  expect(await idsFound({ createdTo }, client)).toEqual(ids.slice(0, 3));
  expect(await idsFound({ createdFrom, createdTo }, client)).toEqual(ids.slice(1, 3));
});

test.concurrent("orchestrations are found by the beginning of their ids", async () => {
  const prefix = newId("prefix_%");
  const ids = await startPending(suite.client, 2, prefix);
  const loud = await startPending(suite.client, 2, prefix.toUpperCase());
  expect(await idsFound({ instanceIdPrefix: prefix })).toEqual(ids);
  expect(await idsFound({ instanceIdPrefix: prefix.toUpperCase() })).toEqual(loud);
  expect(await idsFound({ instanceIdPrefix: newId("nobody") })).toEqual([]);
});

test.concurrent("each filter of a query narrows the others", async () => {
  const prefix = newId("pending");
  const ids = await startPending(suite.client, 3, prefix);
  await suite.client.terminateOrchestration(present(ids[2]), "ended");
  const createdFrom = await createdAt(suite.client, ids[1]);
  const query = { instanceIdPrefix: prefix, createdFrom };
  expect(await idsFound({ ...query, statuses: [PENDING] })).toEqual([ids[1]]);
  expect(await idsFound({ ...query, statuses: [TERMINATED] })).toEqual([ids[2]]);
  expect(await idsFound({ ...query, statuses: [FAILED] })).toEqual([]);
});

test.concurrent("twenty-one orchestrations are found five by five", async () => {
  const prefix = newId("pending");
  const ids = await startPending(suite.client, 21, prefix);
  const query = suite.client.getAllInstances({ instanceIdPrefix: prefix, pageSize: 5 });
  const pages = await collected(query.asPages());
  expect(pages.map(({ values }) => values.length)).toEqual([5, 5, 5, 5, 1]);
  expect(pages.flatMap(({ values }) => values.map(({ instanceId }) => instanceId))).toEqual(ids);
  expect(pages.at(-1)?.continuationToken).toBeUndefined();
});

test.concurrent("a query has inputs and outputs only when it asks for them", async () => {
  const { instanceId } = await suite.run("returns", "given");
  const find = (fetchInputsAndOutputs: boolean) =>
    collected(
      suite.client.getAllInstances({ instanceIdPrefix: instanceId, fetchInputsAndOutputs }),
    );
  const payloads = { serializedInput: '"given"', serializedOutput: '"given"' };
  expect(await find(true)).toMatchObject([{ instanceId, ...payloads }]);
  const none = { serializedInput: undefined, serializedOutput: undefined };
  expect(await find(false)).toMatchObject([{ instanceId, runtimeStatus: COMPLETED, ...none }]);
});

test.concurrent("entities are not among the orchestrations", async () => {
  const id = newEntityId();
  await call(id, "set", 1);
  expect(await idsFound({ instanceIdPrefix: "@" })).toEqual([]);
  expect(await suite.client.getEntity(idOf(id))).toMatchObject({ state: 1 });
});

/** Terminates orchestrations in this order, each at a time of its own. */
async function terminated(client: TaskHubGrpcClient, ids: readonly string[]): Promise<Date[]> {
  const ends: Date[] = [];
  for (const id of ids) {
    await client.terminateOrchestration(id, "ended");
    const end = present(await client.getOrchestrationState(id)).lastUpdatedAt;
    await millisecondsBehind(end);
    ends.push(end);
  }
  return ends;
}

test.concurrent("the ids of ended orchestrations are listed in the order of their ends, page by page", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 6, "pending");
  const order = ids.slice(0, 5).reverse();
  await terminated(client, order);
  const pages = [await client.listInstanceIds({ pageSize: 2 })];
  for (let lastInstanceKey = pages[0]?.continuationToken; lastInstanceKey; ) {
    const page = await client.listInstanceIds({ pageSize: 2, lastInstanceKey });
    pages.push(page);
    lastInstanceKey = page.continuationToken;
  }
  const found = pages.map(({ values }) => values);
  expect(found).toEqual([order.slice(0, 2), order.slice(2, 4), order.slice(4)]);
});

test.concurrent("the ids of ended orchestrations are listed by status and by the time of their ends", async () => {
  await using hub = await newHub();
  const { client } = hub;
  const ids = await startPending(client, 4, "pending");
  const [, completedTimeFrom, last] = await terminated(client, ids);
  const completedTimeTo = new Date(present(last).getTime() + 1);
  const list = async (options: Parameters<typeof client.listInstanceIds>[0]) =>
    (await client.listInstanceIds(options)).values;
  expect(await list({ runtimeStatus: [TERMINATED] })).toEqual(ids);
  expect(await list({ runtimeStatus: [COMPLETED, FAILED] })).toEqual([]);
  expect(await list({ completedTimeFrom: present(completedTimeFrom) })).toEqual(ids.slice(1));
  expect(await list({ completedTimeTo })).toEqual(ids.slice(0, 3));
});
