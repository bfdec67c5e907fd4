/**
 * Orchestrations as data: what one does is its input, so that the right result is known before it
 * runs, whatever happens to it on the way.
 */
import { crc32 } from "node:zlib";
import type { Random } from "../../model/kit/random.ts";

export type Operation =
  /** Activities one after the other. */
  | { readonly kind: "sequence"; readonly id: string; readonly count: number }
  /** Activities all at once. */
  | { readonly kind: "fan"; readonly id: string; readonly count: number }
  | { readonly kind: "timer"; readonly id: string; readonly ms: number }
  /**
   * Sub-orchestrations all at once; each tells the parent its place in an event. The parent is rewound
   * when one of them fails that `must` succeed.
   */
  | {
      readonly kind: "children";
      readonly id: string;
      readonly plans: readonly Plan[];
      readonly must?: RewoundBy;
    }
  /** External events. */
  | { readonly kind: "events"; readonly id: string; readonly count: number }
  /** An activity that fails so often before it succeeds, with pauses in between. */
  | { readonly kind: "retry"; readonly id: string; readonly failures: number }
  /** An activity that nobody waits for. */
  | { readonly kind: "leave"; readonly id: string }
  | { readonly kind: "status"; readonly id: string }
  /** An activity that fails until the instance has been rewound so often. */
  | {
      readonly kind: "flaky";
      readonly id: string;
      readonly rewinds: number;
      readonly by: RewoundBy;
    }
  | EntityOperation
  | { readonly kind: "again"; readonly id: string }
  | { readonly kind: "fail"; readonly id: string };

/** The instance fails and a client rewinds it, or its worker rewinds it where it stands. */
export type RewoundBy = "client" | "worker";

export type EntityOperation =
  /** A signal to an entity, at once or later. */
  | {
      readonly kind: "signal";
      readonly id: string;
      readonly entity: string;
      readonly delayMs: number;
    }
  /** Calls of entities, all at once. */
  | {
      readonly kind: "calls";
      readonly id: string;
      readonly entities: readonly string[];
      readonly operation: (typeof calledOperations)[number];
    }
  /** Locks entities, reads them, thinks, and writes what follows from what it has read. */
  | {
      readonly kind: "section";
      readonly id: string;
      readonly entities: readonly string[];
      readonly thinks: boolean;
      /** It fails with all that it has locked. */
      readonly crashes: boolean;
    };

/** "break" always fails, "vanish" leaves nothing of the entity's state. */
const calledOperations = ["add", "add", "pass", "break", "vanish"] as const;

export type Plan = readonly Operation[];

/** With this in its message a failure is one that a rewind may mend. */
export const rewindable = "rewind me";

/** What goes from one generation to the next, as JSON. */
export interface PlanInput {
  readonly plan: Plan;
  /** Digest of all results so far. */
  readonly digest: string;
  /** Payloads of external events so far, in the order of their arrival. */
  readonly events: readonly string[];
  readonly generation: number;
  /** Whom a child tells its place, and the place. */
  readonly parent?: { readonly id: string; readonly place: string };
}

export interface PlanOutput {
  readonly digest: string;
  readonly events: readonly string[];
}

export type Outcome = { readonly completes: PlanOutput } | { readonly fails: string };

export const firstDigest = "0";

export function digestOf(digest: string, part: string): string {
  return crc32(`${digest}|${part}`).toString(16);
}

/** Results of as many as this, of activities whose inputs say so, make a history that is streamed. */
const longResults = 4;
const longResultBytes = 300_000;

/** Result of the activity with this input. */
export function resultOf(input: string): string {
  const result = `r${crc32(input).toString(16)}`;
  return /long\.\d+$/.test(input) ? result.padEnd(longResultBytes, ".") : result;
}

/** How the plan ends; `events` is what its events will be, in any order. */
export function outcomeOf(plan: Plan, events: readonly string[]): Outcome {
  let digest = firstDigest;
  const add = (part: string) => {
    digest = digestOf(digest, part);
  };
  for (const operation of plan) {
    switch (operation.kind) {
      case "sequence":
      case "fan":
        for (const input of inputsOf(operation)) add(resultOf(input));
        break;
      case "retry":
        add(resultOf(`${operation.id}.${operation.failures}/${operation.failures}`));
        break;
      case "children":
        for (const child of operation.plans) {
          const outcome = outcomeOf(child, []);
          add("completes" in outcome ? outcome.completes.digest : "failed");
        }
        break;
      case "flaky":
        add(resultOf(`${operation.id}.flaky${operation.rewinds}`));
        break;
      case "calls":
        add(operation.id);
        break;
      case "section":
        if (operation.crashes) return { fails: operation.id };
        add(operation.id);
        break;
      case "fail":
        return { fails: operation.id };
      default:
    }
  }
  return { completes: { digest, events } };
}

export function inputsOf(operation: { readonly id: string; readonly count: number }): string[] {
  return Array.from({ length: operation.count }, (_, at) => `${operation.id}.${at}`);
}

/** External events that the plan waits for. */
export function eventsIn(plan: Plan): number {
  let count = 0;
  for (const operation of plan) if (operation.kind === "events") count += operation.count;
  return count;
}

export interface PlanLimits {
  /** Timers last so long at most. */
  readonly longestTimerMs: number;
  readonly mayRunAgain: boolean;
  readonly entities: boolean;
  readonly rewinds: boolean;
  /** Histories of more than 1 MiB. */
  readonly long: boolean;
}

/** The entities of all plans. */
export const entityKeys = ["1", "2", "3"] as const;

/** A random plan; children have no children of their own below `depth` 1. */
export function randomPlan(random: Random, limits: PlanLimits, depth = 2, prefix = "o"): Plan {
  const plan: Operation[] = [];
  const length = 1 + random.below(depth === 2 ? 7 : 3);
  for (let at = 0; at < length; at += 1) {
    plan.push(randomOperation(random, limits, depth, `${prefix}${at}`));
  }
  const isRoot = depth === 2;
  if (random.chance(isRoot ? 5 : 15)) plan.push({ kind: "fail", id: `${prefix}f` });
  if (!isRoot) return plan;
  if (limits.long && random.chance(40)) {
    plan.splice(random.below(2), 0, { kind: "fan", id: `${prefix}long`, count: longResults });
  }
  if (!limits.rewinds || random.chance(50)) return plan;
  return toBeRewound(random, plan, random.chance(50) ? "client" : "worker");
}

/**
 * The same with something that fails until it is rewound, or children that do. Without external
 * events if the instance has to fail for that: those that come then are lost.
 */
function toBeRewound(random: Random, plan: Plan, by: RewoundBy): Plan {
  const flaky = (id: string, mayFail: boolean): Operation => ({
    kind: "flaky",
    id,
    rewinds: 1 + random.below(2),
    by: mayFail && random.chance(60) ? "client" : "worker",
  });
  let isMade = false;
  const changed = plan.flatMap((operation): Operation[] => {
    if (operation.kind === "events" && by === "client") return [];
    if (operation.kind !== "children") return [operation];
    isMade = true;
    const plans = operation.plans.map((child, at) => [
      ...child.filter((each) => each.kind !== "fail" && !("crashes" in each && each.crashes)),
      ...(random.chance(60) ? [flaky(`${operation.id}x${at}`, true)] : []),
    ]);
    return [{ ...operation, plans, must: by }];
  });
  if (!isMade || random.chance(30)) {
    changed.splice(random.below(changed.length), 0, flaky("ox", by === "client"));
  }
  return changed;
}

function entityOperation(random: Random, id: string): EntityOperation {
  const keys = entityKeys.filter(() => random.chance(60));
  const entities = keys.length === 0 ? [entityKeys[random.below(3)] ?? "1"] : keys;
  const kind = random.below(10);
  if (kind < 3) {
    const delayMs = random.chance(30) ? random.below(100_000) : 0;
    return { kind: "signal", id, entity: entities[0] ?? "1", delayMs };
  }
  if (kind < 6) {
    const operation = random.pick(calledOperations) ?? "add";
    return { kind: "calls", id, entities, operation };
  }
  return { kind: "section", id, entities, thinks: random.chance(50), crashes: random.chance(8) };
}

function randomOperation(random: Random, limits: PlanLimits, depth: number, id: string): Operation {
  if (limits.entities && random.chance(30)) return entityOperation(random, id);
  const kind = random.below(depth === 2 ? 22 : 12);
  if (kind < 3) return { kind: "sequence", id, count: 1 + random.below(3) };
  if (kind < 6) return { kind: "fan", id, count: 1 + random.below(5) };
  if (kind < 8) return { kind: "timer", id, ms: random.below(limits.longestTimerMs) };
  if (kind < 9) return { kind: "retry", id, failures: random.below(3) };
  if (kind < 10) return { kind: "leave", id };
  if (kind < 11) return { kind: "status", id };
  if (kind < 12) return limits.mayRunAgain ? { kind: "again", id } : { kind: "status", id };
  if (kind < 15 && depth > 0) {
    const plans = Array.from({ length: 1 + random.below(3) }, (_, at) =>
      randomPlan(random, limits, depth - 1, `${id}c${at}`),
    );
    return { kind: "children", id, plans };
  }
  if (kind < 20) return { kind: "events", id, count: 1 + random.below(4) };
  return limits.mayRunAgain ? { kind: "again", id } : { kind: "status", id };
}
