/** Commands of scenarios that run instances again. */
import { decideRestart, restartOf } from "../../sidecar/engine/restart.ts";
import { decideRewind } from "../../sidecar/engine/rewind/rewind.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { ScenarioArguments } from "./scenario-arguments.ts";
import { formatOutcome } from "./scenario-outcome.ts";
import type { ScenarioWorld } from "./scenario-world.ts";

/** `rewind order reason="try again"`. */
export function rewindInstance(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const command = { instanceId, reason: given.text("reason") };
  const history = world.find(instanceId)?.history ?? [];
  const outcome = world.perform(instanceId, Cause.REWIND, (state, environment) =>
    decideRewind(state, history, command, environment),
  );
  return formatOutcome(world, outcome);
}

/** `restart order` in its own place; `restart order as=other` under another id. */
export function restartInstance(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const source = given.word("instance");
  const instanceId = given.text("as") ?? source;
  const refusedBecause = given.text("refused");
  const restarted = restartOf(world.life(source).state);
  if (restarted === undefined) throw new Error("an orchestration can be restarted");
  const command = { instanceId, restarted, refusedBecause };
  const outcome = world.perform(instanceId, Cause.RESTART, (state, environment) =>
    decideRestart(state, command, environment),
  );
  return formatOutcome(world, outcome);
}
