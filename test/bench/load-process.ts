/** Child processes of the benchmark: one answer to each command. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

interface Answer<Reply> {
  readonly reply?: Reply;
  readonly error?: string;
}

/** A child process that answers commands. */
export class LoadProcess<Command extends object, Reply> implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(script: URL) {
    this.#child = fork(script, { serialization: "advanced" });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the process did not start");
    return pid;
  }

  /** @throws Error what the child threw, or that it ended */
  async ask(command: Command): Promise<Reply> {
    const over = new AbortController();
    const { signal } = over;
    try {
      const exited = once(this.#child, "exit", { signal }).then(() => {
        throw new Error(`a load process ended while it was asked to ${JSON.stringify(command)}`);
      });
      exited.catch(() => {});
      const answered = once(this.#child, "message", { signal }) as Promise<[Answer<Reply>]>;
      this.#child.send(command);
      const [{ reply, error }] = await Promise.race([answered, exited]);
      if (reply === undefined) throw new Error(error ?? "the process gave no answer");
      return reply;
    } finally {
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

/** The child's side: answers the commands of its parent, and ends with it. */
export function answerCommands<Command, Reply>(
  answer: (command: Command) => Promise<Reply> | Reply,
): void {
  process.on("message", (command) => {
    const answered = async (): Promise<Answer<Reply>> => {
      try {
        return { reply: await answer(command as Command) };
      } catch (error) {
        return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
      }
    };
    void answered().then((message) => process.send?.(message));
  });
  process.on("disconnect", () => process.exit());
}
