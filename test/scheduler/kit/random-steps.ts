/** Random steps of a small world, as plain data, so that a failing run prints and shrinks. */
import fc from "fast-check";

export const INSTANCES = ["a", "b", "c"] as const;
/** Children get one of these ids: one that is taken now and then, and one of their own. */
export const CHILDREN = ["c", "d"] as const;

export type Instance = (typeof INSTANCES)[number];

/** What a turn is answered with; `at` chooses a target or a time. */
export interface RandomAction {
  readonly kind:
    | "task"
    | "timer"
    | "child"
    | "event"
    | "complete"
    | "fail"
    | "terminated"
    | "continueAsNew";
  readonly at: number;
}

export type Command =
  | {
      readonly kind: "start" | "raise" | "suspend" | "resume" | "purge" | "rewind" | "restart";
      readonly id: Instance;
    }
  | {
      readonly kind: "purgeMany";
      readonly id: Instance;
      readonly how: "filter" | "batch" | "trees";
    }
  | { readonly kind: "terminate"; readonly id: Instance; readonly recurse: boolean }
  | { readonly kind: "startLater"; readonly id: Instance; readonly seconds: number };

export type Answer =
  | { readonly kind: "turn"; readonly pick: number; readonly actions: readonly RandomAction[] }
  | { readonly kind: "activity"; readonly pick: number; readonly fails: boolean }
  | { readonly kind: "abandon"; readonly pick: number }
  | { readonly kind: "late"; readonly pick: number };

export type Step =
  | Command
  | Answer
  | { readonly kind: "drop"; readonly worker: number; readonly connection: boolean }
  | { readonly kind: "pass"; readonly seconds: number }
  | { readonly kind: "together"; readonly commands: readonly Command[] }
  | { readonly kind: "crash"; readonly commits: number; readonly commands: readonly Command[] };

const id = fc.constantFrom(...INSTANCES);
const pick = fc.nat(9);

const action: fc.Arbitrary<RandomAction> = fc.record({
  kind: fc.constantFrom(
    "task",
    "task",
    "task",
    "timer",
    "timer",
    "child",
    "event",
    "event",
    "complete",
    "fail",
    "terminated",
    "continueAsNew",
  ),
  at: fc.nat(9),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("start"), id }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("raise"), id }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("suspend", "resume"), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge"), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("rewind", "restart"), id }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("purgeMany"),
      id,
      how: fc.constantFrom("filter", "batch", "trees"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("terminate"), id, recurse: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("startLater"), id, seconds: fc.nat(90) }),
  },
);

const actions = fc.array(action, { maxLength: 4 });
const commands = fc.array(command, { minLength: 1, maxLength: 4 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: command },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("turn"), pick, actions }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("activity"), pick, fails: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("abandon", "late"), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("drop"),
      worker: fc.nat(1),
      connection: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("pass"),
      seconds: fc.constantFrom(1, 11, 31, 70, 301),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("together"), commands }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("crash"), commits: fc.nat(2), commands }),
  },
);

export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 5, maxLength: 40 });
