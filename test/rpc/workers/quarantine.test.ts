/** The quarantine as operators see it: placed by the sidecar, listed, explained, released, ended. */
import { describe, expect, it } from "vitest";
import { HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { ReasonKind } from "../../../sidecar/wire/gen/taskhub/v1/insight_pb.ts";
import { completed } from "../../support/worker-actions.ts";
import { openWorkers, type WorkersWorld } from "./kit/world.ts";

const A = { instanceId: "a" };
const reason = "a turn came back 2 times without an answer: 2 with the stream of its worker";

/** A hub in which the turn of "a" has cost two workers their connections, which is the maximum. */
async function openQuarantined(): Promise<WorkersWorld> {
  const deliveryLimits = { turnLossesMax: 2, activityLossesMax: undefined };
  const world = await openWorkers({ started: { deliveryLimits } });
  await world.start("a");
  for (const delay of [0, 1_000]) {
    const proxy = await world.proxy();
    const worker = await world.worker({ address: proxy.address });
    await worker.turn();
    proxy.link.reset();
    await worker.ended;
    await connectionLost(world);
    await world.hub.pass(delay);
  }
  return world;
}

/** The server has noticed: no worker has a stream any more. */
async function connectionLost(world: WorkersWorld): Promise<void> {
  // Ends with the close of one socket, which is under way.
  for (;;) {
    const { workers } = await world.v1.listWorkers({});
    if (workers.length === 0) return;
  }
}

describe("an instance whose turns workers do not survive", () => {
  it("is suspended by a hold of the sidecar that says what happened", async () => {
    await using world = await openQuarantined();
    expect(await world.status("a")).toBe("SUSPENDED");
    const { instance } = await world.v1.getSuspension(A);
    expect(instance?.holds).toMatchObject([
      {
        name: "quarantine",
        scope: HoldScope.INSTANCE,
        reason,
        requestedBy: "sidecar",
        placedAt: expect.anything(),
      },
    ]);
  });

  it("is listed among the suspensions of that name, and nothing else is", async () => {
    await using world = await openQuarantined();
    await world.start("b");
    await world.v1.suspendInstance({ instanceId: "b", name: "audit" });
    const { suspensions } = await world.v1.listSuspensions({ name: "quarantine" });
    expect(suspensions.map(({ instanceId, hold }) => [instanceId, hold?.name])).toEqual([
      ["a", "quarantine"],
    ]);
  });

  it("is explained as quarantined", async () => {
    await using world = await openQuarantined();
    const { summary, reasons } = await world.v1.explainInstance(A);
    expect(reasons).toMatchObject([
      { kind: ReasonKind.QUARANTINED, hold: { name: "quarantine" }, since: expect.anything() },
    ]);
    expect(summary).toMatch(
      /^quarantined since \S+ by sidecar until hold "quarantine" is released: a turn came back 2 /,
    );
    expect(summary).toContain(reason);
  });

  it("runs when it is released by name, and is held again by the same hold if need be", async () => {
    await using world = await openQuarantined();
    const { released } = await world.v1.resumeInstance({ ...A, name: "quarantine" });
    expect(released.map(({ name }) => name)).toEqual(["quarantine"]);
    const worker = await world.worker();
    await worker.completeNext("done");
    expect((await world.end("a")).output).toBe("done");
  });

  it("can be terminated without being released", async () => {
    await using world = await openQuarantined();
    await world.client.terminateInstance({ ...A, output: "poison" });
    expect(await world.end("a")).toEqual({ status: "TERMINATED", output: "poison" });
  });

  it("is not hot: a worker that comes gets nothing of it, and others as ever", async () => {
    await using world = await openQuarantined();
    const worker = await world.worker();
    await world.start("b");
    const turn = await worker.turn();
    expect(turn.request.instanceId).toBe("b");
    await worker.complete(turn, [completed("done")]);
    expect((await world.end("b")).output).toBe("done");
    const { workers } = await world.v1.listWorkers({});
    expect(workers).toMatchObject([{ inFlight: [], waiting: true }]);
  });
});

describe("a hold of that name that somebody places", () => {
  it("is a quarantine as well", async () => {
    await using world = await openWorkers();
    await world.start("a");
    const wish = { ...A, name: "quarantine", reason: "looks odd", requestedBy: "ann" };
    await world.v1.suspendInstance(wish);
    const { reasons } = await world.v1.explainInstance(A);
    expect(reasons[0]).toMatchObject({
      kind: ReasonKind.QUARANTINED,
      text: expect.stringMatching(/ by ann .*: looks odd$/),
    });
  });
});
