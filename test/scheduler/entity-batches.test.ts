import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { EntityRequestSchema } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { operationsOf, succeeded } from "../support/entity-results.ts";
import { holdHub, releaseAll, releaseHub } from "../support/hold-calls.ts";
import { MINUTE, openHub } from "../support/scheduler-harness.ts";
import { set, signal, textOf } from "./kit/entity-calls.ts";

describe("a batch", () => {
  it("is not handed out before what it has is durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await set(hub, worker, "@a@b", "1");
    hub.bytes.hold();
    const signalled = signal(hub, "@a@b", "op");
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    await signalled;
    expect(await worker.waiting()).toEqual(["batch @a@b"]);
  });

  it("has nothing that is not durable, whoever asks for it", async () => {
    await using hub = await openHub();
    await signal(hub, "@a@b", "1");
    hub.bytes.hold();
    const signalled = signal(hub, "@a@b", "2");
    await hub.settled();
    const worker = hub.worker();
    expect(operationsOf((await worker.batch()).request)).toEqual(["1"]);
    hub.bytes.release();
    await signalled;
  });

  it("is not handed out before the one before it is durable, whatever else is", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "1");
    const first = await worker.batch();
    await signal(hub, "@a@b", "2");
    hub.bytes.hold();
    const signalled = signal(hub, "@a@b", "3");
    await hub.settled();
    const answered = worker.answer(first, { results: [succeeded()], entityState: "1" });
    await hub.settled();
    hub.bytes.releaseOne();
    await signalled;
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    await answered;
    expect((await worker.batch()).request.entityState).toBe("1");
  });

  it("comes back to another worker when the first one is lost, at once", async () => {
    await using hub = await openHub();
    const lost = hub.worker({ connection: "lost" });
    await signal(hub, "@a@b", "op");
    const first = await lost.batch();
    const other = hub.worker({ connection: "other" });
    await lost.close();
    expect(await other.waiting()).toEqual([]);
    await hub.pass(10_000);
    const second = await other.batch();
    expect(operationsOf(second.request)).toEqual(["op"]);
    await lost.answer(first, { results: [succeeded()], entityState: "late" });
    expect(await textOf(hub, "@a@b")).toBeUndefined();
    await other.answer(second, { results: [succeeded()], entityState: "1" });
    expect(await textOf(hub, "@a@b")).toBe("1");
  });

  it("may be answered for some seconds after its stream has closed", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "op");
    const batch = await worker.batch();
    await worker.close();
    await hub.pass(9_999);
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    expect(await textOf(hub, "@a@b")).toBe("1");
  });

  it("comes back when its lease of five minutes runs out", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "op");
    const first = await worker.batch();
    await hub.pass(5 * MINUTE - 1);
    expect(await worker.waiting()).toEqual([]);
    await hub.pass(1);
    expect((await worker.batch()).token).not.toBe(first.token);
  });

  it("that a worker had when the process ended is handed out again, with what was durable", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await set(hub, worker, "@a@b", "1");
    await signal(hub, "@a@b", "op");
    const before = await worker.batch();
    await hub.crash();
    const other = hub.worker();
    const batch = await other.batch();
    expect(batch.request).toEqual(before.request);
    expect(batch.token).not.toBe(before.token);
    await other.answer(batch, { results: [succeeded()], entityState: "2" });
    expect(await textOf(hub, "@a@b")).toBe("2");
  });

  it("that workers keep losing quarantines its entity, which goes on when it is released", async () => {
    const deliveryLimits = { turnLossesMax: 2, activityLossesMax: undefined };
    await using hub = await openHub({ started: { deliveryLimits } });
    const worker = hub.worker();
    await signal(hub, "@a@b", "op");
    for (let losses = 0; losses < 2; losses += 1) {
      await worker.batch();
      await hub.pass(5 * MINUTE);
    }
    await hub.pass(60 * MINUTE);
    expect(await worker.waiting()).toEqual([]);
    await hub.crash();
    const other = hub.worker();
    expect(await other.waiting()).toEqual([]);
    const holds = await hub.hub.entities.read("@a@b", ({ state }) =>
      state.holds.map(({ name, reason }) => [name, reason]),
    );
    expect(holds).toEqual([["quarantine", expect.stringMatching(/came back 2 times/)]]);
    await expect(hub.resume("@a@b")).rejects.toMatchObject({ code: "instance-not-found" });
    await releaseAll(hub, "@a@b");
    expect(operationsOf((await other.batch()).request)).toEqual(["op"]);
  });

  it("has as many operations as fit, and at most as many as there may be", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "first");
    const first = await worker.batch();
    const count = LIMITS.entityBatchOperationsMax + 1;
    for (let at = 0; at < count; at += 1) await signal(hub, "@a@b", `${at}`);
    await worker.answer(first, { results: [succeeded()] });
    const second = await worker.batch();
    expect(second.request.operationRequests).toHaveLength(count - 1);
    const results = second.request.operationRequests.map(() => succeeded());
    const large = "x".repeat(1_900_000);
    await worker.answer(second, { results, entityState: large });
    const third = await worker.batch();
    for (const operation of ["1", "2"]) await signal(hub, "@a@b", operation, { input: large });
    await worker.answer(third, { results: [succeeded()], entityState: large });
    expect(operationsOf((await worker.batch()).request)).toEqual(["1"]);
  });

  it("is never larger than what every worker takes", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const instanceId = `@${"a".repeat(LIMITS.nameBytesMax)}@${"b".repeat(254)}`;
    const text = "x".repeat(LIMITS.entityStateBytesMax);
    await set(hub, worker, instanceId, text);
    await signal(hub, instanceId, "o".repeat(LIMITS.nameBytesMax), {
      input: "y".repeat(LIMITS.payloadBytesMax),
    });
    await signal(hub, instanceId, "second");
    const { request } = await worker.batch();
    expect(request.entityState).toBe(text);
    expect(request.operationRequests).toHaveLength(1);
    const envelope = 1024;
    expect(toBinary(EntityRequestSchema, request).length + envelope).toBeLessThan(
      LIMITS.workItemBytesMax,
    );
  });

  it("keeps a stopping process until it is answered", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "op");
    const batch = await worker.batch();
    let drained = false;
    const draining = hub.hubs.drain(new AbortController().signal).then(() => (drained = true));
    await hub.settled();
    expect(drained).toBe(false);
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    await draining;
    await hub.crash();
    expect(await textOf(hub, "@a@b")).toBe("1");
  });
});

describe("a stream", () => {
  it("gets no more batches than it asks for", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ entities: 2 });
    for (const key of ["1", "2", "3"]) await signal(hub, `@a@${key}`, "op");
    expect(await worker.waiting()).toEqual(["batch @a@1", "batch @a@2"]);
    await worker.answer(await worker.batch(), { results: [succeeded()] });
    expect(await worker.waiting()).toEqual(["batch @a@2", "batch @a@3"]);
  });

  const java = { library: "grpc-java-netty/1.70.0", userAgent: "durabletask-java/1.9.0" };
  const filters = (entities: string[]) => ({ entities: entities.map((name) => ({ name })) });

  it.each([
    ["accepts everything without filters", {}, true],
    ["accepts a name that it lists, in any case", { filters: filters(["Counter"]) }, true],
    ["does not accept another name", { filters: filters(["other"]) }, false],
    ["with filters and no entities accepts none", { filters: {}, entities: 5 }, false],
    ["of Java with a limit accepts all then", { filters: {}, entities: 5, ...java }, true],
    ["of Java without a limit accepts none", { filters: {}, ...java }, false],
    [
      "of Java that lists entities accepts those",
      { filters: filters(["other"]), entities: 5, ...java },
      false,
    ],
    ["of Go accepts none", { library: "grpc-go/1.71.0", userAgent: "grpc-go/1.71.0" }, false],
    [
      "of Go that names some accepts those",
      { filters: filters(["counter"]), library: "grpc-go/1.71.0", userAgent: "grpc-go/1.71.0" },
      true,
    ],
    [
      "of Go that says how many it takes accepts them",
      { entities: 5, library: "grpc-go/1.71.0", userAgent: "grpc-go/1.71.0" },
      true,
    ],
    [
      "of an SDK on the same library accepts them",
      { library: "grpc-go/1.71.0", userAgent: "my-sdk/1.0" },
      true,
    ],
  ])("%s", async (_what, options, isAccepted) => {
    await using hub = await openHub();
    await signal(hub, "@counter@1", "op");
    const worker = hub.worker(options);
    expect(await worker.waiting()).toEqual(isAccepted ? ["batch @counter@1"] : []);
    const other = hub.worker({ connection: "other" });
    expect(await other.waiting()).toEqual(isAccepted ? [] : ["batch @counter@1"]);
  });

  it("that gave a batch back gets it again only when no other one takes it", async () => {
    await using hub = await openHub();
    const first = hub.worker({ connection: "1" });
    await signal(hub, "@a@b", "op");
    const batch = await first.batch();
    const second = hub.worker({ connection: "2" });
    first.abandon(batch);
    await hub.pass(200);
    expect(await first.waiting()).toEqual([]);
    expect(await second.waiting()).toEqual(["batch @a@b"]);
  });

  it("gets turns though batches never end", async () => {
    await using hub = await openHub();
    const worker = hub.worker({ reads: false });
    for (let key = 0; key < 5; key += 1) await signal(hub, `@a@${key}`, "op");
    await hub.start("main");
    await worker.pull();
    await worker.pull();
    expect((await worker.waiting()).toSorted()).toEqual(["batch @a@0", "turn main"]);
  });
});

describe("a window", () => {
  it("over everything holds entities back, and lets them go on at its end", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "1");
    const batch = await worker.batch();
    await holdHub(hub);
    await signal(hub, "@a@b", "2");
    await signal(hub, "@a@c", "3");
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    expect(await worker.waiting()).toEqual([]);
    await hub.crash();
    const other = hub.worker();
    expect(await other.waiting()).toEqual([]);
    await releaseHub(hub);
    expect((await other.waiting()).toSorted()).toEqual(["batch @a@b", "batch @a@c"]);
    expect(await textOf(hub, "@a@b")).toBe("1");
  });

  it("over some names holds entities only when it includes them", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const selector = { names: ["a"] };
    await holdHub(hub, { selector });
    await signal(hub, "@a@b", "1");
    expect(await worker.waiting()).toEqual(["batch @a@b"]);
    await holdHub(hub, { selector, includeEntities: true, replace: true });
    await signal(hub, "@a@c", "2");
    await signal(hub, "@b@c", "3");
    expect(await worker.waiting()).toEqual(["batch @a@b", "batch @b@c"]);
    await releaseHub(hub);
    expect(await worker.waiting()).toEqual(["batch @a@b", "batch @b@c", "batch @a@c"]);
  });

  it("holds from when it is decided, also what was queued before", async () => {
    await using hub = await openHub();
    await signal(hub, "@a@b", "1");
    hub.bytes.hold();
    const placed = holdHub(hub);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    hub.bytes.release();
    await placed;
    expect(await worker.waiting()).toEqual([]);
  });

  it("takes a queued batch back that no worker has taken", async () => {
    await using hub = await openHub();
    await signal(hub, "@a@b", "1");
    await holdHub(hub);
    const worker = hub.worker();
    expect(await worker.waiting()).toEqual([]);
    await releaseHub(hub);
    expect(await worker.waiting()).toEqual(["batch @a@b"]);
  });
});

describe("the log of an entity", () => {
  it("begins again before it is long, and says the same", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const text = "x".repeat(30_000);
    for (let at = 0; at < 8; at += 1) await set(hub, worker, "@a@b", `${at}${text}`);
    await signal(hub, "@a@b", "last");
    await hub.settled();
    const row = await hub.store.findInstance(hub.hub.number ?? 0n, "@a@b");
    expect(row?.generation).toBeGreaterThan(2);
    expect(row?.generation).toBeLessThan(6);
    const { number, generation = 0 } = row ?? { number: 0n };
    const log = await hub.store.readLog(number, generation, 0);
    expect(log[0]?.entry.base).toBeDefined();
    expect(await hub.store.readLog(number, 1, 0)).toEqual([]);
    await hub.crash();
    const other = hub.worker();
    const batch = await other.batch();
    expect(batch.request.entityState).toBe(`7${text}`);
    expect(operationsOf(batch.request)).toEqual(["last"]);
    expect(await hub.store.readSnapshot(number, generation)).toBeUndefined();
  });

  it("does not begin again with each commit when the state is large", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await set(hub, worker, "@a@b", "x".repeat(300_000));
    const generation = async () =>
      (await hub.store.findInstance(hub.hub.number ?? 0n, "@a@b"))?.generation;
    const before = await generation();
    for (let at = 0; at < 5; at += 1) await signal(hub, "@a@b", "op", { input: "y".repeat(1_000) });
    expect(await generation()).toBe(before);
    const { number = 0n } = (await hub.store.findInstance(hub.hub.number ?? 0n, "@a@b")) ?? {};
    expect(await hub.store.readSnapshot(number, before ?? 0)).toBeUndefined();
    await hub.crash();
    for (let at = 0; at < 5; at += 1) await signal(hub, "@a@b", "op", { input: "y".repeat(1_000) });
    expect(await generation()).toBe(before);
  });

  it("begins again also while a worker has a batch, whose answer counts", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await signal(hub, "@a@b", "first");
    const batch = await worker.batch();
    for (let at = 0; at < 10; at += 1) {
      await signal(hub, "@a@b", "op", { input: "y".repeat(10_000) });
    }
    const row = await hub.store.findInstance(hub.hub.number ?? 0n, "@a@b");
    expect(row?.generation).toBe(2);
    await worker.answer(batch, { results: [succeeded()], entityState: "1" });
    const next = await worker.batch();
    expect(next.request.entityState).toBe("1");
    expect(next.request.operationRequests).toHaveLength(10);
  });
});
