import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { failureOf, openCompat } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";

const AT = timestampFromMs(Date.parse("2026-01-01T09:59:00Z"));

describe.each(transports)("StartInstance over $name", ({ serve }) => {
  it("creates a PENDING instance and answers with its id once it is durable", async () => {
    await using world = await openCompat(serve);
    world.hub.bytes.hold();
    const arrived = world.calls.next("startInstance");
    const answer = world.client.startInstance({ instanceId: "a", name: "Main" });
    await arrived;
    await world.hub.settled();
    expect(world.hub.store.durablePosition).toBe(0);
    world.hub.bytes.release();
    expect(await answer).toMatchObject({ instanceId: "a" });
    expect(world.hub.store.durablePosition).toBe(1);
    expect(await world.status("a")).toBe("PENDING");
  });

  it("makes an id of 32 digits for a request without one, another each time", async () => {
    await using world = await openCompat(serve);
    const first = await world.start("");
    const second = await world.start("");
    expect([first, second]).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    expect(first).not.toBe(second);
    expect(await world.status(first)).toBe("PENDING");
  });

  it("takes ids of 200 characters and more, and tells them apart by case", async () => {
    await using world = await openCompat(serve);
    const long = "child:0001:".repeat(40);
    expect(await world.start(long)).toBe(long);
    await world.start("order");
    expect(await world.start("ORDER")).toBe("ORDER");
    expect(await world.state(long)).toMatchObject({ instanceId: long });
  });

  it("copies name, version, input, tags and trace context to the worker", async () => {
    await using world = await openCompat(serve);
    const parentTraceContext = { traceParent: "00-aa-bb-01", spanID: "bb", traceState: "k=v" };
    const tags = { team: "orders" };
    const request = { name: "Main", version: "1.2", input: "{}", parentTraceContext };
    await world.client.startInstance({ ...request, instanceId: "a", tags });
    const worker = await world.worker();
    const { newEvents, executionId } = (await worker.turn()).request;
    expect(newEvents[1]?.eventType).toMatchObject({
      case: "executionStarted",
      value: {
        ...request,
        tags,
        orchestrationInstance: { instanceId: "a", executionId },
      },
    });
  });

  it.each([
    ["absent", {}, undefined],
    ["empty", { input: "" }, ""],
    ["no JSON", { input: "not json" }, "not json"],
    ["a falsy value", { input: "0" }, "0"],
  ])("carries an input that is %s as it is", async (_what, input, expected) => {
    await using world = await openCompat(serve);
    await world.client.startInstance({ instanceId: "a", name: "Main", ...input });
    expect((await world.state("a"))?.input).toBe(expected);
    const worker = await world.worker();
    const started = (await worker.turn()).request.newEvents[1]?.eventType;
    expect(started?.case === "executionStarted" && started.value.input).toBe(expected);
  });

  it("gives each instance an execution id of its own, or the one that the client names", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    await world.start("b");
    await world.client.startInstance({ instanceId: "c", name: "Main", executionId: "mine" });
    await world.client.startInstance({ instanceId: "d", name: "Main", executionId: "" });
    const ids = [];
    for (const id of ["a", "b", "c", "d"]) ids.push((await world.state(id))?.executionId);
    expect(new Set(ids).size).toBe(4);
    expect(ids[2]).toBe("mine");
    expect(ids).not.toContain("");
  });

  it("of one id a hundred times at once succeeds once", async () => {
    await using world = await openCompat(serve);
    const starts = Array.from({ length: 100 }, () =>
      world.client.startInstance({ instanceId: "a", name: "Main" }),
    );
    const outcomes = await Promise.allSettled(starts);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        expect(await failureOf(Promise.reject(outcome.reason))).toMatchObject({
          code: "AlreadyExists",
        });
      }
    }
  });
});

describe.each(transports)("a repeated StartInstance over $name", ({ serve }) => {
  const request = { instanceId: "a", name: "Main", input: "1", requestTime: AT };

  it("is OK if it is the same request with the same time, and changes nothing", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance(request);
    const before = await world.facts("a");
    expect(await world.client.startInstance(request)).toMatchObject({ instanceId: "a" });
    expect(await world.facts("a")).toEqual(before);
  });

  it("is OK also when the instance has finished: it is not started again", async () => {
    await using world = await openCompat(serve);
    await world.client.startInstance(request);
    const worker = await world.worker();
    await worker.completeNext('"once"');
    await world.client.startInstance(request);
    expect(await world.state("a")).toMatchObject({ output: '"once"' });
  });

  it.each([
    ["another time", { requestTime: timestampFromMs(Date.parse("2026-01-01T09:59:01Z")) }],
    ["another name", { name: "Other" }],
    ["another input", { input: "2" }],
    ["another version", { version: "2" }],
  ])("with %s is ALREADY_EXISTS, and changes nothing", async (_what, difference) => {
    await using world = await openCompat(serve);
    await world.client.startInstance(request);
    const before = await world.facts("a");
    expect(await failureOf(world.client.startInstance({ ...request, ...difference }))).toEqual({
      code: "AlreadyExists",
      message: 'an instance with id "a" already exists in status PENDING',
    });
    expect(await world.facts("a")).toEqual(before);
  });

  it("without a time is ALREADY_EXISTS", async () => {
    await using world = await openCompat(serve);
    await world.start("a");
    expect(await failureOf(world.start("a"))).toMatchObject({ code: "AlreadyExists" });
  });
});

describe.each(transports)("a scheduled StartInstance over $name", ({ serve }) => {
  it("waits, PENDING, for its time, and shows it", async () => {
    await using world = await openCompat(serve);
    const scheduledStartTimestamp = world.hub.clock.in(60_000);
    const worker = await world.worker();
    await world.client.startInstance({ instanceId: "a", name: "Main", scheduledStartTimestamp });
    await world.start("b");
    expect((await worker.turn()).request.instanceId).toBe("b");
    expect(await world.state("a")).toMatchObject({ scheduledStartTimestamp });
    expect(await world.status("a")).toBe("PENDING");
    await world.hub.pass(59_999);
    await world.start("c");
    expect((await worker.turn()).request.instanceId).toBe("c");
    await world.hub.pass(1);
    const { request } = await worker.turn();
    expect(request.instanceId).toBe("a");
    expect(request.newEvents[1]?.eventType.value).toMatchObject({ scheduledStartTimestamp });
  });

  it("keeps all nine digits of its time", async () => {
    await using world = await openCompat(serve);
    const scheduledStartTimestamp = { ...world.hub.clock.in(60_000), nanos: 123_456_789 };
    await world.client.startInstance({ instanceId: "a", name: "Main", scheduledStartTimestamp });
    const state = await world.state("a");
    expect(state?.scheduledStartTimestamp).toMatchObject({ nanos: 123_456_789 });
  });

  it.each([
    ["at the epoch, which JavaScript sends for “now”,", timestampFromMs(0)],
    ["in the past", timestampFromMs(Date.parse("2025-12-31T00:00:00Z"))],
  ])("for a time %s starts at once and shows none", async (_what, scheduledStartTimestamp) => {
    await using world = await openCompat(serve);
    await world.client.startInstance({ instanceId: "a", name: "Main", scheduledStartTimestamp });
    expect((await world.state("a"))?.scheduledStartTimestamp).toBeUndefined();
    const worker = await world.worker();
    expect((await worker.turn()).request.instanceId).toBe("a");
  });

  it("in the year 9999 is stored", async () => {
    await using world = await openCompat(serve);
    const scheduledStartTimestamp = timestampFromMs(Date.parse("9999-12-31T23:59:59.999Z"));
    await world.client.startInstance({ instanceId: "a", name: "Main", scheduledStartTimestamp });
    await world.hub.crash();
    expect(await world.hub.status("a")).toBe("PENDING");
  });

  it("keeps events that come before its time", async () => {
    await using world = await openCompat(serve);
    const scheduledStartTimestamp = world.hub.clock.in(60_000);
    await world.client.startInstance({ instanceId: "a", name: "Main", scheduledStartTimestamp });
    await world.client.raiseEvent({ instanceId: "a", name: "Early" });
    const worker = await world.worker();
    await world.hub.pass(60_000);
    const { newEvents } = (await worker.turn()).request;
    expect(newEvents.map(({ eventType }) => eventType.case)).toEqual([
      "orchestratorStarted",
      "executionStarted",
      "eventRaised",
    ]);
  });
});
