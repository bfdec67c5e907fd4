/** Random orchestrations, random order of everything: see `section-model.ts` for what must hold. */
import * as fc from "fast-check";
import { test } from "vitest";
import { type Happening, SectionModel } from "../../support/section-model.ts";
import type { Step } from "../../support/section-plan.ts";

/** Fixed, so that a failure repeats. */
const SEED = 20_261_122;
const RUNS = 80;
const TIMEOUT_MS = 60_000;
const ENTITIES = 3;

const entity = fc.nat({ max: ENTITIES - 1 });
const plan: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("signal" as const), entity }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("call" as const), entity }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("section" as const),
        entities: fc.subarray([0, 1, 2], { minLength: 1 }),
        calls: fc.array(entity, { maxLength: 3 }),
        leaves: fc.constantFrom("unlocks", "unlocks", "forgets", "continues as new"),
      }),
    },
  ),
  { minLength: 1, maxLength: 4 },
);
const plans = fc.array(plan, { minLength: 2, maxLength: 4 });

const any = fc.nat({ max: 11 });
function happening<Kind extends Happening["kind"]>(
  weight: number,
  kind: Kind,
  key: "who" | "entity" | "from",
) {
  const arbitrary = any.map((index) => ({ kind, [key]: index }) as unknown as Happening);
  return { weight, arbitrary };
}
const happenings = fc.array(
  fc.oneof(
    happening(6, "turn", "who"),
    happening(1, "die", "who"),
    happening(1, "purge", "who"),
    happening(5, "take", "entity"),
    happening(5, "commit", "entity"),
    happening(1, "compact", "entity"),
    happening(20, "deliver", "from"),
    happening(1, "reload", "from"),
  ),
  { minLength: 50, maxLength: 150, size: "max" },
);

test("locks exclude each other, come to everybody who lives, and go with whoever dies", {
  timeout: TIMEOUT_MS,
}, async () => {
  await fc.assert(
    fc.property(plans, happenings, (given, order) => {
      const model = new SectionModel(given, ENTITIES);
      for (const each of order) model.happen(each);
      model.settle();
      model.checkSettled();
    }),
    { seed: SEED, numRuns: RUNS },
  );
});
