/** An instance ends once, and stays as it ended. */
import { describe, expect, it } from "vitest";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

type Racer = "complete" | "terminate" | "suspend" | "raise";

/** Every order of these. */
function ordersOf(racers: readonly Racer[]): readonly (readonly Racer[])[] {
  if (racers.length === 0) return [[]];
  return racers.flatMap((first) =>
    ordersOf(racers.filter((racer) => racer !== first)).map((rest) => [first, ...rest]),
  );
}

async function endsIn(hub: TestHub): Promise<readonly string[]> {
  const events = await hub.history("a");
  return events.flatMap(({ eventType: { case: kind } }) =>
    kind === "executionCompleted" || kind === "executionTerminated" ? [kind] : [],
  );
}

/** Everything that may come too late, and is answered as if it had changed something. */
async function comeLate(hub: TestHub): Promise<void> {
  await hub.terminate("a", '"late"');
  await hub.suspend("a");
  await hub.resume("a");
  await hub.raise("a", "Late");
}

describe("completion, termination, suspension and event at once, in any order", () => {
  it("end the instance once, and it stays as it ended", async () => {
    for (const order of ordersOf(["complete", "terminate", "suspend", "raise"])) {
      await using hub = await openHub();
      const worker = hub.worker();
      await hub.start("a");
      const turn = await worker.turn("a");
      const calls: Readonly<Record<Racer, () => Promise<unknown>>> = {
        complete: () => worker.complete(turn, [completed("done")]),
        terminate: () => hub.terminate("a", '"ended"'),
        suspend: () => hub.suspend("a"),
        raise: () => hub.raise("a", "E"),
      };
      hub.bytes.hold();
      const asked = order.map((racer) => calls[racer]());
      await hub.settled();
      hub.bytes.release();
      await Promise.all(asked);
      const ended = await hub.live("a");
      const where = order.join(", ");
      expect(await hub.status("a"), where).toBe("COMPLETED");
      expect(await endsIn(hub), where).toHaveLength(1);
      await comeLate(hub);
      await worker.complete(turn, [completed("again")]);
      expect(await hub.live("a"), where).toEqual(ended);
      await hub.crash();
      expect(await hub.live("a"), where).toEqual(ended);
    }
  });
});

describe("a finished instance", () => {
  it("is changed by nothing, and its id begins a life with another execution", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"), [scheduleTask(1)]);
    const activity = await worker.activity("a", 1);
    await hub.raise("a", "E");
    const turn = await worker.turn("a");
    await hub.terminate("a", '"ended"');
    await worker.complete(turn, []);
    const ended = await hub.live("a");
    const history = await hub.history("a");
    expect(await hub.status("a")).toBe("TERMINATED");
    await comeLate(hub);
    await worker.finish(activity, "late");
    expect(await hub.live("a")).toEqual(ended);
    expect(await hub.history("a")).toEqual(history);
    const policy = { replaceableStatus: [OrchestrationStatus.TERMINATED], legacyAction: 0 };
    await hub.start("a", { policy });
    const { request } = await worker.turn("a");
    expect(request.executionId).not.toBe(turn.request.executionId);
    expect(await hub.status("a")).toBe("PENDING");
  });
});
