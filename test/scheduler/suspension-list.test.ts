/** Listing holds of every scope by age, from rows alone. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  type ListedHold,
  listSuspensions,
  type SuspensionPlace,
} from "../../sidecar/scheduler/suspension-list.ts";
import { HoldScope, HubHoldSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { holdOf, QueryWorld } from "../support/query-world.ts";

const everything = { scope: undefined, placedBefore: undefined, matches: () => true };

function shown(listed: ListedHold): string {
  const { name } = listed.hold;
  if (listed.of === "instance") return `instance ${listed.row.row.instanceId} ${name}`;
  const { origin } = listed.hubHold;
  return origin === undefined ? `window ${name}` : `tree ${origin.number} ${name}`;
}

async function allOf(
  world: QueryWorld,
  options: Partial<Parameters<typeof listSuspensions>[1]>,
  limits: readonly number[],
): Promise<string[]> {
  const holds: string[] = [];
  let after: SuspensionPlace | undefined;
  for (let call = 0; ; call += 1) {
    const limit = limits[call % limits.length] ?? 1;
    const page = await listSuspensions(world, { ...everything, ...options, after, limit });
    expect(page.holds.length).toBeLessThanOrEqual(limit);
    holds.push(...page.holds.map(shown));
    after = page.next;
    if (after === undefined) return holds;
  }
}

const NAMES = ["", "a", "b"];
const AT_MAX = 4;
const at = fc.nat({ max: AT_MAX });
const hold = fc.record({ name: fc.constantFrom(...NAMES), at });
const perInstance = fc.uniqueArray(hold, { selector: ({ name }) => name, maxLength: 3 });
const hubHold = fc.record({ name: fc.constantFrom(...NAMES), at, origin: fc.nat({ max: 2 }) });

it("any holds are listed once each, the oldest first, in any pages and scopes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(perInstance, { maxLength: 12, size: "max" }),
      fc.uniqueArray(hubHold, { selector: ({ name, origin }) => `${origin} ${name}` }),
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(undefined, HoldScope.INSTANCE, HoldScope.TREE, HoldScope.SELECTOR),
      fc.option(at, { nil: undefined }),
      async (instances, ofHub, limits, scope, before) => {
        await using world = new QueryWorld();
        const expected: { order: readonly (number | string)[]; text: string; scope: number }[] = [];
        for (const [index, holds] of instances.entries()) {
          const id = `i${index}`;
          await world.start(id);
          for (const each of holds) {
            await world.hold(id, each.name, { placedAt: timestampFromMs(each.at) });
            const order = [each.at, 1, 1_000 + index, each.name];
            expected.push({ order, text: `instance ${id} ${each.name}`, scope: 1 });
          }
        }
        world.hubHolds = ofHub.map(({ name, at: placed, origin }) =>
          create(HubHoldSchema, {
            hold: holdOf(name, { placedAt: timestampFromMs(placed) }),
            ...(origin === 0 ? {} : { origin: { instanceId: "o", number: BigInt(origin) } }),
          }),
        );
        for (const { name, at: placed, origin } of ofHub) {
          const text = origin === 0 ? `window ${name}` : `tree ${origin} ${name}`;
          const of = origin === 0 ? 3 : 2;
          expected.push({ order: [placed, of, 1_000 + origin, name], text, scope: of });
        }
        const wanted = expected
          .filter((each) => scope === undefined || each.scope === scope)
          .filter(({ order }) => before === undefined || Number(order[0]) < before)
          .toSorted((a, b) => (JSON.stringify(a.order) < JSON.stringify(b.order) ? -1 : 1))
          .map(({ text }) => text);
        const placedBefore = before === undefined ? undefined : timestampFromMs(before);
        expect(await allOf(world, { scope, placedBefore }, limits)).toEqual(wanted);
        expect(world.loads).toBe(0);
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 200) },
  );
});

it("a page has no more rows read than it needs, and a call no more than its bound", async () => {
  await using world = new QueryWorld();
  for (let index = 0; index < LIMITS.queryRowsMax + 20; index += 1) {
    world.nowMs += 1;
    await world.start(`i${index}`);
    await world.hold(`i${index}`, index === LIMITS.queryRowsMax + 10 ? "rare" : "h");
  }
  world.forgetCosts();
  await listSuspensions(world, { ...everything, after: undefined, limit: 10 });
  expect(world.rowsRead).toBe(11);
  world.forgetCosts();
  const matches = ({ hold: { name } }: ListedHold) => name === "rare";
  const page = await listSuspensions(world, {
    ...everything,
    matches,
    after: undefined,
    limit: 10,
  });
  expect([page.holds.length, page.next === undefined]).toEqual([0, false]);
  expect(world.rowsRead).toBe(LIMITS.queryRowsMax);
  expect(await allOf(world, { matches }, [10])).toEqual([
    `instance i${LIMITS.queryRowsMax + 10} rare`,
  ]);
});

it("the last full page has no place behind it", async () => {
  await using world = new QueryWorld();
  for (const id of ["a", "b", "c", "d"]) {
    await world.start(id);
    await world.hold(id, "h");
  }
  const page = await listSuspensions(world, { ...everything, after: undefined, limit: 4 });
  expect([page.holds.length, page.next]).toEqual([4, undefined]);
});
