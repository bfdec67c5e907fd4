/**
 * T-SUSP: the dispatch log of eight workers under random holds of all scopes: nothing is handed out inside of
 * a held span, and when all holds are gone everything runs to its end.
 */
import { expect, it } from "vitest";
import { rig } from "../support/rig.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { BusyHub, Moments } from "./kit/busy-hub.ts";
import { Oracle } from "./kit/oracle.ts";
import { Random } from "./kit/random.ts";
import { RandomHolds } from "./kit/random-holds.ts";

/** `SEED=… npx vitest run test/model/dispatch-log` repeats a run, `RIG_LONG=1` goes further. */
const susp = rig("T-SUSP");
const operations = susp.count(100_000, 1_000_000);
const liveMax = 150;
const holdsMax = 10;

it("the dispatch log of 8 workers shows no hand-out inside a held span", {
  timeout: susp.count(5, 60) * 60_000,
}, async () => {
  const random = new Random(susp.seed);
  const moments = new Moments();
  const oracle = new Oracle();
  await using hub = await openHub({ started: { ids: moments } });
  const handedOut = (known: Parameters<RandomHolds["handedOut"]>[0]) => holds.handedOut(known);
  const shared = { hub, random, moments, oracle };
  const busy: BusyHub = new BusyHub({ ...shared, handedOut }, 8);
  const holds: RandomHolds = new RandomHolds({ ...shared, busy: () => busy });
  const underWay = new Set<Promise<unknown>>();
  const operate = (): Promise<unknown> => {
    const known = busy.someInstance();
    const what = random.below(1_000);
    if (what < 30 && busy.recent.size < liveMax) return busy.start();
    if (what < 120 && known !== undefined) return busy.raise(known, random.chance(20));
    if (what < 160 && holds.count < holdsMax) return holds.place();
    if (what < 200) return holds.release();
    if (what < 203) return holds.pass(1 + random.below(2));
    if (what < 205) return busy.restartWorker();
    if (what < 206 && known !== undefined) return busy.terminate(known);
    if (busy.owed > 0) return busy.answer();
    if (known === undefined || busy.recent.size < liveMax) return busy.start();
    return busy.raise(known, random.chance(20));
  };
  for (let operation = 0; operation < operations; operation += 1) {
    const call = operate();
    underWay.add(call);
    void call.finally(() => underWay.delete(call));
    if (random.chance(30)) await nextTurnOfTheLoop();
  }
  await Promise.all(underWay);
  expect([...busy.violations, ...holds.violations]).toEqual([]);
  while (holds.count > 0) await holds.release(true);
  for (let rounds = 0; busy.recent.size > 0 && rounds < 1_000; rounds += 1) {
    for (const known of busy.recent.values()) await busy.raise(known, true);
    await hub.pass(1_000);
    while (busy.owed > 0) {
      await busy.answer();
      await hub.settled();
    }
  }
  const problems = await Promise.all(Array.from(busy.known.values(), (k) => busy.problemOf(k)));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  expect(busy.violations).toEqual([]);
  expect(busy.handOuts).toBeGreaterThan(operations / 4);
  expect(oracle.spans).toBeGreaterThan(operations / 100);
  susp.report({
    workers: 8,
    operations,
    instances: busy.known.size,
    handOuts: busy.handOuts,
    heldSpans: oracle.spans,
    pacedReleases: holds.paced,
  });
});

function nextTurnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
