import { ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";

const PING_MS = 30_000;

describe.each(transports)("GetWorkItems over $name", ({ serve }) => {
  it("hands out a first turn with all that SDKs need", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", "1");
    const worker = await world.worker();
    const { token, request } = await worker.turn();
    expect(token).not.toBe("");
    expect(request).toMatchObject({
      instanceId: "a",
      executionId: (await world.state("a"))?.executionId,
      pastEvents: [],
      newEvents: [
        { eventId: -1, eventType: { case: "orchestratorStarted" } },
        { eventId: -1, eventType: { case: "executionStarted", value: { name: "Main" } } },
      ],
      entityParameters: { entityMessageReorderWindow: { seconds: 0n, nanos: 0 } },
      requiresHistoryStreaming: false,
      properties: {},
    });
    for (const { timestamp } of request.newEvents) expect(timestamp).toBeDefined();
  });

  it("hands out an activity with all that SDKs need", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await worker.complete(turn, [scheduleTask(7, "Pay", { input: "", version: "2" })]);
    const { token, request } = await worker.activity();
    expect(token).not.toBe(turn.token);
    expect(request).toMatchObject({
      name: "Pay",
      version: "2",
      input: "",
      taskId: 7,
      orchestrationInstance: { instanceId: "a", executionId: turn.request.executionId },
    });
  });

  it("gives an item to one stream only, and every dispatch a token of its own", async () => {
    await using world = await openCompat(serve);
    const workers = [await world.worker(), await world.worker(), await world.worker()];
    const ids = Array.from({ length: 30 }, (_, at) => `i${at}`);
    await Promise.all(ids.map((id) => world.start(id)));
    const seen: string[] = [];
    const tokens = new Set<string>();
    const work = workers.map(async (worker) => {
      // Ends with the stream.
      for (;;) {
        const turn = await worker.completeNext();
        seen.push(turn.request.instanceId);
        tokens.add(turn.token);
      }
    });
    for (const instanceId of ids) await world.client.waitForInstanceCompletion({ instanceId });
    for (const worker of workers) worker.close();
    await Promise.allSettled(work);
    expect(seen.toSorted()).toEqual(ids.toSorted());
    expect(tokens.size).toBe(ids.length);
  });

  it("has no more in flight than the worker takes; 0 means that it did not say", async () => {
    await using world = await openCompat(serve);
    for (const id of ["a", "b", "c"]) await world.start(id);
    const one = await world.worker({ maxConcurrentOrchestrationWorkItems: 1 });
    const first = await one.turn();
    const rest = await world.worker({ maxConcurrentOrchestrationWorkItems: 0 });
    const others = [(await rest.turn()).request.instanceId, (await rest.turn()).request.instanceId];
    expect([first.request.instanceId, ...others].toSorted()).toEqual(["a", "b", "c"]);
    await world.start("d");
    expect((await rest.turn()).request.instanceId).toBe("d");
    await one.complete(first);
    rest.close();
    await rest.ended;
    await world.start("e");
    expect((await one.turn()).request.instanceId).toBe("e");
  });

  it("takes any other limit up to the greatest number", async () => {
    await using world = await openCompat(serve);
    const max = 2 ** 31 - 1;
    const worker = await world.worker({
      maxConcurrentOrchestrationWorkItems: max,
      maxConcurrentActivityWorkItems: max,
      maxConcurrentEntityWorkItems: max,
    });
    await world.start("a");
    await worker.completeNext();
    expect(await world.status("a")).toBe("COMPLETED");
  });

  it("obeys filters; what nobody takes stays PENDING, and goes to who takes it", async () => {
    await using world = await openCompat(serve);
    const picky = await world.worker({
      workItemFilters: { orchestrations: [{ name: "Other", versions: ["1"] }] },
    });
    await world.start("a", "Main");
    await world.start("b", "Other");
    await world.client.startInstance({ instanceId: "c", name: "Other", version: "1" });
    expect((await picky.turn()).request.instanceId).toBe("c");
    expect([await world.status("a"), await world.status("b")]).toEqual(["PENDING", "PENDING"]);
    const open = await world.worker();
    const taken = [(await open.turn()).request.instanceId, (await open.turn()).request.instanceId];
    expect(taken.toSorted()).toEqual(["a", "b"]);
  });

  it("pings a silent stream", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.hub.pass(PING_MS);
    await world.start("a");
    await worker.turn();
    expect(worker.pings).toBe(1);
  });

  it("ends with UNAVAILABLE when the hub drains, and so does a new one", async () => {
    await using world = await openCompat(serve);
    const worker = await world.worker();
    await world.hub.hubs.drain(AbortSignal.abort());
    expect(await worker.ended).toMatchObject({ code: 14 });
    const late = await world.worker();
    expect(await late.ended).toMatchObject({ code: 14 });
  });

  it("that is cancelled leaves what it had to its answer, for a while", async () => {
    await using world = await openCompat(serve);
    for (const id of ["a", "b"]) await world.start(id);
    const worker = await world.worker();
    const first = await worker.turn();
    const second = await worker.turn();
    const arrived = world.calls.next("getWorkItems");
    await using other = await world.worker();
    const { over } = await arrived;
    worker.close();
    expect(ConnectError.from(await worker.ended)).toMatchObject({ code: 1 });
    await worker.complete(first, [completed()]);
    expect(await world.status(first.request.instanceId)).toBe("COMPLETED");
    await world.hub.pass(10_000);
    expect((await other.turn()).request.instanceId).toBe(second.request.instanceId);
    other.close();
    await over;
    expect(world.internalErrors).toEqual([]);
  });
});
