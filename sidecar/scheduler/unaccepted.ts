/**
 * Work that waits and that no connected worker accepts: the commonest mistake of users is a name
 * that nobody has registered. It is said in the log when it lasts, and again when it is over.
 */
import type { Alarm, SteadyClock } from "../foundation/clock.ts";
import type { Log } from "../foundation/log.ts";
import type { ReadyName } from "./ready-queue.ts";
import type { ScannedHub } from "./scanned-hub.ts";

/** Names of one hub with figures of their own; the rest is counted together. */
const namesMax = 100;
const OTHER = "other";

const lookEveryMs = 10_000;
/** A worker that connects again is not worth a line. */
const patienceMs = 10_000;
const repeatEveryMs = 600_000;
/** Lines of one look. */
const linesMax = 20;

/** Work of one name that nobody accepts. */
export interface Unaccepted {
  readonly taskHub: string;
  readonly kind: ReadyName["kind"];
  readonly name: string;
  readonly items: number;
  /** How long that has been so without a break. */
  readonly seconds: number;
}

interface Waiting {
  readonly taskHub: string;
  readonly kind: ReadyName["kind"];
  readonly name: string;
  readonly sinceMs: number;
  items: number;
  /** When it was said; undefined: not yet. */
  saidAtMs: number | undefined;
}

export interface UnacceptedOptions {
  readonly clock: SteadyClock;
  readonly log: Log;
  readonly hubs: () => Iterable<Pick<ScannedHub, "name" | "readyNames" | "streams">>;
}

export class UnacceptedWork {
  readonly #options: UnacceptedOptions;
  #waiting = new Map<string, Waiting>();
  #alarm: Alarm | undefined;
  #closed = false;

  constructor(options: UnacceptedOptions) {
    this.#options = options;
  }

  /** Looks every 10 seconds from now on. */
  start(): void {
    if (this.#closed) return;
    this.#alarm = this.#options.clock.after(lookEveryMs, () => {
      this.look();
      this.start();
    });
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }

  /** As of the last look. At most 303 for each hub. */
  figures(): readonly Unaccepted[] {
    const nowMs = this.#options.clock.nowMs();
    return Array.from(this.#waiting.values(), ({ taskHub, kind, name, items, sinceMs }) => ({
      taskHub,
      kind,
      name,
      items,
      seconds: Math.max(0, nowMs - sinceMs) / 1_000,
    }));
  }

  /** One look. Costs the number of names that wait, times the number of streams. */
  look(): void {
    const before = this.#waiting;
    this.#waiting = new Map();
    for (const hub of this.#options.hubs()) this.#lookAt(hub, before);
    let lines = 0;
    for (const waiting of this.#waiting.values()) {
      if (lines >= linesMax) break;
      if (this.#say(waiting)) lines += 1;
    }
    for (const [key, { saidAtMs, taskHub, kind, name }] of before) {
      if (saidAtMs === undefined || this.#waiting.has(key)) continue;
      this.#options.log.info("work.accepted_again", { taskHub, kind, name });
    }
  }

  #lookAt(
    hub: Pick<ScannedHub, "name" | "readyNames" | "streams">,
    before: ReadonlyMap<string, Waiting>,
  ): void {
    const streams = hub.streams();
    const names = {
      turn: new Set<string>(),
      activity: new Set<string>(),
      batch: new Set<string>(),
    };
    for (const ready of hub.readyNames()) {
      if (ready.count === 0 || streams.some((stream) => stream.accepts(ready))) continue;
      const { kind } = ready;
      const isKnown = names[kind].has(ready.name) || names[kind].size < namesMax;
      const name = isKnown ? ready.name : OTHER;
      names[kind].add(name);
      const key = `${kind} ${hub.name.length} ${hub.name} ${name}`;
      const waiting = this.#waiting.get(key);
      if (waiting !== undefined) {
        waiting.items += ready.count;
        continue;
      }
      const { sinceMs = this.#options.clock.nowMs(), saidAtMs } = before.get(key) ?? {};
      const items = ready.count;
      this.#waiting.set(key, { taskHub: hub.name, kind, name, sinceMs, items, saidAtMs });
    }
  }

  #say(waiting: Waiting): boolean {
    const nowMs = this.#options.clock.nowMs();
    const { taskHub, kind, name, items, sinceMs, saidAtMs } = waiting;
    if (nowMs - sinceMs < patienceMs) return false;
    if (saidAtMs !== undefined && nowMs - saidAtMs < repeatEveryMs) return false;
    waiting.saidAtMs = nowMs;
    const seconds = Math.round((nowMs - sinceMs) / 1_000);
    this.#options.log.warn("work.not_accepted", { taskHub, kind, name, items, seconds });
    return true;
  }
}
