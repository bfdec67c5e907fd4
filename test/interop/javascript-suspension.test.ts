/** The published JavaScript SDK, held and let go by its own client and through `taskhub.v1`. */

import { type Client, createClient } from "@connectrpc/connect";
import { type OrchestrationContext, OrchestrationStatus } from "@microsoft/durabletask-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScope } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { WatchEvent } from "../../sidecar/wire/gen/taskhub/v1/watch_pb.ts";
import { Gates } from "../support/gates.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type HoldWay, holdWays } from "../support/hold-ways.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, newId, present } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const gates = new Gates();
const UNAVAILABLE = 14;

interface Gathered {
  readonly gates: readonly string[];
  readonly items: readonly string[];
}

const passGate = suite.activity("passGate", async (_context, name: string) => {
  await gates.pass(name);
  return name;
});
/** Each generation waits for an activity and an event; the last one returns what all have got. */
const gathers = suite.orchestrator(
  "gathers",
  async function* (
    context: OrchestrationContext,
    { gates: [gate, ...rest], items }: Gathered,
  ): Steps<readonly string[]> {
    context.setCustomStatus({ items: items.length });
    const passed: string = yield context.callActivity(passGate, gate);
    const item: string = yield context.waitForExternalEvent("item");
    const all = [...items, passed, item];
    if (rest.length > 0) context.continueAsNew({ gates: rest, items: all }, true);
    return all;
  },
);
const progresses = suite.orchestrator(
  "progresses",
  async function* (context: OrchestrationContext, steps: number): Steps<string> {
    for (let step = 1; step <= steps; step += 1) {
      context.setCustomStatus({ step });
      yield context.waitForExternalEvent("step");
    }
    return "done";
  },
);
const listens = suite.orchestrator(
  "listens",
  async function* (context: OrchestrationContext): Steps {
    return yield context.waitForExternalEvent("go");
  },
);
const callsListening = suite.orchestrator(
  "callsListening",
  async function* (context: OrchestrationContext, instanceId: string): Steps {
    return yield context.callSubOrchestrator(listens, undefined, { instanceId });
  },
);

let transport: GrpcTransport | undefined;
let v1: Client<typeof ClientService>;
beforeAll(() => {
  transport = new GrpcTransport({ host: "127.0.0.1", port: suite.port });
  v1 = createClient(ClientService, transport);
});
afterAll(() => transport?.[Symbol.dispose]());

const compatibleRpcs: HoldWay = {
  way: "the SDK's client",
  shows: true,
  place: (_v1, instanceId) => suite.client.suspendOrchestration(instanceId),
  release: (_v1, instanceId) => suite.client.resumeOrchestration(instanceId),
};
const allWays = [compatibleRpcs, ...holdWays];

/** Waits until workers have nothing of the instance any more. */
async function quiescent(instanceId: string): Promise<void> {
  const target = { case: "instanceId", value: instanceId } as const;
  const { outcome } = await v1.waitForQuiescence({ target });
  expect(outcome).toBe(QuiescenceOutcome.QUIESCENT);
}

async function statusOf(instanceId: string): Promise<OrchestrationStatus> {
  return present(await suite.client.getOrchestrationState(instanceId)).runtimeStatus;
}

test.concurrent.for(allWays)(
  "held by $way, events and an activity's result wait; it continues as new twice and has the right result",
  async ({ place, release, shows }) => {
    const [first, second, third] = [gates.create(), gates.create(), gates.create()];
    const names = [first.name, second.name, third.name];
    const instanceId = await suite.start(gathers, { gates: names, items: [] });
    const raise = (item: string) => suite.client.raiseOrchestrationEvent(instanceId, "item", item);
    for (const [number, gate] of [first, second].entries()) {
      await gate.reached;
      await place(v1, instanceId);
      expect(await statusOf(instanceId)).toBe(
        shows ? OrchestrationStatus.SUSPENDED : OrchestrationStatus.RUNNING,
      );
      await raise(`item ${number}`);
      gate.open();
      await quiescent(instanceId);
      const held = await v1.getSuspension({ instanceId });
      expect({ turn: held.turnHeldBack, events: held.bufferedEvents?.count }).toEqual({
        turn: true,
        events: 1,
      });
      expect(JSON.parse(held.instance?.customStatus?.value ?? "")).toEqual({ items: 2 * number });
      await release(v1, instanceId);
    }
    await third.reached;
    third.open();
    await raise("item 2");
    const state = await suite.completed(instanceId);
    state.raiseIfFailed();
    expect(JSON.parse(state.serializedOutput ?? "")).toEqual(
      names.flatMap((name, number) => [name, `item ${number}`]),
    );
  },
);

test.concurrent.for(allWays)(
  "a hold by $way that is placed while a turn is in flight outlasts its continue-as-new",
  async ({ place, release }) => {
    const [first, second] = [gates.create(), gates.create()];
    const instanceId = await suite.start(gathers, { gates: [first.name, second.name], items: [] });
    await first.reached;
    await suite.client.raiseOrchestrationEvent(instanceId, "item", "early");
    first.open();
    // The turn that continues as new is on its way, or with the worker, or over.
    await place(v1, instanceId);
    await quiescent(instanceId);
    await suite.client.raiseOrchestrationEvent(instanceId, "item", "late");
    const holds = (await v1.getSuspension({ instanceId })).instance?.holds;
    expect(holds).toHaveLength(1);
    await release(v1, instanceId);
    await second.reached;
    second.open();
    const state = await suite.completed(instanceId);
    expect(JSON.parse(state.serializedOutput ?? "")).toEqual([
      first.name,
      "early",
      second.name,
      "late",
    ]);
  },
);

test.concurrent("a watch and the revisions show each custom status that the SDK sets, also what came while it was held", async () => {
  const steps = 3;
  const instanceId = newId("progress");
  const changes = v1.watchInstance({ instanceId, waitForCreation: true });
  await suite.start(progresses, steps, { instanceId });
  const seen: bigint[] = [];
  const events: WatchEvent[] = [];
  for await (const { event, instance } of changes) {
    events.push(event);
    const { revision = 0n, value } = instance?.customStatus ?? {};
    if (revision <= (seen.at(-1) ?? 0n)) continue;
    expect(JSON.parse(value ?? "")).toEqual({ step: Number(revision) });
    seen.push(revision);
    const known = await v1.getCustomStatus({ instanceId, afterRevision: revision });
    expect({ ...known, holds: [] }).toMatchObject({ notChanged: true, revision });
    expect(known.customStatus).toBeUndefined();
    await v1.suspendInstance({ instanceId, name: "look" });
    await suite.client.raiseOrchestrationEvent(instanceId, "step");
    await quiescent(instanceId);
    const held = await v1.getCustomStatus({ instanceId });
    expect(held.revision).toBe(revision);
    expect(held.holds.map(({ name }) => name)).toEqual(["look"]);
    await v1.resumeInstance({ instanceId, name: "look" });
  }
  expect(seen).toEqual([1n, 2n, 3n]);
  expect(events.at(-1)).toBe(WatchEvent.FINISHED);
  const { revisions } = await v1.listCustomStatusRevisions({ instanceId });
  expect(revisions.map(({ revision, value }) => [revision, JSON.parse(value ?? "")])).toEqual(
    seen.map((revision) => [revision, { step: Number(revision) }]),
  );
});

test.concurrent("a tree holds the child that an orchestrator of the SDK has called, whose status it does not change", async () => {
  const child = newId("child");
  const parent = newId("parent");
  await suite.start(callsListening, child, { instanceId: parent });
  await suite.client.waitForOrchestrationStart(child);
  await v1.suspendInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
  await suite.client.raiseOrchestrationEvent(child, "go", "on");
  await quiescent(child);
  const held = await v1.getSuspension({ instanceId: child });
  expect(held.instance?.holds.map(({ originInstanceId }) => originInstanceId)).toEqual([parent]);
  expect(held.turnHeldBack).toBe(true);
  expect(await statusOf(child)).toBe(OrchestrationStatus.RUNNING);
  await v1.resumeInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
  expect((await suite.completed(parent)).serializedOutput).toBe('"on"');
});

test.concurrent("what the SDK starts in a window waits for its end, and is refused when the window says so", async () => {
  const name = newId("window");
  await v1.suspendTaskHub({ name, selector: { instanceIdPrefix: name } });
  const instanceId = await suite.start(listens, undefined, { instanceId: `${name}-accepted` });
  await suite.client.raiseOrchestrationEvent(instanceId, "go", "after the window");
  await v1.suspendTaskHub({
    name,
    selector: { instanceIdPrefix: name },
    acceptNewInstances: false,
    replace: true,
  });
  await expect(
    suite.start(listens, undefined, { instanceId: `${name}-refused` }),
  ).rejects.toMatchObject({ code: UNAVAILABLE, details: expect.stringContaining(name) });
  expect(await statusOf(instanceId)).toBe(OrchestrationStatus.PENDING);
  await v1.resumeTaskHub({ name });
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"after the window"');
});
