/** Does jobs one after the other through a client of the SDK, and keeps the ledger. */
import {
  EntityInstanceId,
  type OrchestrationState,
  OrchestrationStatus,
  type TaskHubGrpcClient,
  terminateOptions,
} from "@microsoft/durabletask-js";
import { expect } from "vitest";
import { completed, present } from "../../support/javascript-sdk-suite.ts";
import {
  type Collection,
  drawJob,
  type Job,
  markOf,
  type Tally,
  type Termination,
  tallyOf,
} from "./jobs.ts";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Victim } from "./victim.ts";
import { type Item, mend } from "./workload.ts";

const ALREADY_EXISTS = 6;
const UNAVAILABLE = 14;

export const terminationOutput = "terminated by its driver";

/** SDKs come back later each time: ends the wait for something that will never happen. */
const KILLED_SECONDS = 150;

export interface DriverOptions {
  readonly name: string;
  readonly client: TaskHubGrpcClient;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly victim: Victim;
  /** Its workers are those of workload.ts: they know entities, and fail until they are mended. */
  readonly workersAreOurs?: boolean;
}

export class Driver {
  readonly #name: string;
  readonly #client: TaskHubGrpcClient;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #victim: Victim;
  readonly #workersAreOurs: boolean;

  constructor({ name, client, ledger, random, victim, workersAreOurs = false }: DriverOptions) {
    this.#name = name;
    this.#client = client;
    this.#ledger = ledger;
    this.#random = random;
    this.#victim = victim;
    this.#workersAreOurs = workersAreOurs;
  }

  /** Does jobs until the signal is aborted, and finishes the last one. */
  async run(signal: AbortSignal): Promise<void> {
    for (let number = 0; !signal.aborted; number += 1) {
      await this.#do(drawJob(this.#random, `${this.#name}-${number}`, this.#workersAreOurs));
    }
  }

  async #do(job: Job): Promise<void> {
    const { instanceId } = job;
    if (job.kind === "tally") await this.#signalAll(job);
    await this.#start(job);
    if (job.kind === "collection") await this.#raiseAll(job);
    if (job.kind === "termination") await this.#terminate(job);
    if (job.kind === "repair") await this.#repair(instanceId);
    const state = await this.#completed(instanceId);
    this.#ledger.write({ kind: "ended", instanceId, state });
    if (job.kind === "disposal") await this.#purge(instanceId);
  }

  async #start(job: Job): Promise<void> {
    const { instanceId, orchestrator, input, startsInMs } = job;
    const startAt = startsInMs === 0 ? {} : { startAt: new Date(Date.now() + startsInMs) };
    for (;;) {
      try {
        await this.#client.scheduleNewOrchestration(orchestrator, input, {
          instanceId,
          ...startAt,
        });
        break;
      } catch (error) {
        if (codeOf(error) === ALREADY_EXISTS) break;
        if (codeOf(error) !== UNAVAILABLE) throw error;
      }
      // Whoever starts a completed instance again gets a new one, so look before repeating.
      const state = await untilAnswered(() => this.#client.getOrchestrationState(instanceId));
      if (state !== undefined) break;
    }
    this.#ledger.write({ kind: "started", job });
  }

  async #raiseAll({ instanceId, events, suspendedAt }: Collection): Promise<void> {
    for (let event = 0; event < events; event += 1) {
      if (event === suspendedAt) await this.#suspend(instanceId);
      await this.#raise(instanceId, event, event === events - 1);
      if (event === suspendedAt) await this.#resume(instanceId);
    }
  }

  /** Each attempt is an event of its own: one whose answer was lost may have been taken or not. */
  async #raise(instanceId: string, event: number, last: boolean): Promise<void> {
    let attempt = 0;
    const mark = await untilAnswered(async () => {
      const item: Item = { mark: markOf(event, attempt), last };
      attempt += 1;
      await this.#client.raiseOrchestrationEvent(instanceId, "item", item);
      return item.mark;
    });
    this.#ledger.write({ kind: "raised", instanceId, mark });
  }

  /** As with events, each attempt is a signal of its own. */
  async #signalAll(job: Tally): Promise<void> {
    const { instanceId, signals } = job;
    const entity = EntityInstanceId.fromString(tallyOf(job));
    for (let signal = 0; signal < signals; signal += 1) {
      let attempt = 0;
      const mark = await untilAnswered(async () => {
        const tried = markOf(signal, attempt);
        attempt += 1;
        await this.#client.signalEntity(entity, "add", tried);
        return tried;
      });
      this.#ledger.write({ kind: "raised", instanceId, mark });
    }
  }

  async #suspend(instanceId: string): Promise<void> {
    await untilAnswered(() => this.#client.suspendOrchestration(instanceId));
    this.#ledger.write({ kind: "suspended", instanceId });
    await this.#victim.restarted();
    await this.#expectStatus(instanceId, OrchestrationStatus.SUSPENDED);
  }

  async #resume(instanceId: string): Promise<void> {
    await this.#expectStatus(instanceId, OrchestrationStatus.SUSPENDED);
    await untilAnswered(() => this.#client.resumeOrchestration(instanceId));
    this.#ledger.write({ kind: "resumed", instanceId });
  }

  async #repair(instanceId: string): Promise<void> {
    const { runtimeStatus } = await this.#completed(instanceId);
    expect({ instanceId, runtimeStatus }).toEqual({
      instanceId,
      runtimeStatus: OrchestrationStatus.FAILED,
    });
    mend(instanceId);
    await this.#rewind(instanceId);
    this.#ledger.write({ kind: "rewound", instanceId });
    await this.#victim.restarted();
  }

  async #rewind(instanceId: string): Promise<void> {
    for (;;) {
      try {
        return await this.#client.rewindInstance(instanceId, "mended");
      } catch (error) {
        if (codeOf(error) !== UNAVAILABLE) throw error;
      }
      // An instance that was rewound is refused, so look before repeating.
      const state = await untilAnswered(() => this.#client.getOrchestrationState(instanceId));
      if (present(state).runtimeStatus !== OrchestrationStatus.FAILED) return;
    }
  }

  async #purge(instanceId: string): Promise<void> {
    await untilAnswered(() => this.#client.purgeOrchestration(instanceId, { recursive: true }));
    this.#ledger.write({ kind: "purged", instanceId });
    await this.#victim.restarted();
    const state = await untilAnswered(() => this.#client.getOrchestrationState(instanceId));
    expect({ instanceId, state }).toEqual({ instanceId, state: undefined });
  }

  async #terminate({ instanceId, childId }: Termination): Promise<void> {
    await untilAnswered(() => this.#client.waitForOrchestrationStart(childId));
    const options = terminateOptions({ output: terminationOutput, recursive: true });
    await untilAnswered(() => this.#client.terminateOrchestration(instanceId, options));
    this.#ledger.write({ kind: "terminated", instanceId });
    await this.#victim.restarted();
    await this.#expectStatus(instanceId, OrchestrationStatus.TERMINATED);
    await this.#completed(childId);
  }

  #completed(instanceId: string): Promise<OrchestrationState> {
    return untilAnswered(() => completed(this.#client, instanceId, KILLED_SECONDS));
  }

  async #expectStatus(instanceId: string, status: OrchestrationStatus): Promise<void> {
    const state = await untilAnswered(() => this.#client.getOrchestrationState(instanceId));
    expect({ instanceId, status: present(state).runtimeStatus }).toEqual({ instanceId, status });
  }
}

/** Repeats a call as long as its answer is lost because the sidecar was killed. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (codeOf(error) !== UNAVAILABLE) throw error;
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
