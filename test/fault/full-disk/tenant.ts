/** A sidecar on a small disk, a client and a worker, and a ledger of what was acknowledged. */
import { setTimeout } from "node:timers/promises";
import {
  type OrchestrationContext,
  OrchestrationStatus,
  type TaskHubGrpcClient,
  type TaskHubGrpcWorker,
} from "@microsoft/durabletask-js";
import { expect } from "vitest";
import { newClient, newWorker, type Steps } from "../../support/javascript-sdk.ts";
import { completed } from "../../support/javascript-sdk-suite.ts";
import {
  type SidecarOptions,
  type SidecarProcess,
  startSidecar,
} from "../../support/sidecar-process.ts";

const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;

/** How often somebody asks who does not wait for the answer. */
const PACE_MS = 5;

/** How a call that asks for more work was answered. */
type Answer = "accepted" | "refused" | "lost";

export class Tenant implements AsyncDisposable {
  readonly #options: SidecarOptions;
  readonly #workers: TaskHubGrpcWorker[] = [];
  readonly #gate = Promise.withResolvers<void>();
  #sidecar: SidecarProcess;
  #client: TaskHubGrpcClient;
  #nextId = 0;
  /** Started, and neither seen as completed nor purged. */
  readonly #started = new Set<string>();
  readonly #ended = new Map<string, unknown>();
  readonly #purged = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();

  private constructor(options: SidecarOptions, sidecar: SidecarProcess) {
    this.#options = options;
    this.#sidecar = sidecar;
    this.#client = newClient({ port: sidecar.port });
  }

  static async start(options: SidecarOptions): Promise<Tenant> {
    const tenant = new Tenant(options, await startSidecar(options));
    await tenant.#work();
    return tenant;
  }

  /** Everything of which the ledger says something. */
  get acknowledged(): number {
    return this.#started.size + this.#ended.size + this.#purged.size;
  }

  /** How the process ends that runs now. */
  get died(): Promise<unknown> {
    return this.#sidecar.exited;
  }

  /** Starts so many, of which all must be accepted. @returns their ids */
  async startAll(name: string, count: number, inputBytes = 10): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, () => this.#newId(name));
    for (const id of ids) expect(await this.#start(name, id, inputBytes)).toBe("accepted");
    return ids;
  }

  /** Starts one after the other until one is answered so. @returns how many were accepted */
  async startUntil(answer: Answer, inputBytes: number): Promise<number> {
    let accepted = 0;
    for (;;) {
      const given = await this.#start("waiting", this.#newId("waiting"), inputBytes);
      if (given === "accepted") accepted += 1;
      if (given === answer) return accepted;
    }
  }

  /**
   * Starts without waiting for answers until one is refused, or the process ends: those that are
   * under way when a disk is full are answered when it is not any more.
   */
  async startUntilRefusedOrDead(inputBytes: number): Promise<void> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    void this.#sidecar.exited.then(over);
    while (!isOver) {
      const start = this.#start("waiting", this.#newId("waiting"), inputBytes);
      const refused = start.then((answer) => answer === "refused" && over());
      this.#underWay.add(refused);
      void refused.finally(() => this.#underWay.delete(refused));
      await setTimeout(PACE_MS);
    }
  }

  /** All that is under way is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async raise(instanceId: string): Promise<Answer> {
    return answerOf(this.#client.raiseOrchestrationEvent(instanceId, "item", 1));
  }

  /** What activities wait for. */
  openGate(): void {
    this.#gate.resolve();
  }

  async complete(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const state = await completed(this.#client, id);
      expect(state.runtimeStatus).toBe(OrchestrationStatus.COMPLETED);
      this.#started.delete(id);
      this.#ended.set(id, state);
    }
  }

  async terminate(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#client.terminateOrchestration(id, "over");
      const state = await completed(this.#client, id);
      expect(state.runtimeStatus).toBe(OrchestrationStatus.TERMINATED);
      this.#started.delete(id);
      this.#ended.set(id, state);
    }
  }

  async purge(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#client.purgeOrchestration(id);
      this.#ended.delete(id);
      this.#purged.add(id);
    }
  }

  /** All that was ever accepted runs to its end. */
  async endAll(): Promise<void> {
    for (const id of this.#started) await this.#client.raiseOrchestrationEvent(id, "item", 1);
    await this.complete([...this.#started]);
  }

  /** SIGKILL, unless it is dead already. @returns how it ended */
  kill(): Promise<unknown> {
    return this.#sidecar.kill();
  }

  /** @throws SidecarEnded when it does not serve */
  async startAgain(): Promise<void> {
    this.#sidecar = await startSidecar(this.#options);
    await this.#client.stop();
    this.#client = newClient({ port: this.#sidecar.port });
    await this.#work();
  }

  /** @throws when something is not as it was acknowledged */
  async expectAll(): Promise<void> {
    const stateOf = (id: string) => this.#client.getOrchestrationState(id);
    const lost: string[] = [];
    for (const id of this.#started) if ((await stateOf(id)) === undefined) lost.push(id);
    expect(lost).toEqual([]);
    for (const [id, state] of this.#ended) expect(await stateOf(id)).toEqual(state);
    for (const id of this.#purged) expect(await stateOf(id)).toBe(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate.resolve();
    await this.#sidecar.kill();
    await Promise.all([this.#client, ...this.#workers].map((it) => it.stop()));
  }

  async #work(): Promise<void> {
    const worker = newWorker({ port: this.#sidecar.port });
    worker.addNamedActivity("gate", () => this.#gate.promise.then(() => "open"));
    worker.addNamedOrchestrator("gated", gated);
    worker.addNamedOrchestrator("waiting", waiting);
    worker.addNamedOrchestrator("short", short);
    await worker.start();
    this.#workers.push(worker);
  }

  #newId(name: string): string {
    this.#nextId += 1;
    return `${name}-${this.#nextId}`;
  }

  async #start(name: string, instanceId: string, inputBytes: number): Promise<Answer> {
    const input = randomText(inputBytes);
    const answer = await answerOf(
      this.#client.scheduleNewOrchestration(name, input, { instanceId }),
    );
    if (answer === "accepted") this.#started.add(instanceId);
    return answer;
  }
}

async function answerOf(call: Promise<unknown>): Promise<Answer> {
  try {
    await call;
    return "accepted";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === RESOURCE_EXHAUSTED) return "refused";
    if (code === UNAVAILABLE) return "lost";
    throw error;
  }
}

/** LevelDB compresses, so the same letter again and again would fill nothing. */
function randomText(bytes: number): string {
  const part = () => Math.random().toString(36).slice(2);
  let text = "";
  while (text.length < bytes) text += part();
  return text.slice(0, bytes);
}

async function* gated(context: OrchestrationContext): Steps<string> {
  const answer: string = yield context.callActivity("gate");
  return answer;
}

async function* waiting(context: OrchestrationContext): Steps<string> {
  yield context.waitForExternalEvent("item");
  return "done";
}

// biome-ignore lint/correctness/useYield: it ends with its first turn
async function* short(): Steps<string> {
  return "done";
}
