import { type OrchestrationContext, OrchestrationStatus } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import {
  idOf,
  newEntityId,
  outcome,
  resultOf,
  type Section,
  withEntities,
  workingWith,
} from "../support/javascript-entities.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import { completed, javaScriptSuite, outputOf } from "../support/javascript-sdk-suite.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const suite = javaScriptSuite();
const { gates, call, signal, outcomes } = withEntities(suite);
const echo = suite.activity("echo", (_context, input: unknown) => input);

/** Adds one to each entity by a call to read and a call to write, with an activity in between. */
const addsOneToEach = suite.orchestrator(
  "addsOneToEach",
  async function* (context: OrchestrationContext, ids: string[]): Steps<boolean> {
    yield context.entities.lockEntities(...ids.map(idOf));
    for (const to of ids) {
      const before = resultOf(yield* outcome(context, { to, operation: "get" }));
      const read: number = yield context.callActivity(echo, before);
      yield* outcome(context, { to, operation: "set", input: read + 1 });
    }
    return context.entities.isInCriticalSection().inSection;
  },
);

/** Starts an orchestration, and waits until it has locked its entities. */
async function startHolding(section: Omit<Section, "gate">) {
  const gate = gates.create();
  const instanceId = await suite.start("locks", { ...section, gate: gate.name });
  await gate.reached;
  return { instanceId, open: () => gate.open() };
}

/** A critical section of anybody else. @returns what its calls have given */
async function lockAnd(ids: readonly string[], operation: string, input?: unknown) {
  const calls = ids.map((to) => ({ to, operation, input }));
  const outputs = await suite.outputOf("locks", { ids, calls } satisfies Section);
  return (outputs as { result: unknown }[]).map(resultOf as (outcome: unknown) => unknown);
}

test.concurrent("a lock outlasts the end of its sidecar", async () => {
  await using directory = await temporaryDirectory();
  const options = { dataDirectory: directory.path };
  const [to, gate] = [newEntityId(), gates.create()];
  const before = await startSidecar(options);
  const { address, port } = before;
  await using there = await workingWith({ port }, "account", gates);
  const { client } = there;
  const calls = [{ to, operation: "add", input: 1 }];
  const section = { ids: [to], gate: gate.name, calls } satisfies Section;
  const holder = await client.scheduleNewOrchestration("locks", section);
  await gate.reached;
  await client.signalEntity(idOf(to), "multiply", 10);
  await before.kill();
  await using _after = await startSidecar({ ...options, listen: [address] });
  const other = await client.scheduleNewOrchestration("locks", { ids: [to], calls });
  gate.open();
  expect(outputOf(await completed(client, holder))).toEqual([{ result: 1 }]);
  expect(outputOf(await completed(client, other))).toEqual([{ result: 11 }]);
});

test.concurrent("what others send to a locked entity waits for the end of the critical section", async () => {
  const id = newEntityId();
  const holder = await startHolding({ ids: [id], calls: [{ to: id, operation: "add", input: 1 }] });
  await signal(id, "multiply", 10);
  const called = outcomes({ to: id, operation: "multiply", input: 3 });
  holder.open();
  const { serializedOutput } = await suite.completed(holder.instanceId);
  expect(serializedOutput).toBe('[{"result":1}]');
  expect((await called).map(resultOf)).toEqual([30]);
});

test.concurrent("a locked entity shows the instance id of its holder", async () => {
  const id = newEntityId();
  await call(id, "set", "there");
  const holder = await startHolding({ ids: [id], calls: [] });
  await signal(id, "set", "later");
  expect(await suite.client.getEntity(idOf(id))).toMatchObject({
    lockedBy: holder.instanceId,
    backlogQueueSize: 1,
    state: "there",
  });
  holder.open();
  await suite.completed(holder.instanceId);
  expect(await lockAnd([id], "get")).toEqual(["later"]);
  expect(await call(id, "get")).toBe("later");
  expect((await suite.client.getEntity(idOf(id)))?.lockedBy).toBeUndefined();
});

test.concurrent("an orchestration locks three entities at once, and one that it names twice once", async () => {
  const ids = Array.from({ length: 3 }, newEntityId);
  for (const id of ids) await call(id, "set", "there");
  const holder = await startHolding({ ids: [...ids, ...ids.slice(0, 1)].reverse(), calls: [] });
  for (const id of ids) {
    const entity = await suite.client.getEntity(idOf(id));
    expect(entity).toMatchObject({ lockedBy: holder.instanceId });
  }
  holder.open();
  await suite.completed(holder.instanceId);
  expect(await lockAnd(ids, "get")).toEqual(["there", "there", "there"]);
});

test.concurrent("orchestrations that lock the same two entities in either order all get them, one after the other", async () => {
  const ids = [newEntityId(), newEntityId()];
  for (const id of ids) await call(id, "set", 0);
  const orders = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? ids : ids.toReversed()));
  const outputs = await Promise.all(orders.map((order) => suite.outputOf(addsOneToEach, order)));
  expect(outputs).toEqual(orders.map(() => true));
  expect(await lockAnd(ids, "get")).toEqual([8, 8]);
});

test.concurrent("an orchestration that fails in its critical section frees its entities", async () => {
  const ids = [newEntityId(), newEntityId()];
  const state = await suite.run("locks", { ids, calls: [], ending: "fails" } satisfies Section);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
  expect(await lockAnd(ids, "add", 1)).toEqual([1, 1]);
});

test.concurrent("an orchestration that is terminated in its critical section frees its entities", async () => {
  const ids = [newEntityId(), newEntityId()];
  const holder = await startHolding({ ids, calls: [] });
  await suite.client.terminateOrchestration(holder.instanceId, "ended");
  expect(await lockAnd(ids, "add", 1)).toEqual([1, 1]);
  holder.open();
});

test.concurrent("an orchestration that continues as new in its critical section frees its entities", async () => {
  const ids = [newEntityId(), newEntityId()];
  const calls = ids.map((to) => ({ to, operation: "add", input: 1 }));
  const section = { ids, calls, ending: "continues as new" } satisfies Section;
  expect(await suite.outputOf("locks", section)).toEqual([{ result: 2 }, { result: 2 }]);
});

test.concurrent("an orchestration that is terminated before its lock is granted is not given it", async () => {
  const id = newEntityId();
  const holder = await startHolding({ ids: [id], calls: [] });
  const section = { ids: [id], calls: [{ to: id, operation: "set", input: "taken" }] };
  const waiting = await suite.start("locks", section);
  await suite.client.waitForOrchestrationStart(waiting);
  await suite.client.terminateOrchestration(waiting, "ended");
  holder.open();
  expect(await lockAnd([id], "add", 1)).toEqual([1]);
});

test.concurrent("releasing a lock twice frees no entity of anybody else", async () => {
  const ids = [newEntityId()];
  const gate = gates.create();
  const section = { ids, calls: [], ending: "releases twice", secondGate: gate.name } as const;
  const first = await suite.start("locks", section);
  await gate.reached;
  const calls = ids.map((to) => ({ to, operation: "add", input: 1 }));
  const second = await startHolding({ ids, calls });
  gate.open();
  expect(outputOf(await suite.completed(first))).toEqual([]);
  // It would be before the holder's own call, if the entity were free.
  for (const id of ids) await signal(id, "set", 10);
  second.open();
  expect(outputOf(await suite.completed(second.instanceId))).toEqual([{ result: 1 }]);
});

test.concurrent("a critical section whose call fails goes on and is left", async () => {
  const to = newEntityId();
  const calls = [
    { to, operation: "break", input: [] },
    { to, operation: "add", input: 1 },
  ];
  expect(await suite.outputOf("locks", { ids: [to], calls } satisfies Section)).toEqual([
    { failed: { type: "RangeError", message: "out of range" } },
    { result: 1 },
  ]);
  expect(await lockAnd([to], "get")).toEqual([1]);
});
