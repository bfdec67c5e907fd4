/** Work that is given back, over both transports: PROTOCOL.md 2.3. */
import { describe, expect, it } from "vitest";
import { openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";

describe.each(transports)("an abandon over $name", ({ serve }) => {
  it("of a turn leaves the inbox as it was: it comes back whole, under another token", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    const worker = await world.worker();
    const first = await worker.turn();
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken: first.token });
    await world.hub.pass(200);
    const again = await worker.turn();
    expect(again.token).not.toBe(first.token);
    const kinds = again.request.newEvents.map(({ eventType }) => eventType.case);
    expect(kinds).toEqual(["orchestratorStarted", "executionStarted", "eventRaised"]);
    expect(again.request.executionId).toBe(first.request.executionId);
    const before = await world.facts("a");
    await worker.complete(first, [completed('"late"')]);
    expect(await world.facts("a")).toEqual(before);
    await worker.complete(again, [completed('"ours"')]);
    expect(await world.state("a")).toMatchObject({ output: '"ours"' });
  });

  it("of an activity gives it to another worker, under another token", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const first = await world.worker();
    await first.complete(await first.turn(), [scheduleTask(1)]);
    const activity = await first.activity();
    const second = await world.worker();
    await world.client.abandonTaskActivityWorkItem({ completionToken: activity.token });
    await world.hub.pass(200);
    const again = await second.activity();
    expect(again.request).toEqual(activity.request);
    expect(again.token).not.toBe(activity.token);
    const before = await world.facts("a");
    await first.finish(activity, { result: "late" });
    expect(await world.facts("a")).toEqual(before);
    await second.finish(again, { result: "1" });
    await world.hub.settled();
    expect((await world.facts("a")).written).toBeGreaterThan(before.written);
  });

  it("with an unknown token, none, or one of the other kind is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn(), [scheduleTask(1)]);
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    const [turn, activity] = [await worker.turn(), await worker.activity()];
    const before = await world.facts("a");
    for (const completionToken of ["", "unknown", activity.token]) {
      await world.client.abandonTaskOrchestratorWorkItem({ completionToken });
    }
    for (const completionToken of ["", "unknown", turn.token]) {
      await world.client.abandonTaskActivityWorkItem({ completionToken });
    }
    expect(await world.facts("a")).toEqual(before);
    await worker.finish(activity, { result: "1" });
    await worker.complete(turn, [completed()]);
    expect(await world.status("a")).toBe("COMPLETED");
  });
});
