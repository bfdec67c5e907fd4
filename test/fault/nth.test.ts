/**
 * T-NTH (RELIABILITY.md, section 3.1): a fixed scenario is played again and again, and every time
 * another call of the store goes wrong, in each of six ways.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rig } from "../support/rig.ts";
import { nthLevelDisk, nthMemoryDisk, type OpenNthDisk } from "./nth/disks.ts";
import { type CallKind, isInjected, MODES, type Mode, modesOf, type Plan } from "./nth/faults.ts";
import { NthRun } from "./nth/run.ts";
import { type Outcome, play } from "./nth/scenario.ts";

const it = rig("T-NTH");
const figures = { modes: MODES.length, calls: 0, runs: 0, processesEnded: 0, reopenings: 0 };
let expected: Outcome;

/** In the middle of what; in CI only the first. */
const FAILED_WRITES = [24, 6, 12, 18, 33];

/** For machines with much else to do. */
const TIMEOUT_MS = 600_000;

afterAll(() => it.report(figures));

interface Played {
  readonly run: NthRun;
  readonly injected: CallKind | undefined;
  readonly outcome: Outcome;
}

async function playOnce(open: OpenNthDisk, plan: Plan): Promise<Played> {
  await using run = await NthRun.begin(open, plan);
  try {
    const outcome = await play(run);
    figures.processesEnded += run.ends.length;
    figures.reopenings += run.disk.reopened.length;
    return { run, injected: run.disk.faults.injected, outcome };
  } catch (error) {
    const { injected, calls } = run.disk.faults;
    const what = `call ${plan.nth} of ${calls} (${injected ?? "none"}) ${plan.mode}`;
    throw new Error(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/**
 * N = 1, 2, 3, ... until a run has nothing left to go wrong. Until its fault every run is as the one
 * without any, whose calls are `kinds`: it tells which modes make no difference to the N-th call.
 */
async function forEveryCall(
  open: OpenNthDisk,
  plan: Omit<Plan, "nth" | "mode">,
  kinds: readonly CallKind[] | undefined,
  modeOf: (nth: number) => Mode,
  check: (played: Played, what: string) => void,
): Promise<void> {
  for (let nth = 1; ; nth += 1) {
    const kind = kinds?.[nth - 1];
    const mode = modeOf(nth);
    if (kind !== undefined && !modesOf(kind).includes(mode)) continue;
    const played = await playOnce(open, { ...plan, mode, nth });
    const { injected, outcome, run } = played;
    const what = `call ${nth} (${injected}) ${mode}`;
    expect(outcome, what).toEqual(expected);
    if (kinds !== undefined) expect(injected, `${what}: as without a fault`).toBe(kind);
    if (injected === undefined) {
      expect(run.disk.faults.calls, "all calls had their turn").toBeLessThan(nth);
      return;
    }
    figures.runs += 1;
    check(played, what);
  }
}

/** What one fault may do to a process that had none before. */
function checkOneFault({ run, injected }: Played, what: string): void {
  const { reopened, faults } = run.disk;
  const { mode } = faults.plan;
  const serving = run.ends.filter(({ wasOpen }) => wasOpen);
  switch (mode) {
    case "delayed":
      expect(run.ends, what).toEqual([]);
      return;
    case "crash before":
    case "crash after":
      expect(run.ends, what).toMatchObject([{ end: "crash" }]);
      return;
    default:
  }
  for (const { end } of run.ends) expect(isInjected(end), what).toBe(true);
  // A process that cannot open its store does not start.
  if (run.ends.length > 0 && serving.length === 0) return;
  if (injected !== "write" || mode === "fails for ever") {
    expect(serving.length, `${what} ends the process`).toBeGreaterThan(0);
    return;
  }
  expect(serving, `${what} is nothing that anybody hears of`).toEqual([]);
  const landed = mode === "takes effect and fails";
  expect(reopened, what).toMatchObject([{ landed, attempts: 1 }]);
}

/** What a fault may do to a process that has one behind it already: anything but harm. */
function checkSecondFault({ run }: Played, what: string): void {
  for (const { end } of run.ends) expect(end === "crash" || isInjected(end), what).toBe(true);
  const { mode } = run.disk.faults.plan;
  // The first of the two may have kept it from starting at all.
  if (mode === "delayed")
    expect(
      run.ends.filter(({ wasOpen }) => wasOpen),
      what,
    ).toEqual([]);
  else expect(run.ends.length, what).toBeLessThan(3);
}

/** The calls of a run in which nothing goes wrong but `failedWrite`. */
async function kindsOf(open: OpenNthDisk, plan: Omit<Plan, "mode" | "nth">) {
  const { run } = await playOnce(open, { ...plan, mode: "fails", nth: 0 });
  figures.calls += run.disk.faults.calls;
  return run.disk.faults.kinds;
}

beforeAll(async () => {
  ({ outcome: expected } = await playOnce(nthMemoryDisk, { mode: "fails", nth: 0 }));
});

test("the scenario without any fault", async () => {
  const { run, outcome } = await playOnce(nthMemoryDisk, { mode: "fails", nth: 0 });
  expect(outcome).toEqual(expected);
  expect(outcome.instances).toMatchObject({ b: "gone", d: "gone", a: { generation: 2 } });
  expect(outcome.instances.e).toMatchObject({ generation: 2, result: "locked" });
  expect(outcome.entities).toEqual({
    "@n@1": { text: "2", waiting: 0, lock: undefined },
    "@n@2": { text: undefined, waiting: 0, lock: undefined },
  });
  expect([run.ends, run.disk.reopened]).toEqual([[], []]);
  const { kinds } = run.disk.faults;
  expect(new Set(kinds).size, "every call that a store has").toBe(7);
  expect(kinds.length).toBeGreaterThan(100);
});

describe.each(MODES)("a call of the store %s:", (mode) => {
  test("every call, in memory", { timeout: TIMEOUT_MS }, async () => {
    const kinds = await kindsOf(nthMemoryDisk, {});
    await forEveryCall(nthMemoryDisk, {}, kinds, () => mode, checkOneFault);
  });

  test("every call from a failed write on", { timeout: TIMEOUT_MS }, async () => {
    for (const failedWrite of FAILED_WRITES.slice(0, it.count(1, FAILED_WRITES.length))) {
      const kinds = await kindsOf(nthMemoryDisk, { failedWrite });
      await forEveryCall(nthMemoryDisk, { failedWrite }, kinds, () => mode, checkSecondFault);
    }
  });
});

test("a disk that comes back without the group before is not trusted", async () => {
  const writes = (await kindsOf(nthMemoryDisk, { kinds: ["write"] })).length;
  let runs = 0;
  for (let nth = 2; nth <= writes; nth += 1) {
    const plan: Plan = { mode: "fails", nth, kinds: ["write"], losesOneBefore: true };
    await using run = await NthRun.begin(nthMemoryDisk, plan);
    const error: unknown = await play(run).catch((thrown: unknown) => thrown);
    // What an opening finds is compared with nothing here: LevelDB's directory has a mark for it.
    if (run.ends.some(({ wasOpen }) => !wasOpen)) continue;
    expect(error, `write ${nth}`).toMatchObject({ code: "store-distrusted" });
    expect(String(error), `write ${nth}`).toContain("the newest commit group is");
    runs += 1;
  }
  expect(runs).toBeGreaterThan(writes / 2);
  figures.runs += runs;
});

test("every write of LevelDB goes wrong", { timeout: TIMEOUT_MS }, async () => {
  // How many there are depends on how long the disk takes: groups are not the same in every run.
  const plan = { kinds: ["write"] } as const;
  // In CI each write goes wrong in one way, which differs from seed to seed.
  for (const at of MODES.keys()) {
    if (at >= it.count(1, MODES.length)) break;
    const modeOf = (nth: number) => MODES[(nth + at + it.seed) % MODES.length] ?? "fails";
    await forEveryCall(nthLevelDisk, plan, undefined, modeOf, checkOneFault);
  }
});
