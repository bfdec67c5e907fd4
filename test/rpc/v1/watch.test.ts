/** Live streams and WaitForInstance as clients see them. */
import { type Client, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { mountService } from "../../../sidecar/rpc/service.ts";
import { watchMethods } from "../../../sidecar/rpc/v1/watch-methods.ts";
import { ClientService } from "../../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScopeSchema } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import {
  InstanceStatus,
  InstanceStatusSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import {
  WaitUntil,
  WatchEvent,
  type WatchInstanceResponse,
  type WatchInstancesResponse,
} from "../../../sidecar/wire/gen/taskhub/v1/watch_pb.ts";
import { placeHold, placeTree, placeWindow } from "../../scheduler/kit/watching.ts";
import { CallLog } from "../../support/compat-calls.ts";
import { failureOf, type Serve } from "../../support/compat-world.ts";
import { transports } from "../../support/rpc-harness.ts";
import { MINUTE, openHub, type TestHub } from "../../support/scheduler-harness.ts";

interface World extends AsyncDisposable {
  readonly hub: TestHub;
  readonly calls: CallLog;
  readonly client: Client<typeof ClientService>;
}

async function openWorld(serve: Serve): Promise<World> {
  const hub = await openHub();
  const calls = new CallLog();
  const served = await serve(calls.over(mountService(ClientService, watchMethods(hub.hubs))));
  const client = createClient(ClientService, served.transport);
  const close = async () => {
    await served[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
  };
  return { hub, calls, client, [Symbol.asyncDispose]: close };
}

function reader<M>(stream: AsyncIterable<M>) {
  const iterator = stream[Symbol.asyncIterator]();
  return {
    async next(): Promise<M> {
      const { value, done } = await iterator.next();
      return done === true ? expect.fail("the stream has ended") : value;
    },
    end: () => iterator.next(),
  };
}

function told({ event, instance, skipped, resumeToken }: WatchInstanceResponse) {
  const holds = instance?.holds.map(({ name }) => name);
  return { event, status: instance?.status, holds, skipped, hasToken: resumeToken !== "" };
}

describe.each(transports)("WatchInstance over $name", ({ serve }) => {
  it("shows the instance, its changes with all that holds it, and its end", async () => {
    await using world = await openWorld(serve);
    const { hub, client } = world;
    await hub.start("a");
    const watching = reader(client.watchInstance({ instanceId: "a" }));
    expect(told(await watching.next())).toEqual({
      event: WatchEvent.SNAPSHOT,
      status: InstanceStatus.PENDING,
      holds: [],
      skipped: 0n,
      hasToken: true,
    });
    await placeHold(hub, "a", "audit");
    const held = await watching.next();
    expect(told(held)).toMatchObject({
      event: WatchEvent.CHANGED,
      status: InstanceStatus.SUSPENDED,
      holds: ["audit"],
    });
    const again = reader(client.watchInstance({ instanceId: "a", resumeToken: held.resumeToken }));
    await placeTree(hub, "a", "tree");
    for (const each of [watching, again]) {
      expect(told(await each.next())).toMatchObject({ holds: ["audit", "tree"] });
    }
    await hub.terminate("a");
    const status = InstanceStatus.TERMINATED;
    expect(told(await watching.next())).toMatchObject({
      event: WatchEvent.FINISHED,
      status,
      holds: [],
    });
    expect(await watching.end()).toMatchObject({ done: true });
  });

  it("says that the instance was removed", async () => {
    await using world = await openWorld(serve);
    const { hub, client } = world;
    await hub.start("a");
    const watching = reader(client.watchInstance({ instanceId: "a" }));
    await watching.next();
    await hub.hub.delete();
    expect(told(await watching.next())).toEqual({
      event: WatchEvent.REMOVED,
      status: undefined,
      holds: undefined,
      skipped: 0n,
      hasToken: false,
    });
    expect(await watching.end()).toMatchObject({ done: true });
  });

  it("answers NOT_FOUND for an unknown instance, unless it is to be waited for", async () => {
    await using world = await openWorld(serve);
    const { hub, client, calls } = world;
    const unknown = reader(client.watchInstance({ instanceId: "a" }));
    expect(await failureOf(unknown.next())).toMatchObject({ code: "NotFound" });
    const arrived = calls.next("watchInstance");
    const waiting = reader(client.watchInstance({ instanceId: "a", waitForCreation: true }));
    const first = waiting.next();
    await arrived;
    await hub.start("a");
    expect(told(await first)).toMatchObject({ event: WatchEvent.SNAPSHOT });
  });

  it("refuses malformed requests", async () => {
    await using world = await openWorld(serve);
    const { client } = world;
    const requests = [
      { instanceId: "" },
      { instanceId: "a", minInterval: { seconds: 3_601n } },
      { instanceId: "a", minInterval: { seconds: -1n } },
      { instanceId: "a", minInterval: { nanos: -1 } },
    ];
    for (const request of requests) {
      const refused = reader(client.watchInstance(request));
      expect(await failureOf(refused.next())).toMatchObject({ code: "InvalidArgument" });
    }
  });

  it("leaves with its call", async () => {
    await using world = await openWorld(serve);
    const { hub, client, calls } = world;
    await hub.start("a");
    const arrived = calls.next("watchInstance");
    const caller = new AbortController();
    const watching = reader(client.watchInstance({ instanceId: "a" }, { signal: caller.signal }));
    await watching.next();
    const failing = failureOf(watching.next());
    caller.abort();
    expect(await failing).toMatchObject({ code: "Canceled" });
    await (await arrived).over;
    expect(hub.hub.watches.count).toBe(0);
  });
});

function said({ event, skipped }: WatchInstancesResponse): string {
  switch (event.case) {
    case "instance":
      return `${event.value.instanceId} ${InstanceStatusSchema.value[event.value.status]?.localName} +${skipped}`;
    case "removedInstanceId":
      return `removed ${event.value} +${skipped}`;
    case "holds":
      return `holds ${event.value.holds.map(({ name, scope }) => `${name} ${HoldScopeSchema.value[scope]?.localName}`)}`;
    default:
      return String(event.case);
  }
}

describe.each(transports)("WatchInstances over $name", ({ serve }) => {
  it("shows what there is, then what changes, and resumes", async () => {
    await using world = await openWorld(serve);
    const { hub, client } = world;
    await hub.start("a");
    await placeWindow(hub, "night");
    const watching = reader(client.watchInstances({}));
    const seen: WatchInstancesResponse[] = [];
    for (let count = 0; count < 4; count += 1) seen.push(await watching.next());
    expect(seen.map(said)).toEqual(["reset", "holds night SELECTOR", "a PENDING +0", "live"]);
    expect(seen.map(({ resumeToken }) => resumeToken !== "")).toEqual([false, false, false, true]);
    await hub.terminate("a");
    expect(said(await watching.next())).toBe("a TERMINATED +0");
    const { resumeToken } = seen.at(-1) ?? expect.fail();
    const again = reader(client.watchInstances({ resumeToken }));
    expect([said(await again.next()), said(await again.next())]).toEqual([
      "live",
      "a TERMINATED +0",
    ]);
    await hub.purge("a");
    for (const each of [watching, again]) expect(said(await each.next())).toBe("removed a +0");
    await placeTree(hub, await hub.start("b"), "tree");
    expect(said(await again.next())).toBe("b PENDING +0");
    expect(said(await again.next())).toBe("holds night SELECTOR,tree TREE");
  });

  it("refuses what cannot be watched", async () => {
    await using world = await openWorld(serve);
    const { client } = world;
    const requests = [
      { filter: { heldLongerThan: { seconds: 1n } } },
      { filter: { customStatus: [{ pointer: "" }] } },
      { minInterval: { seconds: 3_601n } },
    ];
    for (const request of requests) {
      const refused = reader(client.watchInstances(request));
      expect(await failureOf(refused.next())).toMatchObject({ code: "InvalidArgument" });
    }
  });
});

describe.each(transports)("WaitForInstance over $name", ({ serve }) => {
  /** Waits, and has arrived. */
  async function waitFor(
    { client, calls, hub }: World,
    request: Parameters<World["client"]["waitForInstance"]>[0],
  ) {
    const arrived = calls.next("waitForInstance");
    const answer = client.waitForInstance({ instanceId: "a", ...request });
    await arrived;
    await hub.settled();
    return { answer };
  }

  it("answers when the instance has finished, or has started", async () => {
    await using world = await openWorld(serve);
    const { hub } = world;
    await hub.start("a");
    const finished = await waitFor(world, {});
    const started = await waitFor(world, { until: WaitUntil.STARTED });
    const worker = hub.worker();
    await worker.complete(await worker.turn("a"), [], { customStatus: '"s"' });
    expect(await started.answer).toMatchObject({
      reached: true,
      instance: { status: InstanceStatus.RUNNING, customStatus: { value: '"s"' } },
    });
    await hub.terminate("a");
    expect(await finished.answer).toMatchObject({
      reached: true,
      instance: { status: InstanceStatus.TERMINATED },
    });
  });

  it("says what holds the instance when the time is up", async () => {
    await using world = await openWorld(serve);
    const { hub } = world;
    await hub.start("a");
    await placeHold(hub, "a", "audit");
    const { answer } = await waitFor(world, { timeout: { seconds: 60n } });
    await placeWindow(hub, "night");
    await hub.pass(MINUTE);
    const { reached, instance } = await answer;
    expect(reached).toBe(false);
    expect(instance?.holds.map(({ name }) => name)).toEqual(["audit", "night"]);
    expect(hub.steady.alarms).toBe(0);
  });

  it("looks once when there is no time at all", async () => {
    await using world = await openWorld(serve);
    await world.hub.start("a");
    const { answer } = await waitFor(world, { timeout: {} });
    expect(await answer).toMatchObject({
      reached: false,
      instance: { status: InstanceStatus.PENDING },
    });
  });

  it("waits for an instance that is created meanwhile, and says so if there is none", async () => {
    await using world = await openWorld(serve);
    const { hub } = world;
    const inVain = await waitFor(world, { instanceId: "b", timeout: { seconds: 60n } });
    const { answer } = await waitFor(world, { timeout: { seconds: 60n } });
    await hub.start("a");
    await hub.terminate("a");
    expect(await answer).toMatchObject({ reached: true });
    await hub.pass(MINUTE);
    const { reached, instance } = await inVain.answer;
    expect([reached, instance]).toEqual([false, undefined]);
  });

  it("answers NOT_FOUND when the hub is deleted", async () => {
    await using world = await openWorld(serve);
    const { hub } = world;
    await hub.start("a");
    const { answer } = await waitFor(world, { timeout: { seconds: 60n } });
    const failure = failureOf(answer);
    await hub.hub.delete();
    expect(await failure).toMatchObject({ code: "NotFound" });
    expect(hub.steady.alarms).toBe(0);
  });

  it("refuses malformed requests", async () => {
    await using world = await openWorld(serve);
    const { client } = world;
    const requests = [
      { instanceId: "" },
      { instanceId: "a", until: 7 as WaitUntil },
      { instanceId: "a", timeout: { seconds: 86_401n } },
      { instanceId: "a", timeout: { seconds: -1n } },
    ];
    for (const request of requests) {
      expect(await failureOf(client.waitForInstance(request))).toMatchObject({
        code: "InvalidArgument",
      });
    }
  });
});
