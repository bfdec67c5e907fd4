/** Random lives, moved at a random moment into another store: the same hub, which comes to its end. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { comparable, exported, importFile, opened } from "../support/backup-files.ts";
import { releaseHub } from "../support/hold-calls.ts";
import { rig } from "../support/rig.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { type Step, steps } from "./kit/random-steps.ts";
import { RandomWorld } from "./kit/random-world.ts";

const ROUNDS_MAX = 30;

/** What is asked for and not waited for: an export sees some of it durable, and mail on its way. */
const suddenly = fc.record({
  commits: fc.nat(3),
  ids: fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 }),
});

async function fileOf(
  hub: TestHub,
  script: readonly Step[],
  { commits, ids }: { readonly commits: number; readonly ids: readonly string[] },
): Promise<Buffer> {
  await hub.hub.create();
  const world = new RandomWorld(hub);
  for (const step of script) await world.play(step);
  hub.bytes.hold(commits);
  for (const id of ids) {
    void hub.terminate(id, "output", true).catch(() => {});
    void hub.start(id).catch(() => {});
    void hub.raise(id, "Late").catch(() => {});
  }
  await hub.settled();
  return exported(hub.hubs);
}

it("a hub that is moved at any moment is the same and comes to its end", {
  timeout: 600_000,
}, async () => {
  const { seed, count, report } = rig("T-BACKUP");
  const numRuns = count(40, 1_000);
  let moved = 0;
  let entries = 0;
  await fc.assert(
    fc.asyncProperty(steps, suddenly, fc.integer({ min: 1, max: 3_000 }), async (...drawn) => {
      const [script, late, partBytes] = drawn;
      await using source = await openHub();
      await using target = await openHub();
      await target.pass(60_000);
      const file = await fileOf(source, script, late);
      await importFile(target.hubs, file, { partBytes });
      const again = comparable(await exported(target.hubs));
      expect(again.filter((record) => !JSON.stringify(record).includes('"import"'))).toEqual(
        comparable(file),
      );
      await releaseHub(target, undefined, "import");
      await target.settled();
      expect(await new RandomWorld(target).finish(ROUNDS_MAX)).toBeLessThanOrEqual(ROUNDS_MAX);
      moved += 1;
      entries += opened(file).entries.length;
    }),
    { seed, numRuns },
  );
  report({ "hubs moved": moved, "log entries moved": entries });
});
