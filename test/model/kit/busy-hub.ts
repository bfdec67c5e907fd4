/** A task hub with eight workers, many instances and holds of all scopes that come and go. */
import { create, fromBinary } from "@bufbuild/protobuf";
import { isTerminal } from "../../../sidecar/engine/status.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import type { Ids } from "../../../sidecar/foundation/ids.ts";
import {
  ActivityResponseSchema,
  GetWorkItemsRequestSchema,
  OrchestratorResponseSchema,
  type WorkItem,
  WorkItemSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import type { Moment, Oracle, Subject } from "./oracle.ts";
import type { Random } from "./random.ts";
import { answerTo, type Seen } from "./scripted-orchestration.ts";

/**
 * Identities in a known order. Every work item gets one at the moment at which it is handed out, and
 * so does everything that a client does: together they are the order of all that happens.
 */
export class Moments implements Ids {
  #count = 0;

  next(): string {
    this.#count += 1;
    return String(this.#count).padStart(32, "0");
  }

  now(): Moment {
    return momentOf(this.next());
  }
}

function momentOf(id: string): Moment {
  return Number(id);
}

/** What is known of an instance by those who use it. */
export interface Known extends Subject {
  /** Payloads of events that were raised, in order. */
  readonly raised: string[];
  /** No event follows. */
  isLast: boolean;
  /** Its end was asked for: what it was held by is over then. */
  endAsked: boolean;
  terminated: boolean;
}

interface Pending {
  readonly item: WorkItem;
  readonly known: Known;
}

interface Worker {
  readonly connection: string;
  readonly call: AbortController;
  readonly reading: Promise<void>;
}

export interface BusyHubOptions {
  readonly hub: TestHub;
  readonly random: Random;
  readonly moments: Moments;
  readonly oracle: Oracle;
  /** Something of an instance was handed out. */
  readonly handedOut: (known: Known, at: Moment) => void;
}

export class BusyHub {
  readonly known = new Map<string, Known>();
  readonly violations: string[] = [];
  handOuts = 0;
  readonly #options: BusyHubOptions;
  readonly #pending: Pending[] = [];
  readonly #workers: Worker[] = [];
  #started = 0;
  #connections = 0;

  constructor(options: BusyHubOptions, workers: number) {
    this.#options = options;
    for (let count = 0; count < workers; count += 1) this.#workers.push(this.#connect());
  }

  /** Answers that workers owe. */
  get owed(): number {
    return this.#pending.length;
  }

  /** One that still goes on, as far as anybody knows. */
  someInstance(): Known | undefined {
    return this.#options.random.pick([...this.recent.values()]);
  }

  /** Instances that have not ended, as far as anybody knows. */
  readonly recent = new Map<string, Known>();

  start(): Promise<unknown> {
    this.#started += 1;
    const id = `${this.#started % 3 === 0 ? "v" : "w"}${this.#started}`;
    const name = this.#started % 2 === 0 ? "Even" : "Odd";
    const starting = this.#options.hub.start(id, { name });
    return starting.then(() => this.#know(id, name));
  }

  /** Raises the next event of an instance; the last one is called "End". */
  raise(known: Known, isLast: boolean): Promise<unknown> {
    if (known.isLast) return Promise.resolve();
    const payload = isLast ? "End" : String(known.raised.length + 1);
    known.raised.push(payload);
    known.isLast = isLast;
    return this.#options.hub.raise(known.id, "Event", payload);
  }

  terminate(known: Known): Promise<unknown> {
    known.terminated = true;
    this.#ends(known);
    return this.#options.hub.terminate(known.id, "output");
  }

  /** Answers something that a worker has. */
  async answer(): Promise<void> {
    const { random, hub } = this.#options;
    const at = random.below(this.#pending.length);
    const last = this.#pending.pop();
    const chosen = this.#pending[at] ?? last;
    if (chosen === undefined || last === undefined) return;
    if (chosen !== last) this.#pending[at] = last;
    const { item, known } = chosen;
    const { request, completionToken } = item;
    if (random.chance(3)) {
      const kind = request.case === "activityRequest" ? "activity" : "turn";
      await hub.hub.abandon(kind, completionToken);
    } else if (request.case === "activityRequest") {
      const { taskId } = request.value;
      const executionId = request.value.orchestrationInstance?.executionId ?? "";
      const result = `${executionId} ${taskId}`;
      const instanceId = known.id;
      await hub.hub.completeActivity(
        create(ActivityResponseSchema, { instanceId, taskId, completionToken, result }),
      );
    } else if (request.case === "orchestratorRequest") {
      const timerAt = hub.clock.in(random.below(4) * 1_000);
      const { actions, ends } = answerTo(request.value, timerAt);
      if (ends) this.#ends(known);
      const { instanceId } = request.value;
      await hub.hub.completeTurn(
        create(OrchestratorResponseSchema, { instanceId, completionToken, actions: [...actions] }),
      );
    }
  }

  /** A worker goes, and another one comes. What it had may still be answered: too late. */
  async restartWorker(): Promise<void> {
    const at = this.#options.random.below(this.#workers.length);
    const worker = this.#workers[at];
    this.#workers[at] = this.#connect();
    if (worker === undefined) return;
    this.#options.hub.hubs.connectionClosed(worker.connection);
    worker.call.abort(new HubError("cancelled", "the worker is gone"));
    await worker.reading;
  }

  /** What is wrong with the instance at the end of everything; undefined when all is right. */
  async problemOf({ id, raised, terminated }: Known): Promise<string | undefined> {
    const { hub } = this.#options.hub;
    const output = await hub.read(id, (state) =>
      isTerminal(state) ? `${state.status}` : undefined,
    );
    if (output === undefined) return `${id} has not ended`;
    if (terminated) return undefined;
    const completedEvent = (await this.#options.hub.history(id)).at(-1)?.eventType;
    if (completedEvent?.case !== "executionCompleted") return `${id} has no result`;
    const seen: Seen = JSON.parse(completedEvent.value.result ?? "{}");
    if (seen.events.join() !== raised.join()) {
      return `${id} got [${seen.events}] of [${raised}]`;
    }
    const results = new Set(seen.results).size;
    if (results !== 4 || seen.results.length !== 4) return `${id} got results [${seen.results}]`;
    return undefined;
  }

  #ends(known: Known): void {
    known.endAsked = true;
    this.recent.delete(known.id);
    this.#options.oracle.instanceEnds(known.id, this.#options.moments.now());
  }

  #know(id: string, name: string): Known {
    let known = this.known.get(id);
    if (known === undefined) {
      known = { id, name, raised: [], isLast: false, endAsked: false, terminated: false };
      this.known.set(id, known);
      this.recent.set(id, known);
    }
    return known;
  }

  #connect(): Worker {
    const { hub, random } = this.#options;
    this.#connections += 1;
    const connection = `worker ${this.#connections}`;
    const call = new AbortController();
    const request = create(GetWorkItemsRequestSchema, {
      // Few, so that work waits in queues when holds come.
      maxConcurrentOrchestrationWorkItems: 1 + random.below(2),
      maxConcurrentActivityWorkItems: 1 + random.below(2),
    });
    const connectedAt = hub.hub.now();
    const who = { peer: "test", userAgent: "", library: "", workerId: undefined, connectedAt };
    const stream = hub.hub.workItems(request, { connection, signal: call.signal, ...who });
    return { connection, call, reading: this.#read(stream) };
  }

  async #read(stream: AsyncGenerator<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of stream) this.#take(fromBinary(WorkItemSchema, bytes));
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
    }
  }

  #take(item: WorkItem): void {
    const { oracle, handedOut } = this.#options;
    const { request, completionToken } = item;
    if (request.case !== "orchestratorRequest" && request.case !== "activityRequest") return;
    const id =
      request.case === "orchestratorRequest"
        ? request.value.instanceId
        : (request.value.orchestrationInstance?.instanceId ?? "");
    const known = this.#know(id, "Child");
    const at = momentOf(completionToken);
    this.handOuts += 1;
    const span = oracle.violated(known, at);
    if (span !== undefined) {
      const { hold, covered, from, to } = span;
      const by = `${covered.scope} ${hold} from ${from} to ${to}`;
      this.violations.push(`${request.case} of ${id} at ${at}, held by ${by}`);
    }
    handedOut(known, at);
    this.#pending.push({ item, known });
  }
}
