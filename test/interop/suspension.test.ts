/** Published SDKs, held and let go by their own clients and through `taskhub.v1`. */
import { randomUUID } from "node:crypto";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { expect } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScope } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { WatchEvent } from "../../sidecar/wire/gen/taskhub/v1/watch_pb.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type HoldWay, holdWays } from "../support/hold-ways.ts";
import { cannot, type ProgramSuite, programArea, rows, steps } from "../support/program-area.ts";
import { type ProgramState, parsed } from "../support/program-state.ts";

const { scenario } = await programArea("suspension");

type V1 = Client<typeof ClientService>;

/** Calls of `taskhub.v1` in the task hub of the SDK, which go out with this. */
async function openV1({ sidecar, taskHub }: ProgramSuite) {
  const transport = new GrpcTransport({ host: "127.0.0.1", port: (await sidecar()).port });
  const inHub: Transport = {
    unary: (method, signal, timeoutMs, header, input) =>
      transport.unary(method, signal, timeoutMs, { ...header, taskhub: taskHub }, input),
    stream: (method, signal, timeoutMs, header, input) =>
      transport.stream(method, signal, timeoutMs, { ...header, taskhub: taskHub }, input),
  };
  const v1: V1 = createClient(ClientService, inHub);
  return { v1, [Symbol.dispose]: () => transport[Symbol.dispose]() };
}

/** The calls of the SDK's own client, which is that of the suite. */
const ofTheSdk = "the SDK's client";
const ways: readonly (HoldWay | { way: string; shows: true })[] = [
  { way: ofTheSdk, shows: true },
  ...holdWays,
];

function placing(way: (typeof ways)[number], { ask }: ProgramSuite): HoldWay {
  if ("place" in way) return way;
  return {
    ...way,
    place: (_v1, instanceId) => ask("suspend", instanceId),
    release: (_v1, instanceId) => ask("resume", instanceId),
  };
}

/** Waits until workers have nothing of the instance any more. */
async function quiescent(v1: V1, instanceId: string): Promise<void> {
  const target = { case: "instanceId", value: instanceId } as const;
  const { outcome } = await v1.waitForQuiescence({ target });
  expect(outcome).toBe(QuiescenceOutcome.QUIESCENT);
}

async function outputOf({ ask }: ProgramSuite, instanceId: string): Promise<unknown> {
  const { output } = await ask<ProgramState>("completed", instanceId);
  return parsed(output);
}

scenario(
  "held by $way, events and an activity's result wait; it continues as new twice and has the right result",
  rows(ways, async (way, suite) => {
    const { ask, language } = suite;
    const { shows, place, release } = placing(way, suite);
    using open = await openV1(suite);
    const { v1 } = open;
    const instanceId = `order-${randomUUID()}`;
    const gates = ["first", "second", "third"].map((gate) => `${instanceId} ${gate}`);
    await ask("start", "gathers", instanceId, { gates, items: [] });
    for (const [generation, gate] of gates.slice(0, 2).entries()) {
      await ask("reached", gate);
      await place(v1, instanceId);
      expect(await ask("status", instanceId)).toBe(shows ? "SUSPENDED" : "RUNNING");
      await ask("raiseEvent", instanceId, "item", `item ${generation}`);
      await ask("openGate", gate);
      await quiescent(v1, instanceId);
      const held = await v1.getSuspension({ instanceId });
      expect({ turn: held.turnHeldBack, events: held.bufferedEvents?.count }).toEqual({
        turn: true,
        events: 1,
      });
      // The orchestrators of Go have no custom status.
      if (language !== "go") {
        const { customStatus } = await v1.getCustomStatus({ instanceId });
        expect(customStatus?.revision).toBe(BigInt(generation + 1));
        expect(JSON.parse(customStatus?.value ?? "")).toEqual({ items: 2 * generation });
      }
      await release(v1, instanceId);
    }
    const [, , last] = gates;
    await ask("openGate", last);
    await ask("raiseEvent", instanceId, "item", "item 2");
    expect(await outputOf(suite, instanceId)).toEqual(
      gates.flatMap((gate, generation) => [gate, `item ${generation}`]),
    );
  }),
);

scenario(
  "a hold by $way that is placed while a turn is in flight outlasts its continue-as-new",
  rows(ways, async (way, suite) => {
    const { ask } = suite;
    const { place, release } = placing(way, suite);
    using open = await openV1(suite);
    const { v1 } = open;
    const instanceId = `order-${randomUUID()}`;
    const gates = ["first", "second"].map((gate) => `${instanceId} ${gate}`);
    const [first, second] = gates;
    await ask("start", "gathers", instanceId, { gates, items: [] });
    await ask("reached", first);
    await ask("raiseEvent", instanceId, "item", "early");
    await ask("openGate", first);
    // The turn that continues as new is on its way, or with the worker, or over.
    await place(v1, instanceId);
    await quiescent(v1, instanceId);
    await ask("raiseEvent", instanceId, "item", "late");
    const holds = (await v1.getSuspension({ instanceId })).instance?.holds;
    expect(holds).toHaveLength(1);
    await release(v1, instanceId);
    await ask("openGate", second);
    expect(await outputOf(suite, instanceId)).toEqual([first, "early", second, "late"]);
  }),
);

scenario(
  "a watch and the revisions show each custom status that the SDK sets, also what came while it was held",
  steps(async (suite) => {
    const { ask } = suite;
    using open = await openV1(suite);
    const { v1 } = open;
    const instanceId = `progress-${randomUUID()}`;
    const changes = v1.watchInstance({ instanceId, waitForCreation: true });
    await ask("start", "progresses", instanceId, 3);
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
      await ask("raiseEvent", instanceId, "step");
      await quiescent(v1, instanceId);
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
  }),
  { go: cannot("its orchestrators have no custom status") },
);

scenario(
  "a tree holds the child that an orchestrator of the SDK has called, whose status it does not change",
  steps(async (suite) => {
    const { ask } = suite;
    using open = await openV1(suite);
    const { v1 } = open;
    const child = `child-${randomUUID()}`;
    const parent = `parent-${randomUUID()}`;
    await ask("start", "callsListening", parent, child);
    await ask("started", child);
    await v1.suspendInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
    await ask("raiseEvent", child, "go", "on");
    await quiescent(v1, child);
    const held = await v1.getSuspension({ instanceId: child });
    expect(held.instance?.holds.map(({ originInstanceId }) => originInstanceId)).toEqual([parent]);
    expect(held.turnHeldBack).toBe(true);
    expect(await ask("status", child)).toBe("RUNNING");
    await v1.resumeInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
    expect(await outputOf(suite, parent)).toBe("on");
  }),
);

scenario(
  "what the SDK starts in a window waits for its end, and is refused when the window says so",
  steps(async (suite) => {
    const { ask } = suite;
    using open = await openV1(suite);
    const { v1 } = open;
    const name = `window-${randomUUID()}`;
    const instanceId = `${name}-accepted`;
    await v1.suspendTaskHub({ name, selector: { instanceIdPrefix: name } });
    await ask("start", "listens", instanceId);
    await ask("raiseEvent", instanceId, "go", "after the window");
    await v1.suspendTaskHub({
      name,
      selector: { instanceIdPrefix: name },
      acceptNewInstances: false,
      replace: true,
    });
    expect(await ask("startRefused", "listens", `${name}-refused`)).toMatchObject({
      code: "UNAVAILABLE",
      details: expect.stringContaining(name),
    });
    expect(await ask("status", instanceId)).toBe("PENDING");
    await v1.resumeTaskHub({ name });
    expect(await outputOf(suite, instanceId)).toBe("after the window");
  }),
);
