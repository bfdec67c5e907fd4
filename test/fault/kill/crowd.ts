/** Clients with their drivers, and workers, that keep a sidecar busy while it is killed. */
import type { TaskHubGrpcClient, TaskHubGrpcWorker } from "@microsoft/durabletask-js";
import { newClient, newWorker } from "../../support/javascript-sdk.ts";
import { Driver } from "./driver.ts";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Victim } from "./victim.ts";
import { register } from "./workload.ts";

const CLIENTS = 4;
const DRIVERS_OF_A_CLIENT = 5;
const WORKERS = 2;

export interface CrowdOptions {
  readonly victim: Victim;
  readonly ledger: Ledger;
  readonly random: Random;
}

export class Crowd {
  readonly #victim: Victim;
  readonly #clients: readonly TaskHubGrpcClient[];
  readonly #workers: readonly TaskHubGrpcWorker[];
  readonly #end = new AbortController();
  readonly #driving: Promise<unknown>;

  static async start(options: CrowdOptions): Promise<Crowd> {
    const { port } = options.victim;
    const workers = Array.from({ length: WORKERS }, () => newWorker({ port }));
    for (const worker of workers) {
      register(worker);
      await worker.start();
    }
    return new Crowd(options, workers);
  }

  private constructor(
    { victim, ledger, random }: CrowdOptions,
    workers: readonly TaskHubGrpcWorker[],
  ) {
    this.#victim = victim;
    this.#workers = workers;
    this.#clients = Array.from({ length: CLIENTS }, () => newClient({ port: victim.port }));
    const drivers = this.#clients.flatMap((client, i) =>
      Array.from({ length: DRIVERS_OF_A_CLIENT }, (_, j) => {
        const part = i * DRIVERS_OF_A_CLIENT + j;
        const name = `driver${part}`;
        return new Driver({
          name,
          client,
          ledger,
          random: random.fork(part),
          victim,
          workersAreOurs: true,
        });
      }),
    );
    this.#driving = Promise.all(drivers.map((driver) => driver.run(this.#end.signal)));
  }

  /** Everybody finishes what was begun once this has; whichever fails first is what went wrong. */
  async during(harm: Promise<void>): Promise<void> {
    await Promise.race([harm, this.#driving]);
    this.#end.abort();
    this.#victim.spare();
    await this.#driving;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients, ...this.#workers].map((it) => it.stop()));
  }
}
