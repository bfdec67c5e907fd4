/** The published Go SDK, held and let go by its own client and through `taskhub.v1`. */
import { type Client, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect } from "vitest";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScope } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { goSuite } from "../support/go-sdk-suite.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { type HoldWay, holdWays } from "../support/hold-ways.ts";
import { newId } from "../support/javascript-sdk-suite.ts";
import { type ProgramState, parsed } from "../support/program-suite.ts";

const suite = await goSuite("suspension", "default");
const { ask } = suite;

let transport: GrpcTransport | undefined;
let v1: Client<typeof ClientService>;
beforeAll(() => {
  if (!suite.runs) return;
  transport = new GrpcTransport({ host: "127.0.0.1", port: suite.sidecar.port });
  v1 = createClient(ClientService, transport);
});
afterAll(() => transport?.[Symbol.dispose]());

const ofTheSdk: HoldWay = {
  way: "the SDK's client",
  shows: true,
  place: (_v1, instanceId) => ask("suspend", instanceId),
  release: (_v1, instanceId) => ask("resume", instanceId),
};
const allWays = [ofTheSdk, ...holdWays];

/** Waits until workers have nothing of the instance any more. */
async function quiescent(instanceId: string): Promise<void> {
  const target = { case: "instanceId", value: instanceId } as const;
  const { outcome } = await v1.waitForQuiescence({ target });
  expect(outcome).toBe(QuiescenceOutcome.QUIESCENT);
}

async function outputOf(instanceId: string): Promise<unknown> {
  const { output } = await ask<ProgramState>("completed", instanceId);
  return parsed(output);
}

suite.testFor(
  "held by $way, events and an activity's result wait; it continues as new twice and has the right result",
  allWays,
  async ({ shows, place, release }) => {
    const instanceId = newId("order");
    const gates = ["first", "second", "third"].map((gate) => `${instanceId} ${gate}`);
    await ask("start", "gathers", instanceId, { gates, items: [] });
    for (const [generation, gate] of gates.slice(0, 2).entries()) {
      await ask("reached", gate);
      await place(v1, instanceId);
      expect(await ask("status", instanceId)).toBe(shows ? "SUSPENDED" : "RUNNING");
      await ask("raiseEvent", instanceId, "item", `item ${generation}`);
      await ask("openGate", gate);
      await quiescent(instanceId);
      const held = await v1.getSuspension({ instanceId });
      expect({ turn: held.turnHeldBack, events: held.bufferedEvents?.count }).toEqual({
        turn: true,
        events: 1,
      });
      await release(v1, instanceId);
    }
    const [, , last] = gates;
    await ask("openGate", last);
    await ask("raiseEvent", instanceId, "item", "item 2");
    expect(await outputOf(instanceId)).toEqual(
      gates.flatMap((gate, generation) => [gate, `item ${generation}`]),
    );
  },
);

suite.testFor(
  "a hold by $way that is placed while a turn is in flight outlasts its continue-as-new",
  allWays,
  async ({ place, release }) => {
    const instanceId = newId("order");
    const gates = ["first", "second"].map((gate) => `${instanceId} ${gate}`);
    const [first, second] = gates;
    await ask("start", "gathers", instanceId, { gates, items: [] });
    await ask("reached", first);
    await ask("raiseEvent", instanceId, "item", "early");
    await ask("openGate", first);
    // The turn that continues as new is on its way, or with the worker, or over.
    await place(v1, instanceId);
    await quiescent(instanceId);
    await ask("raiseEvent", instanceId, "item", "late");
    const holds = (await v1.getSuspension({ instanceId })).instance?.holds;
    expect(holds).toHaveLength(1);
    await release(v1, instanceId);
    await ask("openGate", second);
    expect(await outputOf(instanceId)).toEqual([first, "early", second, "late"]);
  },
);

suite.cannot(
  "a watch and the revisions show each custom status that the SDK sets, also what came while it was held",
  "its orchestrators have no custom status",
);

suite.test(
  "a tree holds the child that an orchestrator of the SDK has called, whose status it does not change",
  async () => {
    const child = newId("child");
    const parent = newId("parent");
    await ask("start", "callsListening", parent, child);
    await ask("started", child);
    await v1.suspendInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
    await ask("raiseEvent", child, "go", "on");
    await quiescent(child);
    const held = await v1.getSuspension({ instanceId: child });
    expect(held.instance?.holds.map(({ originInstanceId }) => originInstanceId)).toEqual([parent]);
    expect(held.turnHeldBack).toBe(true);
    expect(await ask("status", child)).toBe("RUNNING");
    await v1.resumeInstance({ instanceId: parent, name: "family", scope: HoldScope.TREE });
    expect(await outputOf(parent)).toBe("on");
  },
);

suite.test(
  "what the SDK starts in a window waits for its end, and is refused when the window says so",
  async () => {
    const name = newId("window");
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
      code: "Unavailable",
      details: expect.stringContaining(name),
    });
    expect(await ask("status", instanceId)).toBe("PENDING");
    await v1.resumeTaskHub({ name });
    expect(await outputOf(instanceId)).toBe("after the window");
  },
);
