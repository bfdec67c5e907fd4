/** Work that workers lose again and again: what happens at the maximum, when there is one. */
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import { type HubOptions, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

const DAY = 24 * 60 * 60_000;

function limited(turnLossesMax?: number, activityLossesMax?: number): HubOptions {
  return { started: { deliveryLimits: { turnLossesMax, activityLossesMax } } };
}

/** A worker takes what there is, and is gone with its connection. */
async function lose(hub: TestHub, times: number): Promise<number> {
  let lost = 0;
  for (let at = 0; at < times; at += 1) {
    const worker = hub.worker({ connection: `lost ${hub.steady.nowMs()} ${at}` });
    lost += (await worker.waiting()).length;
    hub.hubs.connectionClosed(worker.connection);
    await worker.close();
    await hub.pass(60_000);
  }
  return lost;
}

function release(hub: TestHub, names: readonly string[]): Promise<unknown> {
  const wish = {
    names,
    trees: [],
    pace: undefined,
    reason: undefined,
    requestedBy: "ann",
    ignoreFinished: false,
  };
  return hub.hub.suspensions.release("a", wish, noReply);
}

describe("without a maximum", () => {
  it("a turn comes back for ever, once a minute", async () => {
    await using hub = await openHub();
    await hub.start("a");
    expect(await lose(hub, 60)).toBe(60);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });
});

describe("a turn that was lost as often as is allowed", () => {
  it("is handed out no more: its instance is held by a hold that says why", async () => {
    await using hub = await openHub(limited(3));
    await hub.start("a");
    expect(await lose(hub, 5)).toBe(3);
    expect(await hub.status("a")).toBe("SUSPENDED");
    const holds = await hub.hub.read("a", (state) => state.holds);
    expect(holds).toMatchObject([
      {
        name: "quarantine",
        requestedBy: "sidecar",
        reason: "a turn came back 3 times without an answer: 3 with the stream of its worker",
      },
    ]);
  });

  it("costs nothing while it waits, also after a restart", async () => {
    await using hub = await openHub(limited(2));
    await hub.start("a");
    await lose(hub, 2);
    await hub.crash(limited(2));
    const written = hub.store.durablePosition;
    expect(hub.steady.alarms).toBe(0);
    await hub.pass(DAY);
    expect(hub.store.durablePosition).toBe(written);
    expect(await hub.status("a")).toBe("SUSPENDED");
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("does not keep others from running", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    await lose(hub, 1);
    await hub.start("b");
    const worker = hub.worker();
    await worker.complete(await worker.turn("b"), [completed()]);
    expect(await hub.status("b")).toBe("COMPLETED");
    expect(await worker.waiting()).toEqual([]);
  });

  it("is handed out at once when it is released, and the count starts again", async () => {
    await using hub = await openHub(limited(2));
    await hub.start("a");
    expect(await lose(hub, 3)).toBe(2);
    await release(hub, ["quarantine"]);
    expect(await lose(hub, 1)).toBe(1);
    expect(await hub.status("a")).toBe("PENDING");
    expect(await lose(hub, 2)).toBe(1);
    expect(await hub.status("a")).toBe("SUSPENDED");
    await release(hub, ["quarantine"]);
    const good = hub.worker();
    await good.complete(await good.turn("a"), [completed("done")]);
    expect(await hub.status("a")).toBe("COMPLETED");
  });

  it("has everything that arrived meanwhile when it is released", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    await lose(hub, 1);
    for (const name of ["one", "two"]) await hub.raise("a", name);
    await release(hub, ["quarantine"]);
    expect(newEvents(await hub.worker().turn("a"))).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "eventRaised one",
      "eventRaised two",
    ]);
  });

  it("is not released with a suspend of the compatible RPCs", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    await lose(hub, 1);
    await hub.suspend("a");
    await hub.resume("a");
    expect(await hub.status("a")).toBe("SUSPENDED");
    expect(await hub.worker().waiting()).toEqual([]);
  });

  it("can be terminated, with no worker and no release", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    await lose(hub, 1);
    await hub.terminate("a", "poison");
    expect(await hub.status("a")).toBe("TERMINATED");
  });

  it("that was terminated meanwhile is terminated, not quarantined", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    const worker = hub.worker();
    await worker.turn("a");
    await hub.terminate("a");
    hub.hubs.connectionClosed(worker.connection);
    await worker.close();
    expect(await hub.status("a")).toBe("TERMINATED");
  });

  it("keeps its activities until it is released", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    const first = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await first.complete(await first.turn("a"), [scheduleTask(1)]);
    await hub.raise("a", "E");
    await first.turn("a");
    hub.hubs.connectionClosed(first.connection);
    await first.close();
    const worker = hub.worker({ connection: "another" });
    expect(await worker.waiting()).toEqual([]);
    await release(hub, ["quarantine"]);
    expect((await worker.waiting()).toSorted()).toEqual(["activity a 1", "turn a"]);
  });

  it("takes the answer that comes within the grace, and then counts from nothing", async () => {
    await using hub = await openHub(limited(2));
    await hub.start("a");
    await lose(hub, 1);
    const slow = hub.worker({ connection: "slow" });
    const turn = await slow.turn("a");
    await slow.close();
    await slow.complete(turn);
    await hub.pass(60_000);
    await hub.raise("a", "E");
    await lose(hub, 1);
    expect(await hub.status("a")).toBe("RUNNING");
  });

  it("is counted over restarts", async () => {
    await using hub = await openHub(limited(3));
    await hub.start("a");
    for (let at = 0; at < 3; at += 1) {
      expect(await hub.status("a")).toBe("PENDING");
      await lose(hub, 1);
      await hub.crash(limited(3));
    }
    expect(await hub.status("a")).toBe("SUSPENDED");
  });

  it("is never one that was only given back", async () => {
    await using hub = await openHub(limited(1));
    await hub.start("a");
    const worker = hub.worker();
    for (let at = 0; at < 20; at += 1) {
      worker.abandon(await worker.turn("a"));
      await hub.pass(30_000);
    }
    expect(await hub.status("a")).toBe("PENDING");
    expect(await worker.waiting()).toEqual(["turn a"]);
  });
});

describe("an activity that was lost as often as is allowed", () => {
  async function startActivity(hub: TestHub): Promise<void> {
    const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }] } });
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(7, "Pay")]);
    await worker.close();
  }

  it("has failed, in a way that no retry policy tries again, and its orchestration goes on", async () => {
    await using hub = await openHub(limited(undefined, 2));
    await startActivity(hub);
    expect(await lose(hub, 2)).toBe(2);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual(["turn a"]);
    const { request } = await worker.turn("a");
    expect(request.newEvents[1]?.eventType).toMatchObject({
      case: "taskFailed",
      value: {
        taskScheduledId: 7,
        failureDetails: {
          errorType: "ActivityDeliveryExhausted",
          errorMessage:
            'activity "Pay" came back 2 times without an answer: 2 with the stream of its worker',
          isNonRetriable: true,
        },
      },
    });
    expect(request.newEvents).toHaveLength(2);
  });

  it("takes no result any more: it is OK and changes nothing", async () => {
    await using hub = await openHub(limited(undefined, 1));
    await startActivity(hub);
    const slow = hub.worker({ connection: "slow" });
    const activity = await slow.activity("a");
    hub.hubs.connectionClosed("slow");
    await slow.close();
    await slow.finish(activity, "late");
    const worker = hub.worker();
    expect(newEvents(await worker.turn("a"))).toEqual(["orchestratorStarted", "taskFailed 7"]);
    expect(await worker.waiting()).toEqual([]);
  });

  it("does not quarantine its instance", async () => {
    await using hub = await openHub(limited(1, 1));
    await startActivity(hub);
    await lose(hub, 1);
    expect(await hub.status("a")).toBe("RUNNING");
  });

  it("is counted over restarts", async () => {
    await using hub = await openHub(limited(undefined, 2));
    await startActivity(hub);
    await lose(hub, 1);
    await hub.crash(limited(undefined, 2));
    expect(await lose(hub, 1)).toBe(1);
    expect(await hub.worker().waiting()).toEqual(["turn a"]);
  });
});
