import {
  type OrchestrationContext,
  OrchestrationStatus,
  type Task,
  type TimerTask,
  whenAll,
  whenAny,
} from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { Gates } from "../support/gates.ts";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, newId, present, typesOf } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const gates = new Gates();

const passGate = suite.activity("passGate", (_context, name: string) => gates.pass(name));

const naps = suite.orchestrator(
  "naps",
  async function* (context: OrchestrationContext, seconds: number): Steps {
    const start = context.currentUtcDateTime.getTime();
    yield context.createTimer(seconds);
    return context.currentUtcDateTime.getTime() - start;
  },
);
const sleepsUntil = suite.orchestrator(
  "sleepsUntil",
  async function* (context: OrchestrationContext, time: string): Steps<string> {
    yield context.createTimer(new Date(time));
    return "awake";
  },
);
const napsTogether = suite.orchestrator(
  "napsTogether",
  async function* (context: OrchestrationContext, count: number): Steps {
    const timers: Task<unknown>[] = Array.from({ length: count }, (_, i) =>
      context.createTimer(i / 1000),
    );
    yield whenAll(timers);
    return count;
  },
);
const listens = suite.orchestrator(
  "listens",
  async function* (context: OrchestrationContext, name: string): Steps {
    return yield context.waitForExternalEvent(name);
  },
);
const collects = suite.orchestrator(
  "collects",
  async function* (context: OrchestrationContext, count: number): Steps {
    const received: unknown[] = [];
    while (received.length < count) {
      const next: unknown = yield context.waitForExternalEvent("item");
      received.push(next);
    }
    return received;
  },
);
const listensLate = suite.orchestrator(
  "listensLate",
  async function* (context: OrchestrationContext, gate: string): Steps {
    yield context.callActivity(passGate, gate);
    const first: unknown = yield context.waitForExternalEvent("item");
    const second: unknown = yield context.waitForExternalEvent("item");
    return [first, second];
  },
);
const listensToMany = suite.orchestrator(
  "listensToMany",
  async function* (context: OrchestrationContext, count: number): Steps {
    const events = Array.from({ length: count }, (_, i) => context.waitForExternalEvent(`e${i}`));
    return yield whenAll(events);
  },
);
const races = suite.orchestrator(
  "races",
  async function* (context: OrchestrationContext, seconds: number): Steps {
    const event: Task<string> = context.waitForExternalEvent("answer");
    const timer: TimerTask = context.createTimer(seconds);
    const winner: Task<unknown> = yield whenAny([event, timer]);
    if (winner === timer) return "timer";
    timer.cancel();
    return event.getResult();
  },
);
const sends = suite.orchestrator(
  "sends",
  async function* (
    context: OrchestrationContext,
    { to, name, data }: { to: string; name: string; data?: unknown },
  ): Steps {
    context.sendEvent(to, name, data);
    yield context.createTimer(0);
    return "sent";
  },
);
const sendsLast = suite.orchestrator("sendsLast", async (context, to: string) => {
  context.sendEvent(to, "item", "the last word");
});

test.concurrent("a timer does not fire before its time", async () => {
  expect(await suite.outputOf(naps, 0.25)).toBeGreaterThanOrEqual(250);
});

test.concurrent("a timer of the past fires at once", async () => {
  expect(await suite.outputOf(sleepsUntil, "2001-02-03T04:05:06.789Z")).toBe("awake");
});

test.concurrent("two hundred timers of one orchestration all fire", async () => {
  expect(await suite.outputOf(napsTogether, 200)).toBe(200);
});

test.concurrent("an event that is waited for completes the wait", async () => {
  const instanceId = await suite.start(listens, "approval");
  await suite.client.waitForOrchestrationStart(instanceId);
  await suite.client.raiseOrchestrationEvent(instanceId, "approval", { by: "nadia" });
  expect((await suite.completed(instanceId)).serializedOutput).toBe('{"by":"nadia"}');
});

test.concurrent("events raised before they are waited for are kept, in order", async () => {
  const gate = gates.create();
  const instanceId = await suite.start(listensLate, gate.name);
  await suite.client.raiseOrchestrationEvent(instanceId, "item", 1);
  await gate.reached;
  await suite.client.raiseOrchestrationEvent(instanceId, "item", 2);
  gate.open();
  expect((await suite.completed(instanceId)).serializedOutput).toBe("[1,2]");
});

test.concurrent("an event raised before the scheduled start is kept", async () => {
  const instanceId = await suite.start(listens, "early", {
    startAt: new Date(Date.now() + 1_500),
  });
  await suite.client.raiseOrchestrationEvent(instanceId, "early", "bird");
  const pending = await suite.client.getOrchestrationState(instanceId);
  expect(pending?.runtimeStatus).toBe(OrchestrationStatus.PENDING);
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"bird"');
});

test.concurrent("names of events are compared without case, and stored as they came", async () => {
  const instanceId = await suite.start(listens, "goAhead");
  await suite.client.raiseOrchestrationEvent(instanceId, "GOahead", 7);
  expect((await suite.completed(instanceId)).serializedOutput).toBe("7");
  const history = await suite.client.getOrchestrationHistory(instanceId);
  const raised = history.find(({ type }) => type === "EventRaised");
  expect(raised).toMatchObject({ name: "GOahead" });
});

test.concurrent("a hundred events raised at once all arrive", async () => {
  const instanceId = await suite.start(collects, 100);
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  await Promise.all(
    numbers.map((i) => suite.client.raiseOrchestrationEvent(instanceId, "item", i)),
  );
  const received: number[] = JSON.parse(
    present((await suite.completed(instanceId)).serializedOutput),
  );
  expect(received.toSorted((a, b) => a - b)).toEqual(numbers);
});

test.concurrent("a hundred events of different names complete a hundred waits", async () => {
  const instanceId = await suite.start(listensToMany, 100);
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  await Promise.all(
    numbers.map((i) => suite.client.raiseOrchestrationEvent(instanceId, `e${i}`, i)),
  );
  expect((await suite.completed(instanceId)).serializedOutput).toBe(JSON.stringify(numbers));
});

test.concurrent("events raised one after the other arrive in that order", async () => {
  const instanceId = await suite.start(collects, 20);
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  for (const i of numbers) await suite.client.raiseOrchestrationEvent(instanceId, "item", i);
  expect((await suite.completed(instanceId)).serializedOutput).toBe(JSON.stringify(numbers));
});

test.concurrent("a timer wins the race against an event that never comes", async () => {
  expect(await suite.outputOf(races, 0.05)).toBe("timer");
});

test.concurrent("an event wins the race against a timer of an hour", async () => {
  const instanceId = await suite.start(races, 3600);
  await suite.client.raiseOrchestrationEvent(instanceId, "answer", "event");
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"event"');
});

test.concurrent("an event wins the race against a timer of thirty days", async () => {
  const instanceId = await suite.start(races, 30 * 24 * 3600);
  await suite.client.raiseOrchestrationEvent(instanceId, "answer", "event");
  expect((await suite.completed(instanceId)).serializedOutput).toBe('"event"');
});

test.concurrent("an event without data is read as null", async () => {
  const instanceId = await suite.start(listens, "bare");
  await suite.client.raiseOrchestrationEvent(instanceId, "bare");
  expect((await suite.completed(instanceId)).serializedOutput).toBe("null");
});

test.concurrent("raising an event of an unknown instance is NOT_FOUND", async () => {
  const raised = suite.client.raiseOrchestrationEvent(newId("nobody"), "item", 1);
  await expect(raised).rejects.toMatchObject({ code: 5 });
});

test.concurrent("an event of a completed instance is dropped without an error", async () => {
  const state = await suite.run(naps, 0);
  await suite.client.raiseOrchestrationEvent(state.instanceId, "item", 1);
  expect(await suite.client.getOrchestrationState(state.instanceId)).toEqual(state);
});

test.concurrent("an orchestration sends an event to another one", async () => {
  const listener = await suite.start(listens, "item");
  const sender = await suite.run(sends, { to: listener, name: "ITEM", data: { from: "a friend" } });
  expect((await suite.completed(listener)).serializedOutput).toBe('{"from":"a friend"}');
  const history = await suite.client.getOrchestrationHistory(sender.instanceId);
  expect(history.find(({ type }) => type === "EventSent")).toMatchObject({
    eventId: 1,
    name: "ITEM",
    instanceId: listener,
    input: '{"from":"a friend"}',
  });
});

test.concurrent("an orchestration that sends an event and ends has sent it", async () => {
  const listener = await suite.start(listens, "item");
  await suite.run(sendsLast, listener);
  expect((await suite.completed(listener)).serializedOutput).toBe('"the last word"');
});

test.concurrent("an event sent to nobody is dropped and its sender goes on", async () => {
  const state = await suite.run(sends, { to: newId("nobody"), name: "item" });
  expect(state.serializedOutput).toBe('"sent"');
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  expect(typesOf(history)).toContain("EventSent");
});
