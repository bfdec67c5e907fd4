/** The sidecar that is killed and started again on the same directory and the same port. */
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.ts";

export class Victim implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  #sidecar: SidecarProcess;
  #next = Promise.withResolvers<void>();
  #killing: Promise<void> | undefined;
  #disposed = false;
  readonly #complaints: unknown[] = [];

  private constructor(directory: string, sidecar: SidecarProcess) {
    this.#directory = directory;
    this.#sidecar = sidecar;
    this.port = sidecar.port;
  }

  static async start(directory: string): Promise<Victim> {
    return new Victim(directory, await startSidecar({ dataDirectory: directory }));
  }

  /** SIGKILL, and a new process. Resolves when it accepts calls; it may still be recovering. */
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
    const { address } = this.#sidecar;
    await this.#sidecar.kill("SIGKILL");
    this.#collect();
    this.#sidecar = await startSidecar({ dataDirectory: this.#directory, listen: [address] });
    const restarted = this.#next;
    this.#next = Promise.withResolvers();
    restarted.resolve();
  }

  #collect(): void {
    const lines = this.#sidecar.logs().filter(({ level }) => level !== "info" && level !== "debug");
    this.#complaints.push(...lines);
  }
}
