/**
 * Every figure of ours is provoked by what it counts, and read from the page. The last test knows all
 * samples that a sidecar shows when it has just started, and wants each to have been something else.
 */
import { expect, it } from "vitest";
import { ofInstances } from "./metrics-provoked/instances.ts";
import { ofOversight } from "./metrics-provoked/oversight.ts";
import { ofStores } from "./metrics-provoked/store.ts";
import { ofWorkers } from "./metrics-provoked/workers.ts";
import { MetricsWorld, type Provocation } from "./metrics-provoked/world.ts";

const provocations: readonly Provocation[] = [
  ...ofWorkers,
  ...ofInstances,
  ...ofStores,
  ...ofOversight,
];

const runs = new Map<string, Promise<ReadonlySet<string>>>();

/** The samples that a provocation has moved. Each is run once, whoever asks. */
function movedBy(provocation: Provocation): Promise<ReadonlySet<string>> {
  const { name } = provocation;
  const run = runs.get(name) ?? movedIn(provocation);
  runs.set(name, run);
  return run;
}

async function movedIn(provocation: Provocation): Promise<ReadonlySet<string>> {
  await using world = await MetricsWorld.open(provocation);
  await provocation.provoke(world);
  return world.seen;
}

it.each(provocations)("$name", async (provocation) => {
  expect((await movedBy(provocation)).size).toBeGreaterThan(0);
});

/** What no provocation moves, and why. */
const unmoved: Readonly<Record<string, string>> = {
  taskhub_build_info: "says which version this is",
  taskhub_custom_status_advised_updates_per_second: "a bound",
  taskhub_memory_budget_limit_bytes: "bounds",
  'taskhub_redeliveries_total{kind="activity",reason="expired"}': "activities have no lease",
  'taskhub_redeliveries_total{kind="activity",reason="needs_history"}': "they have no history",
  'taskhub_redeliveries_total{kind="batch",reason="needs_history"}': "they have no history",
  'taskhub_stranded_instances_total{work="mail"}':
    "what loses it in a test finds it again before it is looked at twice: scanner.test.ts",
};

/** Moves by itself, or not, as the machine likes: watchdog.test.ts. */
const restless = "taskhub_event_loop_delay_seconds";

it("there is no figure that nothing has moved", async () => {
  await using fresh = await MetricsWorld.open();
  const moved = new Set<string>();
  for (const provocation of provocations) {
    for (const sample of await movedBy(provocation)) moved.add(sample);
  }
  const wanted = fresh.wanted().filter((sample) => !isOf(sample, restless));
  const missing = wanted.filter((sample) => !isAmong(moved, sample));
  const excused = (sample: string) => Object.keys(unmoved).some((name) => isOf(sample, name));
  expect(missing.filter((sample) => !excused(sample))).toEqual([]);
  // Who is excused for nothing is taken off the list.
  const idle = Object.keys(unmoved).filter((name) => !missing.some((sample) => isOf(sample, name)));
  expect(idle).toEqual([]);
});

function isAmong(moved: ReadonlySet<string>, wanted: string): boolean {
  return [...moved].some((sample) => isOf(sample, wanted));
}

/** Whether a sample is this one, or one of this name. */
function isOf(sample: string, wanted: string): boolean {
  return (
    sample === wanted || [`${wanted}{`, `${wanted}_count{`].some((of) => sample.startsWith(of))
  );
}
