import { describe, expect, it } from "vitest";
import {
  type CompatWorld,
  failureOf,
  openCompat,
  stateIn,
  statusName,
} from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, continueAsNew } from "../../support/worker-actions.ts";

type Wait = "waitForInstanceStart" | "waitForInstanceCompletion";
const waits: readonly Wait[] = ["waitForInstanceStart", "waitForInstanceCompletion"];

/** Waits, and has arrived. */
async function waitFor(world: CompatWorld, method: Wait, instanceId = "a") {
  const arrived = world.calls.next(method);
  const caller = new AbortController();
  const answer = world.client[method](
    { instanceId, getInputsAndOutputs: true },
    { signal: caller.signal },
  );
  return { answer, caller, ...(await arrived) };
}

describe.each(transports)("WaitForInstanceStart over $name", ({ serve }) => {
  it("answers when the first turn is committed, with its custom status", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", '"in"');
    const { answer } = await waitFor(world, "waitForInstanceStart");
    const worker = await world.worker();
    const turn = await worker.turn();
    expect(await world.status("a")).toBe("PENDING");
    await worker.complete(turn, [], { customStatus: '"first"' });
    const state = stateIn(await answer);
    expect(statusName(state)).toBe("RUNNING");
    expect(state).toMatchObject({ input: '"in"', customStatus: '"first"' });
  });

  it("answers at once for an instance that has started", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    const { answer } = await waitFor(world, "waitForInstanceStart");
    expect(statusName(stateIn(await answer))).toBe("RUNNING");
  });

  it("answers for a suspended instance that never ran, and for a terminated one", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.start("b");
    const first = await waitFor(world, "waitForInstanceStart", "a");
    const second = await waitFor(world, "waitForInstanceStart", "b");
    await world.client.suspendInstance({ instanceId: "a" });
    await world.client.terminateInstance({ instanceId: "b", output: '"no"' });
    expect(statusName(stateIn(await first.answer))).toBe("SUSPENDED");
    const state = stateIn(await second.answer);
    expect(statusName(state)).toBe("TERMINATED");
    expect(state.output).toBe('"no"');
  });

  it("leaves payloads out unless they are asked for", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", '"in"');
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [completed('"out"')], { customStatus: '"s"' });
    for (const method of waits) {
      const state = stateIn(await world.client[method]({ instanceId: "a" }));
      expect([state.input, state.output, state.customStatus]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
  });
});

describe.each(transports)("WaitForInstanceCompletion over $name", ({ serve }) => {
  it("answers when the instance has finished, not when it starts or suspends", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const { answer } = await waitFor(world, "waitForInstanceCompletion");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.client.suspendInstance({ instanceId: "a" });
    await world.client.resumeInstance({ instanceId: "a" });
    await world.client.raiseEvent({ instanceId: "a", name: "Go" });
    await worker.completeNext('"out"');
    const state = stateIn(await answer);
    expect(statusName(state)).toBe("COMPLETED");
    expect(state.output).toBe('"out"');
  });

  it("answers at once for a finished instance", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).completeNext();
    const { answer } = await waitFor(world, "waitForInstanceCompletion");
    expect(statusName(stateIn(await answer))).toBe("COMPLETED");
  });

  it("goes on over continue-as-new", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", "1");
    const { answer } = await waitFor(world, "waitForInstanceCompletion");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [continueAsNew("2")]);
    await worker.completeNext("3");
    expect(stateIn(await answer)).toMatchObject({ input: "2", output: "3" });
  });

  it("answers all who wait", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const calls = [];
    for (let at = 0; at < 20; at += 1) {
      calls.push((await waitFor(world, "waitForInstanceCompletion")).answer);
    }
    await world.client.terminateInstance({ instanceId: "a" });
    const seen = (await Promise.all(calls)).map((answer) => statusName(stateIn(answer)));
    expect(seen).toEqual(new Array(20).fill("TERMINATED"));
  });
});

describe.each(transports)("a wait over $name", ({ serve }) => {
  it.each(waits)("by %s for an unknown instance goes on until it is created", async (method) => {
    await using world = await openCompat(serve);
    const { answer } = await waitFor(world, method);
    const worker = await world.worker();
    await world.start("a");
    await worker.completeNext();
    expect(statusName(stateIn(await answer))).toBe("COMPLETED");
  });

  it.each(waits)("by %s ends with DEADLINE_EXCEEDED when its deadline passes", async (method) => {
    await using world = await openCompat(serve);
    await world.start("a");
    const arrived = world.calls.next(method);
    // A slow machine may take a short time for a deadline that passed before the call began.
    let hasArrived = false;
    void arrived.then(() => {
      hasArrived = true;
    });
    for (let timeoutMs = 20; !hasArrived; timeoutMs *= 2) {
      const failure = await failureOf(world.client[method]({ instanceId: "a" }, { timeoutMs }));
      expect(failure.code).toBe("DeadlineExceeded");
    }
    await (await arrived).over;
    expect(await world.status("a")).toBe("PENDING");
    expect(world.internalErrors).toEqual([]);
  });

  it.each(waits)("by %s that is cancelled leaves nothing behind", async (method) => {
    await using world = await openCompat(serve);
    const { answer, caller, over } = await waitFor(world, method, "nobody");
    const { hub } = world.hub;
    expect(hub.inUse).toBe(true);
    caller.abort();
    expect(await failureOf(answer)).toMatchObject({ code: "Canceled" });
    await over;
    expect(hub.inUse).toBe(false);
    expect(world.internalErrors).toEqual([]);
  });

  it("for an instance that is purged before the answer is made ends with NOT_FOUND", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const { answer } = await waitFor(world, "waitForInstanceCompletion");
    const failure = failureOf(answer);
    // The purge waits for the same flush as the waiting call, and is ready first.
    world.hub.bytes.hold();
    const arrivals = ["terminateInstance", "purgeInstances"].map((each) => world.calls.next(each));
    const end = world.client.terminateInstance({ instanceId: "a" });
    await arrivals[0];
    const purge = world.client.purgeInstances({ request: { case: "instanceId", value: "a" } });
    await arrivals[1];
    await world.hub.settled();
    world.hub.bytes.release();
    await end;
    expect(await purge).toMatchObject({ deletedInstanceCount: 1 });
    expect(await failure).toEqual({
      code: "NotFound",
      message: "the instance was purged while it was waited for",
    });
  });

  it("for an instance that was purged goes on until the id is used again", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a" });
    await world.client.purgeInstances({ request: { case: "instanceId", value: "a" } });
    const { answer } = await waitFor(world, "waitForInstanceStart");
    await world.start("a", "Second");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    expect(stateIn(await answer)).toMatchObject({ name: "Second" });
  });

  it.each(waits)("by %s ends with UNAVAILABLE when the hub drains", async (method) => {
    await using world = await openCompat(serve);
    const { answer } = await waitFor(world, method);
    await world.hub.hubs.drain(AbortSignal.abort());
    expect(await failureOf(answer)).toMatchObject({ code: "Unavailable" });
    expect(await failureOf(world.client[method]({ instanceId: "a" }))).toMatchObject({
      code: "Unavailable",
    });
  });
});
