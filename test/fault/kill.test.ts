/**
 * T-KILL: the sidecar is killed again and again on one data directory, at moments that are numbers
 * of acknowledgements, and at points in the work of its disk: before and behind a sync, while
 * LevelDB replays and compacts, while it is started. `SEED` repeats a run.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { newClient } from "../support/javascript-sdk.ts";
import { type Rig, rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { audit } from "./kill/audit.ts";
import { Crowd } from "./kill/crowd.ts";
import { Killer } from "./kill/killer.ts";
import { Ledger, type Line } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { smallMemtables } from "./shim/patches.ts";
import { FaultBench, RIG_PATIENCE_MS } from "./shim/shim.ts";
import { parseTrace } from "./shim/trace.ts";

test("kills at any moment lose nothing that was acknowledged and do nothing twice", {
  timeout: RIG_PATIENCE_MS,
}, async () => {
  const it = rig("T-KILL");
  const random = new Random(it.seed);
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { patches: [smallMemtables] });
  const data = join(scratch.path, "data");
  const dying = new Killer({ bench, random: random.fork(-2), data });
  await using victim = await Victim.start((failed) => dying.nextLife(failed));
  const ledger = new Ledger();
  const crowd = await Crowd.start({ victim, ledger, random });
  await crowd.during(dying.killAgainAndAgain(victim, ledger, it.count(40, 400)));

  // What is on disk counts, not what the last process remembers.
  await bench.setRules([]);
  await victim.kill();
  const client = newClient({ port: victim.port });
  const orchestrations = await audit(client, ledger);
  await crowd.stop();
  await client.stop();
  expect(await victim.stop()).toEqual({ end: 0, complaints: [] });
  const acknowledged = (kind: Line["kind"]) =>
    ledger.lines().filter((line) => line.kind === kind).length;
  await report(it, {
    bench,
    dying,
    acknowledgements: ledger.lines().length,
    rewinds: acknowledged("rewound"),
    purges: acknowledged("purged"),
    orchestrations,
  });
});

interface Done {
  readonly bench: FaultBench;
  readonly dying: Killer;
  readonly acknowledgements: number;
  readonly rewinds: number;
  readonly purges: number;
  readonly orchestrations: number;
}

async function report(it: Rig, { bench, dying, ...rest }: Done): Promise<void> {
  const { faults } = parseTrace(await bench.trace());
  it.report({
    kills: dying.kills,
    killsAtDiskCalls: faults.length,
    killsWhileStarting: dying.killsWhileStarting,
    ...rest,
  });
  if (bench.hasShim) expect(faults.length).toBeGreaterThanOrEqual(dying.kills * 0.3);
}
