/**
 * What golden directories hold: instances in every state in which a sidecar may be stopped, and how
 * each of them is brought to its end.
 */
import { setImmediate } from "node:timers/promises";
import {
  EntityInstanceId,
  type OrchestrationContext,
  OrchestrationStatus,
  type TaskEntityOperation,
  type TaskHubGrpcClient,
  type TaskHubGrpcWorker,
  whenAll,
} from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";

/** Long enough for everything else to be started meanwhile, and over when a test begins. */
const TIMER_SECONDS = 60;

/** Activities of a fan-out from this one on are not answered while a directory is made. */
const ANSWERED_ACTIVITIES = 3;

const FAN_OUT = 6;

/** Has a state, an operation that a worker does not answer, and one behind it. */
export const BUSY = new EntityInstanceId("notes", "busy");

/** Is locked. */
export const LOCKED = new EntityInstanceId("notes", "locked");

export interface GoldenInstance {
  readonly instanceId: string;
  /** The first format that could store it; undefined: all. */
  readonly since?: 3;
  readonly name: string;
  readonly input?: unknown;
  readonly startsInSeconds?: number;
  /** Brings it to where it is to stop. */
  readonly prepare?: (client: TaskHubGrpcClient) => Promise<void>;
  /** Whether it is there. */
  readonly isThere: (seen: GoldenView) => boolean;
  /** Lets it go on. Without it nothing is needed but workers. */
  readonly finish?: (client: TaskHubGrpcClient) => Promise<void>;
  /** JSON text of its output, in the end. */
  readonly output: string | undefined;
  readonly endsAs: OrchestrationStatus;
}

/** Everything that a client sees of an instance. Times are in milliseconds. */
export interface GoldenView {
  readonly instanceId: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: number;
  readonly lastUpdatedAt: number;
  readonly input: string | undefined;
  readonly output: string | undefined;
  readonly customStatus: string | undefined;
  readonly failure: string | undefined;
  readonly history: readonly string[];
}

export async function viewOf(client: TaskHubGrpcClient, instanceId: string): Promise<GoldenView> {
  const state = await client.getOrchestrationState(instanceId, true);
  if (state === undefined) throw new Error(`there is no instance ${instanceId}`);
  const history = await client.getOrchestrationHistory(instanceId);
  return {
    instanceId,
    name: state.name,
    status: OrchestrationStatus[state.runtimeStatus] ?? "",
    createdAt: state.createdAt.getTime(),
    lastUpdatedAt: state.lastUpdatedAt.getTime(),
    input: state.serializedInput,
    output: state.serializedOutput,
    customStatus: state.serializedCustomStatus,
    failure: state.failureDetails?.message,
    history: history.map(({ type, timestamp }) => `${type} ${timestamp.toISOString()}`),
  };
}

/** @param answersAll whether also those activities are answered that a fan-out stops at */
export function register(worker: TaskHubGrpcWorker, answersAll: boolean): void {
  worker.addNamedActivity("square", (_context, number: number) => {
    if (answersAll || number < ANSWERED_ACTIVITIES) return number * number;
    return new Promise<number>(() => {});
  });
  worker.addNamedOrchestrator(
    "listens",
    async function* (context: OrchestrationContext, name: string): Steps<string> {
      context.setCustomStatus({ waitsFor: name });
      const squared: number = yield context.callActivity("square", 2);
      const heard: string = yield context.waitForExternalEvent(name);
      return `${squared} ${heard}`;
    },
  );
  worker.addNamedOrchestrator(
    "sleeps",
    async function* (context: OrchestrationContext): Steps<string> {
      yield context.createTimer(TIMER_SECONDS);
      return "slept";
    },
  );
  worker.addNamedOrchestrator("fansOut", async function* (context: OrchestrationContext): Steps {
    const tasks = Array.from({ length: FAN_OUT }, (_, at) => context.callActivity("square", at));
    const squares: readonly number[] = yield whenAll(tasks);
    return squares;
  });
  worker.addNamedOrchestrator(
    "counts",
    async function* (context: OrchestrationContext, from: number): Steps<number | undefined> {
      context.setCustomStatus(`at ${from}`);
      const step: number = yield context.waitForExternalEvent("step");
      if (from + step >= 3) return from + step;
      context.continueAsNew(from + step, true);
      return undefined;
    },
  );
  worker.addNamedOrchestrator("calls", async function* (context: OrchestrationContext): Steps {
    const options = { instanceId: "called" };
    return yield context.callSubOrchestrator("listens", "child event", options);
  });
  worker.addNamedEntity("notes", () => ({ run: (operation) => note(operation, answersAll) }));
  worker.addNamedOrchestrator("notes", notes);
  worker.addNamedOrchestrator("locks", locks);
  registerFlaky(worker);
  worker.addNamedOrchestrator("fails", async () => {
    throw withoutPlaces(new TypeError("as it should"));
  });
}

/** The places in its stack would be those of the machine that made the directory. */
function withoutPlaces(error: Error): Error {
  error.stack = String(error);
  return error;
}

async function* placeless(context: OrchestrationContext, activity: string): Steps<string> {
  try {
    return yield context.callActivity(activity);
  } catch (error) {
    throw error instanceof Error ? withoutPlaces(error) : error;
  }
}

/** An entity that keeps what it is told. */
function note(operation: TaskEntityOperation, answersAll: boolean) {
  const { name, state } = operation;
  const kept = state.getState<readonly string[]>() ?? [];
  if (name === "stop") return answersAll ? kept : new Promise<never>(() => {});
  const all = [...kept, String(operation.getInput<string>())];
  state.setState(all);
  return all;
}

async function* notes(context: OrchestrationContext): Steps {
  yield context.entities.callEntity(BUSY, "add", "called");
  context.entities.signalEntity(BUSY, "add", "signalled");
  return yield context.entities.callEntity(BUSY, "stop");
}

async function* locks(context: OrchestrationContext): Steps {
  const lock: { release(): void } = yield context.entities.lockEntities(LOCKED);
  yield context.entities.callEntity(LOCKED, "add", "before");
  yield context.waitForExternalEvent("leave");
  const all: unknown = yield context.entities.callEntity(LOCKED, "add", "behind");
  lock.release();
  return all;
}

/** Fails once, and then waits for an event. */
function registerFlaky(worker: TaskHubGrpcWorker): void {
  let calls = 0;
  worker.addNamedActivity("flaky", () => {
    calls += 1;
    if (calls === 1) throw withoutPlaces(new Error("once"));
    return "at last";
  });
  worker.addNamedOrchestrator("isRewound", async function* (context): Steps<string> {
    const squared: number = yield context.callActivity("square", 1);
    const flaky: string = yield* placeless(context, "flaky");
    const heard: string = yield context.waitForExternalEvent("go");
    return `${squared} ${flaky} ${heard}`;
  });
}

const { COMPLETED, FAILED, TERMINATED } = OrchestrationStatus;

const has = (type: string, times: number) => (seen: GoldenView) =>
  seen.history.filter((line) => line.startsWith(`${type} `)).length >= times;

export const GOLDEN: readonly GoldenInstance[] = [
  {
    instanceId: "running",
    name: "listens",
    input: "go",
    isThere: has("TaskCompleted", 1),
    finish: (client) => client.raiseOrchestrationEvent("running", "go", "now"),
    output: '"4 now"',
    endsAs: COMPLETED,
  },
  {
    instanceId: "suspended",
    name: "listens",
    input: "go",
    async prepare(client) {
      await client.suspendOrchestration("suspended");
      await client.raiseOrchestrationEvent("suspended", "go", "later");
    },
    isThere: ({ status }) => status === "SUSPENDED",
    finish: (client) => client.resumeOrchestration("suspended"),
    output: '"4 later"',
    endsAs: COMPLETED,
  },
  {
    instanceId: "timer",
    name: "sleeps",
    isThere: has("TimerCreated", 1),
    output: '"slept"',
    endsAs: COMPLETED,
  },
  {
    instanceId: "fan-out",
    name: "fansOut",
    isThere: has("TaskCompleted", ANSWERED_ACTIVITIES),
    output: "[0,1,4,9,16,25]",
    endsAs: COMPLETED,
  },
  {
    instanceId: "generations",
    name: "counts",
    input: 0,
    prepare: (client) => client.raiseOrchestrationEvent("generations", "step", 1),
    isThere: ({ customStatus }) => customStatus === '"at 1"',
    finish: (client) => client.raiseOrchestrationEvent("generations", "step", 2),
    output: "3",
    endsAs: COMPLETED,
  },
  {
    instanceId: "parent",
    name: "calls",
    isThere: has("SubOrchestrationInstanceCreated", 1),
    finish: (client) => client.raiseOrchestrationEvent("called", "child event", "heard"),
    output: '"4 heard"',
    endsAs: COMPLETED,
  },
  {
    instanceId: "scheduled",
    name: "fansOut",
    startsInSeconds: TIMER_SECONDS,
    isThere: ({ status }) => status === "PENDING",
    output: "[0,1,4,9,16,25]",
    endsAs: COMPLETED,
  },
  {
    instanceId: "finished",
    name: "listens",
    input: "go",
    prepare: (client) => client.raiseOrchestrationEvent("finished", "go", "early"),
    isThere: ({ status }) => status === "COMPLETED",
    output: '"4 early"',
    endsAs: COMPLETED,
  },
  {
    instanceId: "failed",
    name: "fails",
    isThere: ({ status }) => status === "FAILED",
    output: undefined,
    endsAs: FAILED,
  },
  {
    instanceId: "terminated",
    name: "sleeps",
    prepare: (client) => client.terminateOrchestration("terminated", "stopped"),
    isThere: ({ status }) => status === "TERMINATED",
    output: '"stopped"',
    endsAs: TERMINATED,
  },
  {
    instanceId: "entity",
    name: "notes",
    since: 3,
    async prepare(client) {
      await until(async () => (await client.getEntity(BUSY))?.state !== undefined);
      await until(async () => has("EntityOperationCalled", 2)(await viewOf(client, "entity")));
      await client.signalEntity(BUSY, "add", "behind");
    },
    isThere: has("EntityOperationCalled", 2),
    output: '["called","signalled"]',
    endsAs: COMPLETED,
  },
  {
    instanceId: "section",
    name: "locks",
    since: 3,
    isThere: has("EntityOperationCompleted", 1),
    finish: (client) => client.raiseOrchestrationEvent("section", "leave"),
    output: '["before","behind"]',
    endsAs: COMPLETED,
  },
  {
    instanceId: "rewound",
    name: "isRewound",
    since: 3,
    async prepare(client) {
      await until(async () => (await viewOf(client, "rewound")).status === "FAILED");
      await client.rewindInstance("rewound", "once more");
    },
    isThere: has("TaskCompleted", 2),
    finish: (client) => client.raiseOrchestrationEvent("rewound", "go", "now"),
    output: '"1 at last now"',
    endsAs: COMPLETED,
  },
];

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await setImmediate();
}
