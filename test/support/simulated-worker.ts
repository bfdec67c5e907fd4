/**
 * A worker on a network that breaks: it connects, gets items, thinks, answers, answers again, gives
 * back, forgets and dies, as chance has it.
 */
import { create, fromBinary } from "@bufbuild/protobuf";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import {
  type ActivityRequest,
  ActivityResponseSchema,
  EntityBatchResultSchema,
  GetWorkItemsRequestSchema,
  type OrchestratorRequest,
  OrchestratorResponseSchema,
  WorkerCapability,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { type Batch, batchIn, runBatch } from "../simulation/kit/ledger-worker.ts";
import { play } from "../simulation/kit/player.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { completed } from "./worker-actions.ts";
import type { WorkerFaults } from "./worker-faults.ts";
import type { WorkerItemKind, WorkerTraits, WorkerWorld } from "./worker-world.ts";

/** The longest that a worker needs to rewind a history. */
const rewindMs = 20_000;

interface Open {
  readonly connection: string;
  readonly process: SimulatedProcess;
  readonly call: AbortController;
}

export class SimulatedWorker {
  readonly name: string;
  readonly hub: string;
  readonly #world: WorkerWorld;
  traits: WorkerTraits;
  faults: WorkerFaults;
  cuts = 0;
  #open: Open | undefined;
  #connections = 0;
  /** Grows when the worker dies: what it had is forgotten. */
  #lives = 0;
  #isAway = false;

  constructor(
    world: WorkerWorld,
    name: string,
    hub: string,
    given: { traits: WorkerTraits; faults: WorkerFaults },
  ) {
    this.#world = world;
    this.name = name;
    this.hub = hub;
    this.traits = given.traits;
    this.faults = given.faults;
    void this.#live().catch((error: unknown) => world.failed(error));
  }

  /** The stream breaks. With `isNoticed` the connection is seen to be gone at once. */
  cut(isNoticed: boolean): void {
    const open = this.#open;
    if (open === undefined || !open.process.isAlive) return;
    this.#open = undefined;
    this.cuts += 1;
    this.#world.loop.trace(`${this.name} is cut${isNoticed ? "" : ", unnoticed"}`);
    if (isNoticed) open.process.hubs?.connectionClosed(open.connection);
    open.call.abort(new Error("the stream was cut"));
  }

  /** The worker dies and starts again; what it had it never answers. */
  die(isNoticed: boolean): void {
    this.#lives += 1;
    this.cut(isNoticed);
  }

  /** Stays away until it is called back. */
  leave(): void {
    this.#isAway = true;
    this.cut(true);
  }

  comeBack(): void {
    this.#isAway = false;
  }

  async #live(): Promise<void> {
    const { loop, random } = this.#world;
    // Ends with the simulation, which runs no more events.
    for (;;) {
      await loop.sleep(random.below(1_500), `${this.name} connects`);
      const { process } = this.#world;
      if (this.#isAway || process?.hubs === undefined) continue;
      this.#connections += 1;
      const connection = `${this.name}.${this.#connections}`;
      const open: Open = { connection, process, call: new AbortController() };
      this.#open = open;
      await Promise.race([this.#read(open), process.died.promise]);
    }
  }

  async #read({ process, connection, call }: Open): Promise<void> {
    const { turns, activities, entities, filters, streamsHistory } = this.traits;
    try {
      const hub = process.hubs?.get(this.hub);
      if (hub === undefined) return;
      const request = create(GetWorkItemsRequestSchema, {
        maxConcurrentOrchestrationWorkItems: turns,
        maxConcurrentActivityWorkItems: activities,
        maxConcurrentEntityWorkItems: entities,
        capabilities: streamsHistory ? [WorkerCapability.HISTORY_STREAMING] : [],
        ...(filters === undefined ? {} : { workItemFilters: filters }),
      });
      const connectedAt = hub.now();
      const who = { peer: "", userAgent: "", library: "", workerId: this.name, connectedAt };
      const stream = hub.workItems(request, { connection, signal: call.signal, ...who });
      for await (const bytes of stream) {
        if (!process.isAlive) return;
        this.#take(bytes);
        // A reader that is slow: the next item is not claimed for it before it asks.
        if (this.#world.random.chance(10)) {
          await this.#world.loop.sleep(this.#world.random.below(300), "slow reader");
        }
      }
    } catch {
      // The stream was cut, or the process is shutting down.
    }
  }

  #take(bytes: Uint8Array): void {
    const { request, completionToken: token } = fromBinary(WorkItemSchema, bytes);
    const { hub } = this;
    switch (request.case) {
      case "orchestratorRequest": {
        const { instanceId } = request.value;
        const work = { kind: "turn", request: request.value } as const;
        this.#world.handedOut({ hub, instanceId, token, work });
        return this.#run(this.#turn(token, request.value));
      }
      case "activityRequest": {
        const { instanceId = "" } = request.value.orchestrationInstance ?? {};
        const work = { kind: "activity", request: request.value } as const;
        this.#world.handedOut({ hub, instanceId, token, work });
        return this.#run(this.#activity(token, request.value));
      }
      case "entityRequest":
      case "entityRequestV2": {
        const batch = batchIn(request.value);
        const { instanceId } = batch;
        this.#world.handedOut({ hub, instanceId, token, work: { kind: "batch", request: batch } });
        return this.#run(this.#batch(token, batch));
      }
      default:
    }
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#world.failed(error));
  }

  async #turn(token: string, request: OrchestratorRequest): Promise<void> {
    const { instanceId } = request;
    if (request.requiresHistoryStreaming && this.#world.random.chance(10)) {
      const wish = { instanceId, completionToken: token, requiresHistory: true };
      const message = create(OrchestratorResponseSchema, wish);
      await this.#send("turn without history", (hub) => hub.completeTurn(message));
      return;
    }
    const pastEvents = request.requiresHistoryStreaming
      ? await this.#world.pastEvents(this.hub, request)
      : request.pastEvents;
    if (pastEvents === undefined) return;
    const { actions, customStatus } = play({ ...request, pastEvents: [...pastEvents] });
    // Something is to come for the instance while its history is rewound.
    const isRewind = actions[0]?.orchestratorActionType.case === "rewindOrchestration";
    const slowestMs = isRewind ? rewindMs : this.traits.slowestTurnMs;
    if (!(await this.#isToAnswer("turn", token, slowestMs))) return;
    const answer = {
      instanceId,
      completionToken: token,
      ...(customStatus ? { customStatus } : {}),
    };
    if (this.#draw("splits") && actions.length > 1) {
      const first = { ...answer, actions: actions.slice(0, 1), isPartial: true, chunkIndex: 0 };
      await this.#send("part", (hub) =>
        hub.completeTurn(create(OrchestratorResponseSchema, first)),
      );
      const rest = { ...answer, actions: actions.slice(1), chunkIndex: 1 };
      await this.#send("turn", (hub) => hub.completeTurn(create(OrchestratorResponseSchema, rest)));
      return;
    }
    const whole = { ...answer, actions: [...actions] };
    const wasTaken = await this.#send("turn", (hub) =>
      hub.completeTurn(create(OrchestratorResponseSchema, whole)),
    );
    if (wasTaken && this.#draw("repeats")) {
      const other = { ...answer, actions: [completed("POISON")] };
      await this.#send("turn again", (hub) =>
        hub.completeTurn(create(OrchestratorResponseSchema, other)),
      );
    }
  }

  async #activity(token: string, request: ActivityRequest): Promise<void> {
    if (!(await this.#isToAnswer("activity", token, this.traits.slowestActivityMs))) return;
    const { taskId } = request;
    const instanceId = request.orchestrationInstance?.instanceId ?? "";
    const { result, failed } = this.#world.activityResult(this.hub, request);
    const answer = { instanceId, taskId, completionToken: token };
    const failureDetails = { errorType: "Error", errorMessage: failed ?? "" };
    const message = create(ActivityResponseSchema, {
      ...answer,
      ...(result === undefined ? { failureDetails } : { result }),
    });
    const wasTaken = await this.#send("activity", (hub) => hub.completeActivity(message));
    if (wasTaken && this.#draw("repeats")) {
      const other = create(ActivityResponseSchema, { ...answer, result: "POISON" });
      await this.#send("activity again", (hub) => hub.completeActivity(other));
    }
  }

  async #batch(token: string, batch: Batch): Promise<void> {
    if (!(await this.#isToAnswer("batch", token, this.traits.slowestTurnMs))) return;
    const { random } = this.#world;
    const answer = (result: ReturnType<typeof runBatch>) =>
      this.#send("batch", (hub) => hub.completeBatch(result));
    if (this.#draw("fails")) {
      const failureDetails = { errorType: "Error", errorMessage: "no such entity" };
      const failed = { completionToken: token, failureDetails, entityState: "POISON" };
      this.#world.batchFails(batch.operations.map(({ input }) => input.id));
      await answer(create(EntityBatchResultSchema, failed));
      return;
    }
    const total = batch.operations.length;
    const count = this.#draw("stops") ? 1 + random.below(total) : total;
    const wasTaken = await answer(runBatch(batch, token, count));
    if (!wasTaken || !this.#draw("repeats")) return;
    const other = { ...runBatch(batch, token), entityState: "POISON" };
    await answer(create(EntityBatchResultSchema, other));
  }

  /** Thinks. False: nothing comes of it. */
  async #isToAnswer(kind: WorkerItemKind, token: string, slowestMs: number): Promise<boolean> {
    const { loop, random } = this.#world;
    const life = this.#lives;
    const isDawdling = this.#draw("dawdles");
    await loop.sleep(isDawdling ? 200_000 + random.below(300_000) : random.below(slowestMs), kind);
    if (life !== this.#lives || this.#draw("forgets")) return false;
    if (this.#draw("abandons")) {
      await this.#send("abandon", async (hub) => hub.abandon(kind, token));
      return false;
    }
    if (this.#draw("invents")) {
      const made = create(ActivityResponseSchema, {
        instanceId: "nobody",
        completionToken: "f".repeat(32),
        result: "POISON",
      });
      await this.#send("invented", (hub) => hub.completeActivity(made));
    }
    return life === this.#lives;
  }

  /** True when the hub said that it is done. */
  async #send(label: string, ask: (hub: TaskHub) => Promise<void>): Promise<boolean> {
    try {
      await this.#world.call(`${this.name} ${label}`, this.hub, ask);
      return true;
    } catch (error) {
      this.#world.failed(error);
      return false;
    }
  }

  #draw(fault: keyof WorkerFaults): boolean {
    return this.#world.random.chance(this.faults[fault]);
  }
}
