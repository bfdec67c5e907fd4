/**
 * T-DUP: workers that answer up to five times at once, from several connections, too late, for
 * work that they gave back, with tokens of a process that is gone, and with tokens of other work.
 * Every answer is OK, and every piece of work has exactly one effect.
 */
import { type Client, createClient } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { silentLog } from "../../sidecar/foundation/log.ts";
import { type App, startApp } from "../../sidecar/process/app.ts";
import { parseServeConfig } from "../../sidecar/process/config.ts";
import {
  type HistoryEvent,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type ActivityItem, CompatWorker, type TurnItem } from "../support/compat-worker.ts";
import { GrpcTransport } from "../support/grpc-transport.ts";
import { rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";
import { Random } from "./kill/random.ts";

const TASKS = [1, 2, 3] as const;
const WORKERS = 4;

type Item = ({ kind: "turn" } & TurnItem) | ({ kind: "activity" } & ActivityItem);

/** A process with its workers' connections. */
class Life implements AsyncDisposable {
  readonly clients: readonly Client<typeof TaskHubSidecarService>[];
  readonly workers: readonly CompatWorker[];
  readonly #app: App;
  readonly #transports: readonly GrpcTransport[];

  static async begin(data: string): Promise<Life> {
    const flags = { data, listen: "127.0.0.1:0", logLevel: "error" };
    const environment = { TASKHUB_DISK_RESERVE: "0" };
    const config = parseServeConfig({ flags, environment, workingDirectory: "/" });
    return new Life(await startApp(config, { log: silentLog }));
  }

  constructor(app: App) {
    this.#app = app;
    const [listening] = app.addresses;
    if (listening === undefined) throw new Error("listens nowhere");
    this.#transports = Array.from({ length: WORKERS }, () => new GrpcTransport(listening));
    this.clients = this.#transports.map((each) => createClient(TaskHubSidecarService, each));
    // Each has as much as it would take, so that many have work at one time.
    const limits = { maxConcurrentOrchestrationWorkItems: 8, maxConcurrentActivityWorkItems: 8 };
    this.workers = this.clients.map((client) => new CompatWorker(client, limits));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.workers) await worker[Symbol.asyncDispose]();
    for (const transport of this.#transports) transport[Symbol.dispose]();
    await this.#app[Symbol.asyncDispose]();
  }
}

/** What was done, over all lives. */
const done = {
  answers: 0,
  repeated: 0,
  foreignTokens: 0,
  givenBack: 0,
  late: 0,
  restarts: 0,
};

/** Workers of one life, until they have answered so much. */
class Storm {
  readonly #random: Random;
  readonly #life: Life;
  /** Items whose lease has ended: answered, given back, or of an earlier life. */
  readonly #stale: Item[];
  readonly #inFlight = new Map<string, Item>();
  readonly #pending = new Set<Promise<void>>();
  readonly #enough = Promise.withResolvers<void>();
  #left: number;

  constructor(random: Random, life: Life, stale: Item[], answers: number) {
    this.#random = random;
    this.#life = life;
    this.#stale = stale;
    this.#left = answers;
  }

  /** Answers until it is enough or the instances have ended; what is left is stale then. */
  async run(ended: Promise<unknown>): Promise<void> {
    for (const worker of this.#life.workers) {
      void this.#serve(async () => ({ kind: "turn", ...(await worker.turn()) }));
      void this.#serve(async () => ({ kind: "activity", ...(await worker.activity()) }));
    }
    await Promise.race([ended, this.#enough.promise]);
    this.#left = 0;
    await Promise.all(this.#pending);
    this.#stale.push(...this.#inFlight.values());
  }

  /** Answers all that was ever handed out once more. */
  async repeatAll(): Promise<void> {
    for (const item of this.#stale.splice(0)) {
      done.late += 1;
      await this.#answer(item, "STALE");
    }
  }

  async #serve(next: () => Promise<Item>): Promise<void> {
    while (this.#left > 0) {
      // The stream ends with its life.
      const item = await next().catch(() => undefined);
      if (item === undefined) return;
      this.#take(item);
    }
  }

  #take(item: Item): void {
    this.#inFlight.set(item.token, item);
    if (this.#left <= 0) return;
    this.#left -= 1;
    if (this.#left === 0) this.#enough.resolve();
    const handled = this.#handle(item).finally(() => this.#pending.delete(handled));
    this.#pending.add(handled);
  }

  async #handle(item: Item): Promise<void> {
    const stale = this.#pick(this.#stale);
    if (stale !== undefined && this.#happens(30)) {
      done.late += 1;
      await this.#answer(stale, "STALE");
    }
    const other = this.#pick([...this.#inFlight.values()].filter((each) => each !== item));
    if (other !== undefined && this.#happens(30)) {
      done.foreignTokens += 1;
      await this.#answer({ ...item, token: other.token }, "FOREIGN");
    }
    if (this.#happens(10)) {
      done.givenBack += 1;
      await this.#abandon(item);
      this.#inFlight.delete(item.token);
      this.#stale.push(item);
      return;
    }
    const copies = this.#random.between(1, 5);
    done.repeated += copies - 1;
    const answers = Array.from({ length: copies }, (_, copy) => this.#answer(item, `copy ${copy}`));
    await Promise.all(answers);
    this.#inFlight.delete(item.token);
    this.#stale.push(item);
  }

  /** From any connection. A result says which of the copies it is. */
  async #answer(item: Item, copy: string): Promise<void> {
    done.answers += 1;
    const client = this.#client();
    const completionToken = item.token;
    if (item.kind === "turn") {
      const { instanceId } = item.request;
      await client.completeOrchestratorTask({
        instanceId,
        completionToken,
        actions: actionsOf(item, copy),
      });
      return;
    }
    const { orchestrationInstance, taskId } = item.request;
    const instanceId = orchestrationInstance?.instanceId ?? "";
    const result = `${instanceId}/${taskId} ${copy}`;
    await client.completeActivityTask({ instanceId, taskId, completionToken, result });
  }

  async #abandon({ kind, token: completionToken }: Item): Promise<void> {
    const client = this.#client();
    if (kind === "turn") await client.abandonTaskOrchestratorWorkItem({ completionToken });
    else await client.abandonTaskActivityWorkItem({ completionToken });
  }

  #client() {
    const client = this.#pick(this.#life.clients);
    if (client === undefined) throw new Error("there are workers");
    return client;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random.between(0, from.length - 1)];
  }

  #happens(percent: number): boolean {
    return this.#random.between(1, 100) <= percent;
  }
}

/** All activities at once, and the end when all have answered. */
function actionsOf({ request }: TurnItem, copy: string) {
  const events = [...request.pastEvents, ...request.newEvents];
  if (copy === "STALE" || copy === "FOREIGN") return [completed(copy)];
  if (request.pastEvents.length === 0) return TASKS.map((id) => scheduleTask(id));
  const results = resultsIn(events);
  return results.length < TASKS.length ? [] : [completed(JSON.stringify(results.toSorted()))];
}

function resultsIn(events: readonly HistoryEvent[]): string[] {
  return events.flatMap(({ eventType }) =>
    eventType.case === "taskCompleted" ? [eventType.value.result ?? ""] : [],
  );
}

async function checkInstance(client: Client<typeof TaskHubSidecarService>, instanceId: string) {
  const request = { instanceId, getInputsAndOutputs: true };
  const { orchestrationState } = await client.getInstance(request);
  const events: HistoryEvent[] = [];
  for await (const chunk of client.streamInstanceHistory({ instanceId })) {
    events.push(...chunk.events);
  }
  const kinds = (kind: string) => events.filter(({ eventType }) => eventType.case === kind);
  expect(kinds("executionStarted")).toHaveLength(1);
  expect(kinds("executionCompleted")).toHaveLength(1);
  expect(kinds("taskScheduled").map(({ eventId }) => eventId)).toEqual([...TASKS]);
  const results = resultsIn(events).toSorted();
  expect(results).toEqual(
    TASKS.map((id) => expect.stringMatching(new RegExp(`^${instanceId}/${id} copy \\d$`))),
  );
  expect(orchestrationState?.output).toBe(JSON.stringify(results));
}

it("every piece of work has exactly one effect, however it is answered", async () => {
  const dup = rig("T-DUP");
  const random = new Random(dup.seed);
  const instances = dup.count(60, 2_000);
  const restarts = dup.count(3, 40);
  await using directory = await temporaryDirectory();
  const stale: Item[] = [];
  const ids = Array.from({ length: instances }, (_, at) => `dup-${at}`);
  for (let round = 0; round <= restarts; round += 1) {
    const isLast = round === restarts;
    await using life = await Life.begin(directory.path);
    const [client] = life.clients;
    if (client === undefined) throw new Error("there are workers");
    if (round === 0) {
      await Promise.all(
        ids.map((instanceId) => client.startInstance({ instanceId, name: "Main" })),
      );
    } else done.restarts += 1;
    const ended = Promise.all(
      ids.map((instanceId) => client.waitForInstanceCompletion({ instanceId })),
    );
    ended.catch(() => {});
    // Five items for each instance: its turns and its activities.
    const answers = isLast ? Number.POSITIVE_INFINITY : Math.ceil((instances * 5) / (restarts + 1));
    await new Storm(random, life, stale, answers).run(ended);
    if (!isLast) continue;
    // Once more all that was ever handed out: nothing is with anybody any more.
    await new Storm(random, life, stale, 0).repeatAll();
    for (const instanceId of ids) await checkInstance(client, instanceId);
  }
  dup.report({ instances, ...done });
});
