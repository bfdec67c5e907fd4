/** What a check is, and how it says what it expected and what came. */
import { inspect, isDeepStrictEqual } from "node:util";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { CheckContext } from "./context.ts";

/**
 * What a check cannot do without. Entities are not offered by every service. A check that uses a
 * whole hub, or removes one, runs where hubs are isolated by the `taskhub` metadata key, or where
 * the service is its own.
 */
export type Need = "entities" | "own-hub" | "isolated-hubs";

export interface Check {
  /** The section of the protocol, then what is checked: `4.10/suspend-idempotent`. */
  readonly id: string;
  /** A fact that is true of a task hub. */
  readonly title: string;
  /** Traps of section 10 that it would notice: `["T5"]`. */
  readonly traps?: readonly string[];
  readonly needs?: readonly Need[];
  /** Milliseconds until it is given up; 10,000 if not given. */
  readonly patienceMs?: number;
  /** Waits for something that takes long: only run when asked for. */
  readonly slow?: boolean;
  /** @throws CheckFailure, or what a call was refused with */
  run(context: CheckContext): Promise<void>;
}

/** The message is a sentence about what was expected, and what came instead. */
export class CheckFailure extends Error {}

export function expectThat(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new CheckFailure(sentence);
}

/** @param what reads on as "… to be" */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new CheckFailure(`expected ${what} to be ${shown(expected)}, but got ${shown(actual)}`);
}

/** @throws CheckFailure when it is not there */
export function expectPresent<T>(what: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new CheckFailure(`expected ${what} to be present, but it is absent`);
}

export function expectAbsent(what: string, value: unknown): void {
  if (value === undefined) return;
  throw new CheckFailure(`expected ${what} to be absent, but got ${shown(value)}`);
}

export function shown(value: unknown): string {
  return inspect(value, {
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
    depth: 5,
    maxStringLength: 120,
    maxArrayLength: 30,
  });
}

/** A time as text, with all its nanoseconds; undefined stays so. */
export function exactTime(time: Timestamp | undefined): string | undefined {
  return time && `${time.seconds}.${String(time.nanos).padStart(9, "0")}`;
}
