/** The fourteen steps of T-NTH, and what must have come of them in the end. */
import type { Reply } from "../../../sidecar/engine/repeat.ts";
import { shownStatus } from "../../../sidecar/engine/status.ts";
import { Status } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind, readEvent } from "../../../sidecar/wire/history-event.ts";
import { hold, holdHub, release, releaseHub } from "../../support/hold-calls.ts";
import type { Durable } from "./durable.ts";
import type { Ask, NthRun } from "./run.ts";
import { LOCKED, TIMER_MS } from "./work.ts";

export interface Outcome {
  /** What is left of each instance. */
  readonly instances: Readonly<Record<string, unknown>>;
  readonly entities: Readonly<Record<string, unknown>>;
  readonly windows: readonly unknown[];
}

const IDS = ["a", "b", "c", "d", "e"];

/** Plays all of it. Ends with all that can finish finished, and a process of its own to say so. */
export async function play(run: NthRun): Promise<Outcome> {
  await run.up();
  // 1: two instances begin, and with them the hub.
  await run.ask([start("a", "Main", "0"), start("b", "Other")]);
  // 2: a turn that schedules activities, a timer and a child, and says its custom status.
  await run.work(({ kind }) => kind === "turn");
  // 3: results of activities, and somebody who reads meanwhile.
  await run.ask([see("b", "RUNNING"), event("b", "Other", 1)]);
  await run.work();
  // 4: an event, for one that waits and for one that has not looked yet.
  await run.ask([event("a", "E", 1), event("b", "Other", 2), see("c", "COMPLETED")]);
  await run.work();
  // 5: held, and an event meanwhile.
  await run.ask([place("a")]);
  await run.ask([event("a", "E", 2), see("a", "SUSPENDED"), copy]);
  await run.work();
  // 6: let go.
  await run.ask([letGo("a")]);
  await run.work();
  // 7: the timer fires.
  await run.pass(TIMER_MS + 1_000);
  await run.work();
  // 8: a window of the hub, and an instance that begins within it.
  await run.ask([window]);
  await run.ask([start("d", "Short"), see("b", "RUNNING")]);
  await run.work();
  if (run.durable.find("d")?.state.status !== Status.PENDING) throw new Error("G9: d has run");
  await run.ask([endWindow]);
  await run.work();
  // 9: on as new, with everything that came so far.
  await run.ask([event("a", "Next", 1), see("d", "COMPLETED")]);
  await run.work();
  // 10: another one is terminated.
  await run.ask([terminate("b"), event("a", "E", 3)]);
  await run.work();
  // 11: an orderly restart.
  await run.restart();
  await run.work();
  // 12: a critical section with a call, a signal from outside, and then a failure.
  await run.ask([start("e", "Locker"), signal(LOCKED[0])]);
  await run.work();
  // 13: rewound.
  await run.ask([see("e", "FAILED")]);
  await run.ask([rewind("e")]);
  await run.work();
  // 14: purged, and the last event.
  await run.ask([purge("b"), see("a", "RUNNING")]);
  await run.ask([event("a", "Finish", 1), purge("d")]);
  await run.work();
  await run.ask([see("a", "COMPLETED"), see("b", undefined)]);
  return finish(run);
}

/** A last process, in which nothing goes wrong any more, finds the same. */
async function finish(run: NthRun): Promise<Outcome> {
  await run.restart();
  await run.work();
  await run.durable.compare(run.disk.process.open);
  const { hub } = run;
  for (const found of hub.hub.scanned.violations().values()) {
    throw new Error(found.map(({ invariant, what }) => `${invariant}: ${what}`).join());
  }
  await run.ask(IDS.map((id) => sameAsDurable(run, id)));
  const instances = Object.fromEntries(IDS.map((id) => [id, shown(run.durable, id)]));
  const entities = Object.fromEntries(LOCKED.map((id) => [id, shownEntity(run.durable, id)]));
  await run.settle();
  return { instances, entities, windows: run.durable.windows };
}

/** What is read of an instance is what the disk says. */
function sameAsDurable(run: NthRun, id: string): Ask {
  return {
    what: `${id} as it is stored`,
    call: async ({ hub }) => {
      const read = await hub.read(id, (state) => `${shownStatus(state)} ${state.sequence}`);
      const stored = run.durable.find(id)?.state;
      const told = stored && `${shownStatus(stored)} ${stored.sequence}`;
      if (read !== told) throw new Error(`${id} is read as ${read}, and is ${told}`);
    },
  };
}

/** All that must be the same whatever happened in between: not how events fell into turns. */
function shown(durable: Durable, instanceId: string): unknown {
  const life = durable.find(instanceId);
  if (life === undefined) return "gone";
  const { status, generation, customStatus, completed, activities, timers } = life.state;
  const end = completed && readEvent(completed).eventType;
  return {
    status,
    generation,
    customStatus: customStatus?.text,
    result: end?.case === "executionCompleted" ? end.value.result : undefined,
    left: [activities.size, timers.size],
    events: life.history
      .filter(({ kind }) => kind !== EventKind.orchestratorStarted)
      .filter(({ kind }) => kind !== EventKind.orchestratorCompleted)
      .map(({ kind }) => kind)
      .sort((left, right) => left - right),
  };
}

function shownEntity(durable: Durable, instanceId: string): unknown {
  const entity = durable.find(instanceId)?.state.entity;
  return entity && { text: entity.text, waiting: entity.queue.length, lock: entity.lock };
}

function start(id: string, name: string, input?: string): Ask {
  return {
    what: `start ${id}`,
    call: (hub) => hub.start(id, { name, ...(input === undefined ? {} : { input }) }),
    isDurable: (durable) => durable.find(id) !== undefined,
    doneBefore: "instance-exists",
  };
}

/** With a key: however often it is sent, it arrives once. */
function event(instanceId: string, name: string, number: number): Ask {
  const input = String(number);
  return {
    what: `event ${name}${input} for ${instanceId}`,
    call: (hub) =>
      hub.hub.instances.raiseEvent(
        { instanceId, name, input, ignoreFinished: true },
        once(`raise ${name} ${input}`),
      ),
    isDurable: (durable) => durable.hasArrived(instanceId, `event ${name}${input}`),
  };
}

function signal(instanceId: string): Ask {
  const command = { instanceId, requestId: "s", operation: "add" };
  const rest = { input: undefined, scheduledAt: undefined };
  return {
    what: `signal ${instanceId}`,
    call: ({ hub }) => hub.entities.signal({ ...command, ...rest }, once("signal")),
    isDurable: (durable) => durable.find(instanceId)?.state.entity !== undefined,
  };
}

function rewind(instanceId: string): Ask {
  return {
    what: `rewind ${instanceId}`,
    call: ({ hub }) => hub.reruns.rewind({ instanceId, reason: "again" }),
    isDurable: (durable) => durable.find(instanceId)?.state.generation === 2,
    doneBefore: "failed-precondition",
  };
}

function see(id: string, status: string | undefined): Ask {
  return {
    what: `the status of ${id}`,
    call: async (hub) => {
      const found = await hub.status(id);
      if (found !== status) throw new Error(`${id} is ${found}, and must be ${status}`);
    },
  };
}

/** What an export begins with. */
const copy: Ask = {
  what: "a snapshot",
  call: async ({ store }) => {
    const snapshot = await store.snapshot();
    const number = snapshot.findHub("default");
    await snapshot.close();
    if (number === undefined) throw new Error("the snapshot has no hub");
  },
};

function place(id: string): Ask {
  return {
    what: `hold ${id}`,
    call: (hub) => hold(hub, id, { name: "h", key: "place" }),
    isDurable: (durable) => durable.find(id)?.state.holds.length === 1,
    answer: "h placed",
  };
}

function letGo(id: string): Ask {
  return {
    what: `release ${id}`,
    call: (hub) => release(hub, id, { name: "h", key: "release" }),
    isDurable: (durable) => durable.find(id)?.state.holds.length === 0,
    answer: "released [h] remaining []",
  };
}

const window: Ask = {
  what: "place the window",
  call: (hub) => holdHub(hub, { name: "w", key: "open" }),
  isDurable: (durable) => durable.windows.includes("w"),
  answer: "w placed",
};

const endWindow: Ask = {
  what: "end the window",
  call: (hub) => releaseHub(hub, undefined, "w", "end"),
  isDurable: (durable) => durable.windows.length === 0,
  answer: "released [w] remaining []",
};

function terminate(id: string): Ask {
  return {
    what: `terminate ${id}`,
    call: (hub) => hub.terminate(id, '"enough"'),
    isDurable: (durable) => {
      const state = durable.find(id)?.state;
      return state?.pendingTerminate !== undefined || state?.status === Status.TERMINATED;
    },
  };
}

function purge(id: string): Ask {
  return {
    what: `purge ${id}`,
    call: (hub) => hub.purge(id),
    isDurable: (durable) => durable.find(id) === undefined,
    answer: 1,
  };
}

function once(key: string): Reply<void, undefined> {
  return {
    key,
    result: () => undefined,
    encode: () => new Uint8Array(),
    decode: () => undefined,
  };
}
