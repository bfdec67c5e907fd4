import { describe, expect, it } from "vitest";
import type { TurnItem } from "../../support/compat-worker.ts";
import { failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { continueAsNew } from "../../support/worker-actions.ts";

/** The events that a turn brings, as they are on the wire. */
function raisedIn({ request }: TurnItem) {
  return request.newEvents.flatMap(({ eventId, eventType }) =>
    eventType.case === "eventRaised" ? [{ eventId, ...eventType.value }] : [],
  );
}

describe.each(transports)("RaiseEvent over $name", ({ serve }) => {
  it("brings name and input as they are, with event id -1", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    await worker.complete(await worker.turn());
    await world.client.raiseEvent({ instanceId: "a", name: "aPPROVED 🎉", input: '{ "x" :1}' });
    expect(raisedIn(await worker.turn())).toMatchObject([
      { eventId: -1, name: "aPPROVED 🎉", input: '{ "x" :1}' },
    ]);
  });

  it("keeps empty apart from absent", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.raiseEvent({ instanceId: "a", name: "E", input: "" });
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    const worker = await world.worker();
    const events = raisedIn(await worker.turn());
    expect(events.map(({ input }) => input)).toEqual(["", undefined]);
  });

  it("is durable when it is answered", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    await world.hub.crash();
    const worker = world.hub.worker();
    const { newEvents } = (await worker.turn("a")).request;
    expect(newEvents.map(({ eventType }) => eventType.case)).toContain("eventRaised");
  });

  it("keeps the order of one client's calls, over the turns that they come in", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    const names = Array.from({ length: 20 }, (_, at) => `E${at}`);
    for (const name of names) await world.client.raiseEvent({ instanceId: "a", name });
    await worker.complete(turn);
    expect(raisedIn(await worker.turn()).map(({ name }) => name)).toEqual(names);
  });

  it("of a hundred at once loses none", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const names = Array.from({ length: 100 }, (_, at) => `E${at}`);
    await Promise.all(names.map((name) => world.client.raiseEvent({ instanceId: "a", name })));
    const worker = await world.worker();
    const raised = raisedIn(await worker.turn()).map(({ name }) => name);
    expect(new Set(raised)).toEqual(new Set(names));
    expect(raised).toHaveLength(100);
  });

  it("reaches the next generation when it came during a turn that continues as new", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    const worker = await world.worker();
    const turn = await worker.turn();
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    await worker.complete(turn, [continueAsNew("2")]);
    const next = await worker.turn();
    expect(next.request.executionId).not.toBe(turn.request.executionId);
    expect(raisedIn(next)).toMatchObject([{ name: "E" }]);
  });

  it("for an unknown instance is NOT_FOUND and writes nothing", async () => {
    await using world = await openCompat(serve);
    const call = () => world.client.raiseEvent({ instanceId: "nobody", name: "E" });
    await world.expectRefused(call, "NotFound", /"nobody"/);
  });

  it("for a finished instance is OK and changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await (await world.worker()).completeNext();
    const before = await world.facts("a");
    await world.client.raiseEvent({ instanceId: "a", name: "E" });
    expect(await world.facts("a")).toEqual(before);
  });

  it("for a purged instance is NOT_FOUND", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.client.terminateInstance({ instanceId: "a" });
    await world.client.purgeInstances({ request: { case: "instanceId", value: "a" } });
    const call = world.client.raiseEvent({ instanceId: "a", name: "E" });
    expect(await failureOf(call)).toMatchObject({ code: "NotFound" });
  });
});
