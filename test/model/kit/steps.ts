/** Random steps, as plain data: a failing run prints them, and they shrink. */
import fc from "fast-check";
import type { Cover, Pace, Wish } from "./hold-model.ts";

/** A target is chosen among those there are when the step is played. */
export type Step =
  | { readonly kind: "start"; readonly at: number }
  | { readonly kind: "raise"; readonly at: number }
  | { readonly kind: "purge"; readonly at: number }
  | { readonly kind: "terminate"; readonly at: number; readonly recurse: boolean }
  | HoldStep
  | {
      readonly kind: "turn";
      readonly at: number;
      readonly actions: readonly {
        readonly kind: "task" | "child" | "timer";
        readonly seconds: number;
      }[];
      readonly ends: "goes-on" | "completes" | "continues-as-new";
    }
  | { readonly kind: "activity" | "abandon"; readonly at: number }
  | { readonly kind: "pass"; readonly seconds: number }
  | { readonly kind: "connect" | "lose" }
  | {
      readonly kind: "crash";
      readonly seconds: number;
      /** Asked for while nothing becomes durable. */
      readonly asked: readonly AskedStep[];
      /** The first of them is made durable before the crash. */
      readonly keepsOne: boolean;
      readonly reconnects: boolean;
      /** The process is started with every hub held. */
      readonly suspended: boolean;
    };

export type HoldStep =
  | {
      readonly kind: "place" | "tree";
      readonly at: number;
      readonly wish: Wish;
      readonly replace: boolean;
    }
  | {
      readonly kind: "window";
      readonly wish: Wish;
      readonly replace: boolean;
      readonly cover: Cover;
      readonly startsIn: number | undefined;
      readonly refusesStarts: boolean;
    }
  | {
      readonly kind: "release";
      readonly at: number;
      readonly names: "all" | readonly string[];
      readonly trees: boolean;
      readonly pace: Pace | undefined;
    }
  | { readonly kind: "releaseWindow"; readonly name: string; readonly pace: Pace | undefined }
  /** One of the holds there are. */
  | { readonly kind: "letGo"; readonly at: number; readonly pace: Pace | undefined };

export type AskedStep = HoldStep | { readonly kind: "raise"; readonly at: number };

const at = fc.nat(20);
const name = fc.constantFrom("", "h", "k");
const soon = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined, freq: 2 });
const policy = fc.constantFrom("KEEP" as const, "FREEZE" as const);
const wish: fc.Arbitrary<Wish> = fc.record({
  name,
  policy,
  expiresIn: soon,
  expiry: fc.constantFrom(
    "RESUME" as const,
    "RESUME" as const,
    "TERMINATE" as const,
    "KEEP" as const,
  ),
});
const windowWish: fc.Arbitrary<Wish> = fc.record({
  name: fc.constantFrom("w", "v"),
  policy,
  expiresIn: soon,
  expiry: fc.constantFrom("RESUME" as const, "KEEP" as const),
});
const pace = fc.option(
  fc.record({ perSecond: fc.constantFrom(0, 0.5, 1, 2), canaries: fc.nat(2) }),
  { nil: undefined, freq: 2 },
);
const replace = fc.boolean();
const names = fc.oneof(fc.constant("all" as const), fc.array(name, { maxLength: 2 }));

const placing: fc.Arbitrary<HoldStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("place"), at, wish, replace }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("tree"), at, wish, replace }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("window"),
      wish: windowWish,
      replace,
      cover: fc.constantFrom<Cover>("everything", "Alpha", "Child", "a", "b1"),
      startsIn: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined, freq: 2 }),
      refusesStarts: fc.boolean(),
    }),
  },
);
const releasing: fc.Arbitrary<HoldStep> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("letGo"), at, pace }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("release"), at, names, trees: fc.boolean(), pace }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("releaseWindow"),
      name: fc.constantFrom("w", "v", "boot"),
      pace,
    }),
  },
);
const raise = fc.record({ kind: fc.constant("raise" as const), at });
const action = fc.record({
  kind: fc.constantFrom("task" as const, "task" as const, "timer" as const, "child" as const),
  seconds: fc.nat(9),
});

/** A world in which something goes on already. */
export const furnishing: readonly Step[] = [
  { kind: "connect" },
  { kind: "start", at: 0 },
  { kind: "start", at: 2 },
  {
    kind: "turn",
    at: 0,
    ends: "goes-on",
    actions: [
      { kind: "task", seconds: 0 },
      { kind: "timer", seconds: 4 },
      { kind: "timer", seconds: 9 },
      { kind: "child", seconds: 0 },
    ],
  },
  {
    kind: "turn",
    at: 0,
    ends: "goes-on",
    actions: [
      { kind: "task", seconds: 0 },
      { kind: "timer", seconds: 6 },
    ],
  },
];

/** One kind of step each, so that a run can be shrunk to those that matter. */
export const stepKinds: readonly fc.Arbitrary<Step>[] = [
  fc.record({ kind: fc.constant("start"), at }),
  raise,
  raise,
  placing,
  placing,
  releasing,
  releasing,
  fc.record({
    kind: fc.constant("turn"),
    at,
    actions: fc.array(action, { maxLength: 3 }),
    ends: fc.constantFrom("goes-on", "goes-on", "completes", "continues-as-new"),
  }),
  fc.record({
    kind: fc.constant("turn"),
    at,
    actions: fc.array(action, { minLength: 1, maxLength: 3 }),
    ends: fc.constant("goes-on"),
  }),
  fc.record({ kind: fc.constantFrom("activity", "activity", "abandon"), at }),
  fc.record({ kind: fc.constant("pass"), seconds: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constantFrom("connect", "connect", "connect", "connect", "lose") }),
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge"), at }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("terminate"), at, recurse: fc.boolean() }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("crash"),
        seconds: fc.constantFrom(0, 0, 3, 8),
        asked: fc.array(fc.oneof(placing, releasing, raise), { maxLength: 2 }),
        keepsOne: fc.boolean(),
        reconnects: fc.boolean(),
        suspended: fc.constantFrom(false, false, true),
      }),
    },
  ),
];
