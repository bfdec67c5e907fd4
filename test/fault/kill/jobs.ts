/** What a driver does with one orchestration, drawn at random. */

import type { Random } from "./random.ts";
import { chainOf, familyOf, fanOutOf } from "./workload.ts";

interface JobBase {
  readonly instanceId: string;
  readonly orchestrator: string;
  readonly input: unknown;
  /** Milliseconds from now to the scheduled start; 0 for at once. */
  readonly startsInMs: number;
}

/** Runs to its end by itself. */
export interface Computation extends JobBase {
  readonly kind: "computation";
  readonly output: number;
}

/** Takes so many events; the marks of those that arrived are its output. */
export interface Collection extends JobBase {
  readonly kind: "collection";
  readonly events: number;
  /** Before the event of this index it is suspended over a kill; undefined for never. */
  readonly suspendedAt: number | undefined;
}

/** Is terminated, together with its child. */
export interface Termination extends JobBase {
  readonly kind: "termination";
  readonly childId: string;
}

/** An entity is signalled so often, before the instance reads the marks of those that ran. */
export interface Tally extends JobBase {
  readonly kind: "tally";
  readonly signals: number;
}

/** Fails, is rewound, and runs to its end. */
export interface Repair extends JobBase {
  readonly kind: "repair";
  readonly output: number;
}

/** Is purged with its children when it has run to its end. */
export interface Disposal extends JobBase {
  readonly kind: "disposal";
}

export type Job = Computation | Collection | Termination | Tally | Repair | Disposal;

/** The entity of a job. */
export function tallyOf({ instanceId }: Pick<Tally, "instanceId">): string {
  return `@tally@${instanceId}`;
}

/** Draws the next job of a driver. */
export function drawJob(random: Random, instanceId: string, workersAreOurs: boolean): Job {
  const value = random.between(0, 1_000_000);
  const startsInMs = random.oneOf([0, 0, 0, 0, 100]);
  const computation = (orchestrator: string, input: object, output: number): Computation => ({
    kind: "computation",
    instanceId,
    orchestrator,
    input: { value, ...input },
    output,
    startsInMs,
  });
  const collection = (orchestrator: string, input: unknown): Collection => ({
    kind: "collection",
    instanceId,
    orchestrator,
    input,
    startsInMs,
    events: random.between(1, 6),
    suspendedAt: random.oneOf([undefined, undefined, 0, 1]),
  });
  const length = random.between(3, 5);
  switch (random.between(0, workersAreOurs ? 11 : 8)) {
    case 0:
    case 1:
      return computation("chain", { length }, chainOf(value, length));
    case 2:
      return computation("fanOut", { width: length * 2 }, fanOutOf(value, length * 2));
    case 3:
      return computation("nap", { napMs: random.between(1, 60) }, chainOf(value, 1));
    case 4:
      return computation("family", {}, familyOf(value));
    case 5:
      return computation("generations", { left: length }, chainOf(value, length));
    case 6:
      return collection("inbox", undefined);
    case 7:
      return collection("storm", { marks: [] });
    case 9: {
      const input = { entity: tallyOf({ instanceId }) };
      const signals = random.between(2, 6);
      return { kind: "tally", instanceId, orchestrator: "tally", input, startsInMs, signals };
    }
    case 10: {
      const output = chainOf(value, 2);
      const input = { value, instanceId };
      return { kind: "repair", instanceId, orchestrator: "fragile", input, startsInMs, output };
    }
    case 11:
      return { kind: "disposal", instanceId, orchestrator: "family", input: { value }, startsInMs };
    default: {
      const childId = `${instanceId}-child`;
      const input = { childId };
      const orchestrator = "guardian";
      return { kind: "termination", instanceId, orchestrator, input, startsInMs, childId };
    }
  }
}

/** Names an attempt to raise an event: if its answer was lost, it may have been taken or not. */
export function markOf(event: number, attempt: number): string {
  return `${event}.${attempt}`;
}

/** The event that an attempt was for. */
export function eventOf(mark: string): number {
  return Number.parseInt(mark, 10);
}

/** The order in which a driver makes its attempts. */
export function compareMarks(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
