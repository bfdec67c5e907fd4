/** External events, timers, and events that orchestrations send each other. */
import {
  type OrchestrationContext,
  type Task,
  type TimerTask,
  whenAll,
  whenAny,
} from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, type Hub, NamedGates, newId, refusal } from "./hub.ts";

const gates = new NamedGates();

async function* naps(context: OrchestrationContext, seconds: number): Steps {
  const start = context.currentUtcDateTime.getTime();
  yield context.createTimer(seconds);
  return (context.currentUtcDateTime.getTime() - start) / 1000;
}

async function* napsTogether(context: OrchestrationContext, count: number): Steps {
  const timers: Task<unknown>[] = Array.from({ length: count }, (_, i) =>
    context.createTimer(i / 1000),
  );
  yield whenAll(timers);
  return count;
}

async function* collects(context: OrchestrationContext, count: number): Steps {
  const received: unknown[] = [];
  while (received.length < count) {
    const next: unknown = yield context.waitForExternalEvent("item");
    received.push(next);
  }
  return received;
}

async function* listensLate(context: OrchestrationContext, gate: string): Steps {
  yield context.callActivity("passGate", gate);
  const first: unknown = yield context.waitForExternalEvent("item");
  const second: unknown = yield context.waitForExternalEvent("item");
  return [first, second];
}

async function* listensToMany(context: OrchestrationContext, count: number): Steps {
  const events = Array.from({ length: count }, (_, i) => context.waitForExternalEvent(`e${i}`));
  return yield whenAll(events);
}

async function* races(context: OrchestrationContext, seconds: number): Steps {
  const event: Task<string> = context.waitForExternalEvent("answer");
  const timer: TimerTask = context.createTimer(seconds);
  const winner: Task<unknown> = yield whenAny([event, timer]);
  if (winner === timer) return "timer";
  timer.cancel();
  return event.getResult();
}

async function* sends(
  context: OrchestrationContext,
  { to, name, data }: { to: string; name: string; data?: unknown },
): Steps {
  context.sendEvent(to, name, data);
  yield context.createTimer(0);
  return "sent";
}

/** Starts an orchestration that ends with the events that are raised at once. */
async function raisedAtOnce(hub: Hub, orchestrator: string, nameOf: (i: number) => string) {
  const instanceId = await hub.start(orchestrator, 100);
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  await Promise.all(numbers.map((i) => hub.raise(instanceId, nameOf(i), i)));
  return hub.completed(instanceId);
}

async function wonByEvent(hub: Hub, seconds: number) {
  const instanceId = await hub.start("races", seconds);
  await hub.raise(instanceId, "answer", "event");
  return hub.completed(instanceId);
}

const raised: Area["asked"] = {
  "an event that is waited for completes the wait": async (hub) => {
    const instanceId = await hub.startAndWait("listens", "approval");
    await hub.raise(instanceId, "approval", { by: "nadia" });
    return hub.completed(instanceId);
  },
  "events raised before they are waited for are kept, in order": async (hub) => {
    const gate = gates.create();
    const instanceId = await hub.start("listensLate", gate);
    await hub.raise(instanceId, "item", 1);
    await gates.reached(gate);
    await hub.raise(instanceId, "item", 2);
    gates.open(gate);
    return hub.completed(instanceId);
  },
  "an event raised before the scheduled start is kept": async (hub) => {
    const startAt = new Date(Date.now() + 1_500);
    const instanceId = await hub.start("listens", "early", { startAt });
    await hub.raise(instanceId, "early", "bird");
    return { status: await hub.status(instanceId), state: await hub.completed(instanceId) };
  },
  "names of events are compared without case, and stored as they came": async (hub) => {
    const instanceId = await hub.start("listens", "goAhead");
    await hub.raise(instanceId, "GOahead", 7);
    const state = await hub.completed(instanceId);
    const history = await hub.history(instanceId);
    const names = history.flatMap((event) => (event.type === "EventRaised" ? [event.name] : []));
    return { state, names };
  },
  "a hundred events raised at once all arrive": (hub) =>
    raisedAtOnce(hub, "collects", () => "item"),
  "a hundred events of different names complete a hundred waits": (hub) =>
    raisedAtOnce(hub, "listensToMany", (i) => `e${i}`),
  "events raised one after the other arrive in that order": async (hub) => {
    const instanceId = await hub.start("collects", 20);
    for (let i = 0; i < 20; i += 1) await hub.raise(instanceId, "item", i);
    return hub.completed(instanceId);
  },
  "an event without data is read as null": async (hub) => {
    const instanceId = await hub.start("listens", "bare");
    await hub.raise(instanceId, "bare");
    return hub.completed(instanceId);
  },
  "raising an event of an unknown instance is NOT_FOUND": (hub) =>
    refusal(hub.raise(newId("nobody"), "item", 1)),
  "an event of a completed instance is dropped without an error": async (hub) => {
    const before = await hub.run("naps", 0);
    await hub.raise(before.instanceId, "item", 1);
    return { before, after: await hub.state(before.instanceId) };
  },
};

const sent: Area["asked"] = {
  "an orchestration sends an event to another one": async (hub) => {
    const listener = await hub.start("listens", "item");
    const data = { from: "a friend" };
    const sender = await hub.run("sends", { to: listener, name: "ITEM", data });
    const history = await hub.history(sender.instanceId);
    const events = history.filter(({ type }) => type === "EventSent");
    return { listener: await hub.completed(listener), sent: events };
  },
  "an orchestration that sends an event and ends has sent it": async (hub) => {
    const listener = await hub.start("listens", "item");
    await hub.run("sendsLast", listener);
    return hub.completed(listener);
  },
  "an event sent to nobody is dropped and its sender goes on": async (hub) => {
    const state = await hub.run("sends", { to: newId("nobody"), name: "item" });
    return { state, types: await hub.types(state.instanceId) };
  },
};

export const events: Area = {
  orchestrators: {
    naps,
    sleepsUntil: async function* (context, time: string): Steps {
      yield context.createTimer(new Date(time));
      return "awake";
    },
    napsTogether,
    listens: async function* (context, name: string): Steps {
      return yield context.waitForExternalEvent(name);
    },
    collects,
    listensLate,
    listensToMany,
    races,
    sends,
    sendsLast: async (context, to: string) => context.sendEvent(to, "item", "the last word"),
  },
  activities: { passGate: (_context, name: string) => gates.pass(name) },
  asked: {
    "a timer does not fire before its time": (hub) => hub.outputOf("naps", 0.25),
    "a timer of the past fires at once": (hub) =>
      hub.outputOf("sleepsUntil", "2001-02-03T04:05:06.789Z"),
    "two hundred timers of one orchestration all fire": (hub) => hub.outputOf("napsTogether", 200),
    ...raised,
    "a timer wins the race against an event that never comes": (hub) => hub.outputOf("races", 0.05),
    "an event wins the race against a timer of an hour": (hub) => wonByEvent(hub, 3600),
    "an event wins the race against a timer of thirty days": (hub) =>
      wonByEvent(hub, 30 * 24 * 3600),
    ...sent,
  },
};
