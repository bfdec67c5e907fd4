/**
 * T-FSYNC: calls of the disk fail once, under load and while the sidecar is started. It opens its
 * store again and goes on, or it ends with 74 and the next process serves; what failed has happened
 * or not, wholly. Each life ends with a power cut, behind which what a failed sync has not written is
 * gone for good, because Linux does not write such pages a second time. `SEED` repeats a run.
 */
import { expect, test } from "vitest";
import { newClient } from "../support/javascript-sdk.ts";
import { rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { FailingLives } from "./failed-sync/failing-lives.ts";
import { audit } from "./kill/audit.ts";
import { Crowd } from "./kill/crowd.ts";
import { Ledger } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { smallMemtables } from "./shim/patches.ts";
import { FaultBench, RIG_PATIENCE_MS } from "./shim/shim.ts";

test("failed calls of the disk lose nothing that was acknowledged, and the service goes on", {
  timeout: RIG_PATIENCE_MS,
}, async ({ skip }) => {
  const it = rig("T-FSYNC");
  const random = new Random(it.seed);
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { patches: [smallMemtables] });
  if (!bench.hasShim) return skip("no compiler");
  const lives = new FailingLives(scratch.path, bench, random.fork(-1));
  await using victim = await Victim.start((failed) => lives.nextLife(failed));
  const ledger = new Ledger();
  const crowd = await Crowd.start({ victim, ledger, random });
  await crowd.during(lives.failAgainAndAgain(victim, ledger, it.count(14, 300)));

  await victim.kill();
  const client = newClient({ port: victim.port });
  const orchestrations = await audit(client, ledger);
  await crowd.stop();
  await client.stop();
  const { end, complaints } = await victim.stop();
  expect(end).toBe(0);
  expect(complaints.filter((line) => !lives.isExpected(line))).toEqual([]);
  expect(lives.figures.reopenings).toBeGreaterThan(0);
  // Behind a fault that does not end the process, all that clients and workers notice is that it took longer.
  expect(lives.figures.calls).toBeGreaterThan(0);
  expect(lives.figures.callsRefused).toBe(0);
  it.report({ ...lives.figures, acknowledgements: ledger.lines().length, orchestrations });
});
