/** How the process ends: as asked by a signal, by force, or because something failed. */
import { systemSteadyClock } from "../foundation/clock.ts";
import type { Log } from "../foundation/log.ts";
import type { App } from "./app.ts";
import { EXIT, ExitError, exitFor } from "./exit-codes.ts";

/** Kubernetes, and most others, kill what has not ended so long after it was asked to. */
const forceAfterMs = 30_000;

/**
 * Serves until SIGTERM or SIGINT, then drains. A signal that comes while the app is starting is
 * obeyed once it has started.
 *
 * @throws what `starting` or `App.failed` says; ExitError 1 at a second signal, or when draining
 * takes too long. Nothing is closed then: the process must end at once.
 */
export async function untilStopped(starting: Promise<App>, log: Log): Promise<void> {
  using signals = new StopSignals();
  const forced = signals.second.then((signal) => {
    throw new ExitError(EXIT.failure, `forced to stop by a second signal (${signal})`);
  });
  const app = await Promise.race([starting, forced]);
  const failed = app.failed.then((error) => {
    throw error;
  });
  const signal = await Promise.race([signals.first, failed]);
  log.info("sidecar.stopping", { signal });
  using overdue = new Overdue();
  await Promise.race([app.drain(), forced, failed, overdue.promise]);
  log.info("sidecar.stopped");
}

/**
 * Ends the process at once at any error that nobody caught, with one log line: no state can be
 * relied on then.
 *
 * @param err gets one line for people
 */
export function exitOnCrash(log: Log, err: (text: string) => void): void {
  const crash = (error: unknown): void => {
    const { code, line } = exitFor(error);
    try {
      log.error("sidecar.crashed", { error });
      err(`taskhub: ${line}\n`);
    } finally {
      process.exit(code);
    }
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
}

/**
 * The first and the second signal that ask the process to stop. Default actions do not apply
 * meanwhile.
 */
class StopSignals implements Disposable {
  readonly first: Promise<NodeJS.Signals>;
  readonly second: Promise<NodeJS.Signals>;
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor() {
    const first = Promise.withResolvers<NodeJS.Signals>();
    const second = Promise.withResolvers<NodeJS.Signals>();
    let count = 0;
    this.#listener = (signal) => {
      count += 1;
      (count === 1 ? first : second).resolve(signal);
    };
    this.first = first.promise;
    this.second = second.promise;
    for (const signal of stopSignals) process.on(signal, this.#listener);
  }

  [Symbol.dispose](): void {
    for (const signal of stopSignals) process.off(signal, this.#listener);
  }
}

const stopSignals = ["SIGTERM", "SIGINT"] as const;

/** Rejects when draining takes too long. */
class Overdue implements Disposable {
  readonly promise: Promise<never>;
  readonly #cancel: () => void;

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    const alarm = systemSteadyClock.after(forceAfterMs, () => {
      const line = `forced to stop: still not closed after ${forceAfterMs / 1_000} seconds`;
      reject(new ExitError(EXIT.failure, line));
    });
    this.promise = promise;
    this.#cancel = () => alarm.cancel();
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
