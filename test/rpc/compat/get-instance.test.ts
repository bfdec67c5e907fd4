import { describe, expect, it } from "vitest";
import type { OrchestrationState } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type CompatWorld, openCompat, stateIn, statusName } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, continueAsNew, failed, startChild } from "../../support/worker-actions.ts";

async function lean({ client }: CompatWorld, instanceId: string): Promise<OrchestrationState> {
  return stateIn(await client.getInstance({ instanceId }));
}

describe.each(transports)("GetInstance over $name", ({ serve }) => {
  it("of an unknown id is OK, without a state", async () => {
    await using world = await openCompat(serve);
    const answer = await world.client.getInstance({ instanceId: "a", getInputsAndOutputs: true });
    expect(answer).toMatchObject({ exists: false });
    expect(answer.orchestrationState).toBeUndefined();
  });

  it("sees an instance as soon as its start was answered", async () => {
    await using world = await openCompat(serve);
    const tags = { team: "orders" };
    await world.client.startInstance({ instanceId: "a", name: "Main", version: "1.2", tags });
    const now = world.hub.clock.now();
    const state = await world.state("a");
    expect(state).toMatchObject({
      instanceId: "a",
      name: "Main",
      version: "1.2",
      tags,
      createdTimestamp: now,
      lastUpdatedTimestamp: now,
      executionId: expect.stringMatching(/./),
    });
    expect(statusName(state as OrchestrationState)).toBe("PENDING");
  });

  it("leaves out what an instance does not have", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const state = await world.state("a");
    expect([
      state?.version,
      state?.scheduledStartTimestamp,
      state?.input,
      state?.output,
      state?.customStatus,
      state?.failureDetails,
      state?.completedTimestamp,
      state?.parentInstanceId,
    ]).toEqual(new Array(8).fill(undefined));
  });

  it("shows input, output and custom status of a finished instance only when asked to", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", '"in"');
    const worker = await world.worker();
    await world.hub.pass(1_000);
    await worker.complete(await worker.turn(), [completed('"out"')], { customStatus: '"s"' });
    const full = await world.state("a");
    expect(full).toMatchObject({ input: '"in"', output: '"out"', customStatus: '"s"' });
    const state = await lean(world, "a");
    expect([state.input, state.output, state.customStatus, state.failureDetails]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(statusName(state)).toBe("COMPLETED");
    expect(state.createdTimestamp).toEqual(world.hub.clock.in(-1_000));
    expect(state.lastUpdatedTimestamp).toEqual(world.hub.clock.now());
    expect(state.completedTimestamp).toEqual(world.hub.clock.now());
  });

  it("shows failure details of a failed instance only when asked to", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [failed("broken")]);
    expect((await world.state("a"))?.failureDetails).toMatchObject({
      errorType: "Error",
      errorMessage: "broken",
    });
    const state = await lean(world, "a");
    expect(statusName(state)).toBe("FAILED");
    expect(state.failureDetails).toBeUndefined();
    expect([state.createdTimestamp, state.lastUpdatedTimestamp]).not.toContain(undefined);
  });

  it.each(["COMPLETED", "TERMINATED"])(
    "shows no failure details of a %s instance",
    async (status) => {
      await using world = await openCompat(serve);
      await world.start("a");
      if (status === "COMPLETED") await (await world.worker()).completeNext();
      else await world.client.terminateInstance({ instanceId: "a", output: '"stop"' });
      const state = await world.state("a");
      expect(state && statusName(state)).toBe(status);
      expect(state?.failureDetails).toBeUndefined();
    },
  );

  it("keeps empty apart from absent in input, output and custom status", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", "");
    const worker = await world.worker();
    await worker.completeNext("");
    expect(await world.state("a")).toMatchObject({ input: "", output: "" });
    await world.start("b");
    await worker.completeNext();
    const state = await world.state("b");
    expect([state?.input, state?.output]).toEqual([undefined, undefined]);
  });

  it("replaces the custom status with every turn; empty and absent clear it", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const seen: (string | undefined)[] = [];
    for (const status of [
      { customStatus: '""' },
      {},
      { customStatus: "1" },
      { customStatus: "" },
    ]) {
      await worker.complete(await worker.turn(), [], status);
      seen.push((await world.state("a"))?.customStatus);
      await world.client.raiseEvent({ instanceId: "a", name: "Go" });
    }
    expect(seen).toEqual(['""', undefined, "1", undefined]);
  });

  it("names the parent of a child, and its tags", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance({ instanceId: "p", name: "Main", tags: { team: "orders" } });
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [startChild(1, "c")]);
    await worker.turn();
    expect(await world.state("c")).toMatchObject({
      name: "Child",
      parentInstanceId: "p",
      tags: { team: "orders" },
    });
  });

  it("shows the newest generation, created when the first was", async () => {
    await using world = await openCompat(serve);
    await world.start("a", "Main", "1");
    const first = await world.state("a");
    const worker = await world.worker();
    await world.hub.pass(1_000);
    await worker.complete(await worker.turn(), [continueAsNew("2")]);
    const state = await world.state("a");
    expect(state).toMatchObject({ input: "2", createdTimestamp: first?.createdTimestamp });
    expect(state && statusName(state)).toBe("RUNNING");
    expect(state?.executionId).not.toBe(first?.executionId);
    expect(state?.output).toBeUndefined();
  });

  it("is PENDING while a worker has the first turn, and RUNNING once that is committed", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    expect(await world.status("a")).toBe("PENDING");
    await worker.complete(turn);
    expect(await world.status("a")).toBe("RUNNING");
  });
});
