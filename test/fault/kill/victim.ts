/** The sidecar that is killed and started again on the same port. */
import {
  SidecarEnded,
  type SidecarOptions,
  type SidecarProcess,
  startSidecar,
} from "../../support/sidecar-process.ts";

/**
 * How the next life is started; asked before each start, once the process before is dead. When that
 * was a start which did not succeed, how it ended: whoever did not expect that throws it again.
 */
export type NextLife = (failed: SidecarEnded | undefined) => Promise<SidecarOptions>;

export class Victim implements AsyncDisposable {
  readonly port: number;
  readonly #nextLife: NextLife;
  readonly #address: string;
  #sidecar: SidecarProcess;
  #next = Promise.withResolvers<void>();
  #killing: Promise<void> | undefined;
  #disposed = false;
  readonly #complaints: unknown[] = [];

  private constructor(nextLife: NextLife, sidecar: SidecarProcess) {
    this.#nextLife = nextLife;
    this.#sidecar = sidecar;
    this.#address = sidecar.address;
    this.port = sidecar.port;
  }

  static async start(nextLife: NextLife): Promise<Victim> {
    return new Victim(nextLife, await startSidecar(await nextLife(undefined)));
  }

  /** When the process ends that runs now, whoever ends it. */
  get died(): Promise<unknown> {
    return this.#sidecar.exited;
  }

  /**
   * SIGKILL, unless it is dead already, and a new process. Resolves when it accepts calls; it may
   * still be recovering.
   */
  kill(): Promise<void> {
    if (this.#disposed) throw new Error("there is nothing left to kill");
    this.#killing = this.#restart();
    return this.#killing;
  }

  /** Resolves when it was killed and started once more, or when no kill comes any more. */
  restarted(): Promise<void> {
    return this.#next.promise;
  }

  /** From now on nobody waits for a kill. */
  spare(): void {
    this.#next.resolve();
  }

  /** Stops it in order. @returns how it ended, and whatever was not routine in all logs */
  async stop(): Promise<{ end: unknown; complaints: readonly unknown[] }> {
    const end = await this.#sidecar.stop();
    this.#collect();
    return { end, complaints: this.#complaints };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#killing?.catch(() => {});
    await this.#sidecar[Symbol.asyncDispose]();
  }

  async #restart(): Promise<void> {
    await this.#sidecar.kill("SIGKILL");
    this.#collect();
    this.#sidecar = await this.#rise();
    const restarted = this.#next;
    this.#next = Promise.withResolvers();
    restarted.resolve();
  }

  async #rise(): Promise<SidecarProcess> {
    let failed: SidecarEnded | undefined;
    for (;;) {
      const options = await this.#nextLife(failed);
      try {
        return await startSidecar({ ...options, listen: [this.#address] });
      } catch (error) {
        if (!(error instanceof SidecarEnded)) throw error;
        failed = error;
      }
    }
  }

  #collect(): void {
    const lines = this.#sidecar.complaints();
    this.#complaints.push(...lines);
  }
}
