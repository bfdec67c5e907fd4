/** Workers that are lost, in every way in which a connection can end. PROTOCOL.md 3.4. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";
import { openWorkers, type WorkersWorld } from "./kit/world.ts";

const GRACE = 10_000;
const stuckWorker = fileURLToPath(new URL("kit/stuck-worker.ts", import.meta.url));

const onlyTurns = { workItemFilters: { orchestrations: [{ name: "Main" }], activities: [] } };

/** Completes everything that comes: orchestrations of one activity. */
async function serve(worker: CompatWorker): Promise<void> {
  for (;;) {
    const turn = await worker.turn();
    const isFirst = turn.request.pastEvents.length === 0;
    await worker.complete(turn, [isFirst ? scheduleTask(1) : completed("done")]);
    if (isFirst) await worker.finish(await worker.activity());
  }
}

async function expectServed(world: WorkersWorld, instanceId: string): Promise<void> {
  const good = await world.worker();
  serve(good).catch(() => {});
  expect(await world.end(instanceId)).toEqual({ status: "COMPLETED", output: "done" });
}

/** How a connection may end, with how the worker's side of it is told. */
const endings = [
  { how: "is reset", end: "reset" },
  { how: "is closed", end: "cut" },
] as const;

describe.each(endings)("a worker whose connection $how", ({ end }) => {
  it("in the middle of a turn: another one gets the turn at once", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    const lost = await world.worker({ address: proxy.address });
    await world.start("a");
    const turn = await lost.turn();
    const other = await world.worker();
    proxy.link[end]();
    const again = await other.turn();
    expect(again.request.instanceId).toBe("a");
    expect(again.token).not.toBe(turn.token);
    await lost.ended;
  });

  it("in the middle of an activity: another one gets the activity at once", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    await world.start("a");
    const turns = await world.worker(onlyTurns);
    await turns.complete(await turns.turn(), [scheduleTask(1)]);
    const lost = await world.worker({ address: proxy.address });
    const activity = await lost.activity();
    const other = await world.worker();
    proxy.link[end]();
    const again = await other.activity();
    expect(again.request.taskId).toBe(1);
    expect(again.token).not.toBe(activity.token);
    await other.finish(again, { result: "1" });
    await turns.complete(await turns.turn(), [completed("done")]);
    expect(await world.end("a")).toEqual({ status: "COMPLETED", output: "done" });
  });

  it("behind its answer: what it did counts, and is not done again", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    const lost = await world.worker({ address: proxy.address });
    await world.start("a");
    const turn = await lost.turn();
    // The request gets through, and the answer does not.
    proxy.link.pause("toClient");
    const arrived = world.calls.next("completeOrchestratorTask");
    const answer = lost.complete(turn, [completed("its answer")]);
    answer.catch(() => {});
    await (await arrived).over;
    proxy.link[end]();
    await expect(answer).rejects.toMatchObject({ code: 14 });
    expect(await world.end("a")).toEqual({ status: "COMPLETED", output: "its answer" });
  });

  it("before its answer has left: the work is done by another one, once", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    const lost = await world.worker({ address: proxy.address });
    await world.start("a");
    const turn = await lost.turn();
    proxy.link.pause("toServer");
    const answer = lost.complete(turn, [completed("never arrives")]);
    answer.catch(() => {});
    proxy.link[end]();
    await expect(answer).rejects.toMatchObject({ code: 14 });
    await expectServed(world, "a");
  });
});

describe("a worker whose process is killed in the middle of a turn", () => {
  it("another one gets the turn at once", async () => {
    await using world = await openWorkers();
    await world.start("a");
    const child = spawn(process.execPath, [stuckWorker, world.address], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const other = await world.worker();
    child.kill("SIGKILL");
    expect((await other.turn()).request.instanceId).toBe("a");
  });
});

describe("a worker that cancels its stream", () => {
  it("may still answer over the same connection, for the grace and not longer", async () => {
    await using world = await openWorkers();
    const leaving = await world.worker();
    for (const id of ["a", "b"]) await world.start(id);
    const turns = [await leaving.turn(), await leaving.turn()];
    const other = await world.worker();
    leaving.close();
    await leaving.ended;
    const [first, second] = turns;
    if (first === undefined || second === undefined) throw new Error("there are two");
    await leaving.complete(first, [completed("in time")]);
    expect((await world.end(first.request.instanceId)).output).toBe("in time");
    await world.hub.settled();
    await world.hub.pass(GRACE);
    const again = await other.turn();
    expect(again.request.instanceId).toBe(second.request.instanceId);
    await leaving.complete(second, [completed("too late")]);
    await other.complete(again, [completed("the other one")]);
    expect((await world.end(second.request.instanceId)).output).toBe("the other one");
  });

  it("and then loses its connection: what it had comes back at once", async () => {
    await using world = await openWorkers();
    const proxy = await world.proxy();
    const leaving = await world.worker({ address: proxy.address });
    await world.start("a");
    await leaving.turn();
    leaving.close();
    await leaving.ended;
    const other = await world.worker();
    proxy.link.reset();
    expect((await other.turn()).request.instanceId).toBe("a");
  });

  it("and whose other stream is still open: only what the first one had comes back", async () => {
    await using world = await openWorkers();
    const transport = world.connect();
    const first = await world.workerOver(transport, { maxConcurrentOrchestrationWorkItems: 1 });
    await world.start("a");
    await first.turn();
    const second = await world.workerOver(transport);
    await world.start("b");
    const kept = await second.turn();
    expect(kept.request.instanceId).toBe("b");
    first.close();
    await first.ended;
    await world.hub.settled();
    await world.hub.pass(GRACE);
    expect((await second.turn()).request.instanceId).toBe("a");
    await second.complete(kept, [completed("kept")]);
    expect((await world.end("b")).output).toBe("kept");
  });
});
