/**
 * Random commands of the scenario language against a few instances. The world checks after every
 * step what must always hold: the log gives the live state, a snapshot gives it too, nothing is
 * answered twice, readiness and due times are right. What is found reads like a scenario.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fromStoredState, toStoredState } from "../../sidecar/engine/stored-state.ts";
import { InstanceStateSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { runCommand } from "../support/scenario-commands.ts";
import { stateBytes } from "../support/scenario-invariants.ts";
import type { ScenarioCommand } from "../support/scenario-reader.ts";
import { Inapplicable, type Life, ScenarioWorld } from "../support/scenario-world.ts";

/** Fixed, so that a failure repeats. */
const SEED = 20_260_601;
const RUNS = 60;
const TIMEOUT_MS = 60_000;
const STEPS_MIN = 60;
const STEPS_MAX = 150;

/** Clients start the first two; the others come to be as children, if at all. */
const startedId = fc.constantFrom("a", "b");
const anyId = fc.constantFrom("a", "a", "a", "b", "b", "c", "d");
const actionId = fc.integer({ min: -1, max: 3 });
const workId = fc.integer({ min: 1, max: 9 });
/** Not in order: hub time may jump. */
const time = fc.integer({ min: 0, max: 9 }).map((second) => `10:00:0${second}`);
const outcome = fc.constantFrom("STREAM_LOST", "LEASE_EXPIRED", "ABANDONED", "REJECTED");
const losses = fc.constantFrom("", "max=1", "max=2");
const everyStatus = "COMPLETED,FAILED,TERMINATED,CANCELED,PENDING,RUNNING,SUSPENDED";

/** A line with its blanks filled in. */
function line(
  parts: TemplateStringsArray,
  ...blanks: readonly fc.Arbitrary<string | number>[]
): fc.Arbitrary<string> {
  return fc.tuple(...blanks).map((values) => String.raw({ raw: parts }, ...values));
}

/** Arbitraries with the number of times that each is chosen. */
function choose<T>(...given: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(...given.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const effect = choose(
  [4, line`${actionId} activity Pay input=1`],
  [3, line`${actionId} timer at=${time}`],
  [3, line`${actionId} child Sub id=${anyId}`],
  [1, line`${actionId} child Sub id=e tags={"FireAndForget":""}`],
  [3, line`${actionId} event ${anyId} Hello`],
  [1, line`${actionId} terminate ${anyId} recurse`],
);
const completion = fc.constantFrom(
  "3 complete COMPLETED result=1",
  "2 complete COMPLETED",
  "-1 complete FAILED failure=Broken:pipe",
  "3 complete TERMINATED",
  "3 complete CONTINUED_AS_NEW result=2",
  "0 complete CONTINUED_AS_NEW",
  "3 unknown",
);
// Mostly none, so that instances live long enough for something to happen.
const ending = choose<readonly string[]>(
  [5, fc.constant([])],
  [1, completion.map((text) => [text])],
);
const actions = fc
  .tuple(fc.array(effect, { maxLength: 4 }), ending)
  .map(([effects, last]) => [...effects, ...last]);
const report = choose(
  [5, fc.constantFrom("", "status=one", "status=two", 'status=""')],
  [1, line`processed=${fc.nat(3)}`],
);

const answered = fc.record({
  command: choose([3, line`turn ${anyId} ${report}`], [2, line`complete ${anyId} ${report}`]),
  details: actions,
});
const plain = choose(
  [4, line`start ${startedId} Order`],
  [1, line`start ${startedId} Order scheduled=${time}`],
  [1, line`start ${startedId} Order replace=${fc.constant(everyStatus)}`],
  [6, line`begin ${anyId}`],
  [8, line`activity ${anyId} #${workId} result=1`],
  [4, line`activity ${anyId} #${workId} failure=Broken:pipe`],
  [8, line`deliver ${anyId}`],
  [2, line`deliver ${anyId} unsettled`],
  [3, line`raise ${anyId} Hello`],
  [4, line`suspend ${anyId} reason=wait`],
  [4, line`resume ${anyId}`],
  [1, line`terminate ${anyId} output=enough`],
  [1, line`terminate ${anyId} recurse`],
  [2, line`finish ${anyId}`],
  [4, line`due ${anyId} at=${time}`],
  [3, line`lose ${anyId}`],
  [3, line`return-turn ${anyId} ${outcome} ${losses}`],
  [3, line`return-activity ${anyId} #${workId} ${outcome} ${losses}`],
  [1, line`resume ${anyId} name=quarantine`],
  [1, line`purge ${anyId}`],
  [1, line`reload ${anyId}`],
).map((command) => ({ command, details: [] }));
const step: fc.Arbitrary<ScenarioCommand> = choose<ScenarioCommand>([2, answered], [5, plain]);
const steps = fc.array(step, { minLength: STEPS_MIN, maxLength: STEPS_MAX, size: "max" });

test("the log and a snapshot give the live state, and nothing is answered twice", {
  timeout: TIMEOUT_MS,
}, async () => {
  await forAll((commands) => {
    const world = new ScenarioWorld();
    for (const command of commands) run(world, command);
    world.checkAll();
  });
});

test("going on from snapshots gives the same logs as going on live", {
  timeout: TIMEOUT_MS,
}, async () => {
  await forAll((commands) => {
    const live = new ScenarioWorld({ isChecked: false });
    const restored = new ScenarioWorld({ isChecked: false });
    for (const command of commands) {
      run(live, command);
      run(restored, command);
      for (const id of restored.instanceIds()) restoreFromSnapshot(restored.life(id));
    }
    expect(worldOf(restored)).toEqual(worldOf(live));
  });
});

async function forAll(check: (commands: readonly ScenarioCommand[]) => void): Promise<void> {
  await fc.assert(fc.property(steps, check), { seed: SEED, numRuns: RUNS });
}

/** A command that does not apply does nothing: most sequences would be lost otherwise. */
function run(world: ScenarioWorld, command: ScenarioCommand): void {
  try {
    runCommand(world, command);
  } catch (error) {
    if (!(error instanceof Inapplicable)) throw error;
  }
}

function restoreFromSnapshot(life: Life): void {
  const { state, number } = life;
  const bytes = toBinary(InstanceStateSchema, toStoredState(state));
  life.state = fromStoredState(fromBinary(InstanceStateSchema, bytes), number, state.sequence);
}

function worldOf(world: ScenarioWorld): unknown {
  return world.instanceIds().map((id) => {
    const { log, state, history } = world.life(id);
    return { id, log, state: stateBytes(state), history: history.map(({ event }) => event) };
  });
}
