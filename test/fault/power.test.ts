/**
 * T-POWER: the power goes again and again. What the disk holds then is what was synced and anything
 * of the rest: see `power/crash-image.ts`. The next process opens such an image, and all that was
 * acknowledged is in it. `SEED` repeats a run.
 */
import { expect, test } from "vitest";
import { newClient } from "../support/javascript-sdk.ts";
import { rig } from "../support/rig.ts";
import type { LogLine } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { audit } from "./kill/audit.ts";
import { Crowd } from "./kill/crowd.ts";
import { Ledger } from "./kill/ledger.ts";
import { Random } from "./kill/random.ts";
import { Victim } from "./kill/victim.ts";
import { lossOf } from "./power/loss.ts";
import { PowerCuts } from "./power/power-cuts.ts";
import { expectSurvivors } from "./power/survivors.ts";
import { smallMemtables, unsyncedWrites } from "./shim/patches.ts";
import { FaultBench, type FaultRule, RIG_PATIENCE_MS } from "./shim/shim.ts";

/** Acknowledgements before the last two power cuts are looked at one by one, all at the end. */
const CUTS_LOOKED_BACK = 2;

test("power cuts lose nothing that was acknowledged, and leave nothing half done", {
  timeout: RIG_PATIENCE_MS,
}, async ({ skip }) => {
  const it = rig("T-POWER");
  const random = new Random(it.seed);
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { patches: [smallMemtables] });
  if (!bench.hasShim) return skip("no compiler");
  const cuts = new PowerCuts(scratch.path, bench, random.fork(-1));
  await using victim = await Victim.start((failed) => cuts.nextLife(failed));
  const ledger = new Ledger();
  const crowd = await Crowd.start({ victim, ledger, random });
  const client = newClient({ port: victim.port });
  const looked = cutAgainAndAgain(it.count(15, 300));
  await crowd.during(looked.then(() => {}));

  await victim.kill();
  const orchestrations = await audit(client, ledger);
  await crowd.stop();
  await client.stop();
  const { end, complaints } = await victim.stop();
  expect(end).toBe(0);
  // Losses that were accepted are logged, and nothing else is out of routine.
  expect(complaints.filter((line) => (line as LogLine).event !== "store.loss_accepted")).toEqual(
    [],
  );
  expect(complaints.length).toBe(cuts.refused);
  const sum = (of: Exclude<keyof (typeof cuts.images)[number], "zeroedFiles">) =>
    cuts.images.reduce((total, image) => total + image[of], 0);
  // A rig that takes nothing away proves nothing. In CI there are too few images for all of it.
  expect(sum("lostBytes")).toBeGreaterThan(0);
  expect(sum("undoneNameChanges")).toBeGreaterThanOrEqual(it.count(0, 1));
  expect(sum("vanishedFiles")).toBeGreaterThanOrEqual(it.count(0, 1));
  it.report({
    images: cuts.images.length,
    imagesAcceptedAfterARefusal: cuts.refused,
    zeroedRanges: sum("zeroedRanges"),
    lostBytes: sum("lostBytes"),
    undoneNameChanges: sum("undoneNameChanges"),
    vanishedFiles: sum("vanishedFiles"),
    acknowledgements: ledger.lines().length,
    acknowledgementsLookedAtBehindACut: await looked,
    orchestrations,
  });

  async function cutAgainAndAgain(images: number): Promise<number> {
    const choices = random.fork(-2);
    const ends: number[] = [];
    let looked = 0;
    while (cuts.images.length < images) {
      // Mostly in the middle of a commit: what it has written is not durable then.
      if (choices.between(0, 3) > 0) await bench.setRules([{ action: "kill", ...moment(choices) }]);
      await Promise.race([victim.died, ledger.grownBy(choices.between(10, 50))]);
      await victim.kill();
      ends.push(ledger.lines().length);
      const from = ends.at(-1 - CUTS_LOOKED_BACK) ?? 0;
      looked += await expectSurvivors(client, ledger.lines().slice(from));
    }
    return looked;
  }
});

function moment(choices: Random): Pick<FaultRule, "call" | "when" | "first" | "pattern"> {
  const first = choices.between(1, 25);
  const commit = { call: "sync", when: "before", first, pattern: "*.log" } as const;
  return choices.oneOf<ReturnType<typeof moment>>([
    commit,
    commit,
    commit,
    { ...commit, first: 1, pattern: "*.ldb" },
    { ...commit, pattern: "*MANIFEST-*" },
    // A file of which nothing is durable yet, its name included.
    { call: "create", when: "after", first: 1, pattern: "*.log" },
    { call: "create", when: "after", first: 1, pattern: "*.ldb" },
  ]);
}

test("a sidecar that acknowledges what is not durable is found out by power cuts", {
  timeout: RIG_PATIENCE_MS,
}, async ({ skip }) => {
  const it = rig("T-POWER, unsynced writes");
  const random = new Random(it.seed);
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { patches: [unsyncedWrites] });
  if (!bench.hasShim) return skip("no compiler");
  const loss = await lossOf({ directory: scratch.path, bench, random, images: 3 });
  expect(loss.lostStarts + loss.refusedImages).toBeGreaterThan(0);
  it.report({ ...loss });
});
