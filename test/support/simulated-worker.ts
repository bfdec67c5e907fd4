/**
 * A worker on a network that breaks: it connects, gets items, thinks, answers, answers again, gives
 * back, forgets and dies, as chance has it.
 */
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { TaskHub } from "../../sidecar/scheduler/task-hub.ts";
import {
  type ActivityRequest,
  ActivityResponseSchema,
  EntityBatchResultSchema,
  type EntityRequest,
  GetWorkItemsRequestSchema,
  type OrchestratorRequest,
  OrchestratorResponseSchema,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { Random } from "../model/kit/random.ts";
import { idsIn, runBatch } from "../simulation/kit/ledger-worker.ts";
import { play } from "../simulation/kit/player.ts";
import type { SimulatedLoop } from "./simulated-loop.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { completed } from "./worker-actions.ts";
import type { WorkerFaults } from "./worker-faults.ts";

export interface WorkerTraits {
  readonly turns: number;
  readonly activities: number;
  readonly entities: number;
  readonly slowestTurnMs: number;
  readonly slowestActivityMs: number;
  readonly filters: MessageInitShape<typeof GetWorkItemsRequestSchema>["workItemFilters"];
}

/** An item that left the hub. */
export interface HandedOut {
  readonly kind: "turn" | "activity" | "batch";
  readonly hub: string;
  readonly instanceId: string;
  readonly name: string;
  readonly token: string;
  readonly work?: ActivityRequest | EntityRequest;
}

/** What a worker needs of the world that it runs in. */
export interface WorkerWorld {
  readonly loop: SimulatedLoop;
  readonly random: Random;
  readonly process: SimulatedProcess | undefined;
  /** Asks something of a hub; throws when the answer does not come back. */
  call<T>(label: string, hub: string, ask: (hub: TaskHub) => Promise<T>): Promise<T>;
  handedOut(item: HandedOut): void;
  activityResult(hub: string, request: ActivityRequest): { result?: string; failed?: string };
  /** Operations are answered with a failure of their batch. */
  batchFails(ids: readonly string[]): void;
  /** Ends the run unless it is a call that got no answer. */
  failed(error: unknown): void;
}

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
    const { turns, activities, entities, filters } = this.traits;
    try {
      const hub = process.hubs?.get(this.hub);
      if (hub === undefined) return;
      const request = create(GetWorkItemsRequestSchema, {
        maxConcurrentOrchestrationWorkItems: turns,
        maxConcurrentActivityWorkItems: activities,
        maxConcurrentEntityWorkItems: entities,
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
    if (request.case === "orchestratorRequest") {
      const { instanceId } = request.value;
      const name = nameIn(request.value);
      this.#world.handedOut({ kind: "turn", hub, instanceId, name, token });
      this.#run(this.#turn(token, request.value));
    }
    if (request.case === "activityRequest") {
      const { orchestrationInstance, name } = request.value;
      const instanceId = orchestrationInstance?.instanceId ?? "";
      const work = request.value;
      this.#world.handedOut({ kind: "activity", hub, instanceId, name, token, work });
      this.#run(this.#activity(token, request.value));
    }
    if (request.case === "entityRequestV2") {
      const work = request.value;
      const { instanceId } = work;
      this.#world.handedOut({ kind: "batch", hub, instanceId, name: "ledger", token, work });
      this.#run(this.#batch(token, work));
    }
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#world.failed(error));
  }

  async #turn(token: string, request: OrchestratorRequest): Promise<void> {
    const { instanceId } = request;
    const { actions, customStatus } = play(request);
    if (!(await this.#isToAnswer("turn", token, this.traits.slowestTurnMs))) return;
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

  async #batch(token: string, request: EntityRequest): Promise<void> {
    if (!(await this.#isToAnswer("batch", token, this.traits.slowestTurnMs))) return;
    const { random } = this.#world;
    const answer = (result: ReturnType<typeof runBatch>) =>
      this.#send("batch", (hub) => hub.completeBatch(result));
    if (this.#draw("fails")) {
      const failureDetails = { errorType: "Error", errorMessage: "no such entity" };
      const failed = { completionToken: token, failureDetails, entityState: "POISON" };
      this.#world.batchFails(idsIn(request));
      await answer(create(EntityBatchResultSchema, failed));
      return;
    }
    const total = request.operationRequests.length;
    const count = this.#draw("stops") ? 1 + random.below(total) : total;
    const wasTaken = await answer(runBatch(request, token, count));
    if (!wasTaken || !this.#draw("repeats")) return;
    const other = { ...runBatch(request, token), entityState: "POISON" };
    await answer(create(EntityBatchResultSchema, other));
  }

  /** Thinks. False: nothing comes of it. */
  async #isToAnswer(kind: HandedOut["kind"], token: string, slowestMs: number): Promise<boolean> {
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

function nameIn({ pastEvents, newEvents }: OrchestratorRequest): string {
  for (const { eventType } of [...pastEvents, ...newEvents]) {
    if (eventType.case === "executionStarted") return eventType.value.name;
  }
  return "";
}
