/** The order of decisions is the order of commits. */
import { describe, expect, it } from "vitest";
import { openHub, watch } from "../support/scheduler-harness.ts";

describe("concurrent commands on one instance:", () => {
  it("the order of calls is the order of commits", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const names = Array.from({ length: 100 }, (_, index) => `E${index}`);
    const raises = names.map((name) => hub.raise("a", name));
    await hub.settled();
    hub.bytes.release();
    await Promise.all(raises);
    const worker = hub.worker();
    const { newEvents } = (await worker.turn("a")).request;
    const raised = newEvents.flatMap(({ eventType: type }) =>
      type.case === "eventRaised" ? [type.value.name] : [],
    );
    expect(raised).toEqual(names);
  });

  it("of 100 concurrent starts of one id exactly one succeeds", async () => {
    await using hub = await openHub();
    const starts = await Promise.allSettled(Array.from({ length: 100 }, () => hub.start("a")));
    const succeeded = starts.filter(({ status }) => status === "fulfilled");
    expect(succeeded).toHaveLength(1);
    expect(starts.filter((each) => each.status === "rejected")).toSatisfy(
      (refused: PromiseRejectedResult[]) =>
        refused.every(({ reason }) => reason.code === "instance-exists"),
    );
  });

  it("a read beside the first start of an id does not let a second start succeed", async () => {
    await using hub = await openHub();
    hub.bytes.hold();
    const first = watch(hub.start("a"));
    const read = watch(hub.status("a"));
    await hub.settled();
    const second = watch(hub.start("a"));
    await hub.settled();
    hub.bytes.release();
    await hub.settled();
    expect(first.state).toBe("done");
    expect(read.value).toBe("PENDING");
    expect(second).toMatchObject({ state: "failed", error: { code: "instance-exists" } });
  });

  it("a failed start of one id does not touch another", async () => {
    await using hub = await openHub();
    const calls = [hub.start("a"), hub.start("b"), hub.start("a"), hub.start("c")].map(watch);
    await hub.settled();
    expect(calls.map(({ state }) => state)).toEqual(["done", "done", "failed", "done"]);
  });
});
