/** Small requests that would become something very large, many times over in one commit. */
import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { type CompatWorld, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { entityMessage, startChild } from "../../support/worker-actions.ts";

const [{ serve }] = transports as [(typeof transports)[number]];
const MIB = 1024 * 1024;

/** Begins children of "parent", which no worker has run yet. */
async function begin(world: CompatWorld, worker: CompatWorker, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `child${at}`);
  const actions = ids.map((id, at) => startChild(at + 1, id));
  await worker.complete(await worker.turn(), actions);
  await world.hub.settled();
  return ids;
}

const onlyMain = { workItemFilters: { orchestrations: [{ name: "Main" }] } };

describe("a recursive termination", () => {
  it.each([
    ["reaches every child with its output", 3, 2 * MIB],
    ["reaches every child without an output that is too large for all of them", 9, undefined],
  ])("%s", async (_what, count, expected) => {
    await using world = await openCompat(serve);
    const worker = await world.worker(onlyMain);
    await world.start("parent");
    const ids = await begin(world, worker, count);
    const output = "x".repeat(2 * MIB);
    await world.client.terminateInstance({ instanceId: "parent", output, recursive: true });
    await world.hub.settled();
    expect((await world.state("parent"))?.output?.length).toBe(output.length);
    for (const id of ids) {
      expect(await world.status(id)).toBe("TERMINATED");
      expect((await world.state(id))?.output?.length).toBe(expected);
    }
  });
});

describe("an orchestration with the most tags that there may be", () => {
  const tags = Object.fromEntries(
    Array.from({ length: 64 }, (_, at) => [`key${at}`, "x".repeat(1024)]),
  );

  it("gives them to its children", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker(onlyMain);
    await world.client.startInstance({ instanceId: "parent", name: "Main", tags });
    const ids = await begin(world, worker, 20);
    for (const id of ids) expect((await world.state(id))?.tags).toEqual(tags);
  });

  it("fails when it wants more children than can have them, and begins none", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker(onlyMain);
    await world.client.startInstance({ instanceId: "parent", name: "Main", tags });
    await begin(world, worker, 10_000);
    expect(await world.status("parent")).toBe("FAILED");
    expect((await world.state("parent"))?.failureDetails).toMatchObject({
      errorType: "LimitExceeded",
      errorMessage: expect.stringMatching(/^10000 children inherit \d+ bytes of tags each/),
      isNonRetriable: true,
    });
    const { orchestrationState } = await world.client.queryInstances({});
    expect(orchestrationState.map(({ instanceId }) => instanceId)).toEqual(["parent"]);
  });
});

describe("a batch of operations that fails outside user code", () => {
  const requestId = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

  it.each([
    ["is told to its callers", 10, /^x+$/],
    [
      "is told in our words when its own are too large for all of them",
      2 * MIB - 1_000,
      /^the failure of 20 operations has \d+ bytes for each of them/,
    ],
  ])("%s", async (_what, length, expected) => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.start("caller");
    const value = { targetInstanceId: "@e@k", requestId, operation: "op" };
    const call = entityMessage(1, { case: "entityOperationCalled", value });
    await worker.complete(await worker.turn(), [call]);
    // Not before all wait does a worker get a batch of them.
    const first = await worker.batch();
    for (let at = 1; at < 20; at += 1) {
      await world.client.signalEntity({ instanceId: "@e@k", name: "op" });
    }
    const failureDetails = { errorType: "E", errorMessage: "x".repeat(length) };
    await worker.answer(first, { failureDetails });
    for (let tries = 1; tries < 3; tries += 1) {
      await world.hub.pass(60_000);
      const batch = await worker.batch();
      expect(batch.request.operationRequests).toHaveLength(20);
      await worker.answer(batch, { failureDetails });
    }
    const { request } = await worker.turn();
    expect(request.newEvents[1]?.eventType).toMatchObject({
      case: "entityOperationFailed",
      value: { requestId, failureDetails: { errorMessage: expect.stringMatching(expected) } },
    });
  });
});
