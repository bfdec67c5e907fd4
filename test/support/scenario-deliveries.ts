/** Commands of scenarios for work that workers lose or give back. */
import { decideActivityReturned } from "../../sidecar/engine/activity.ts";
import { decideTurnReturned } from "../../sidecar/engine/turn/lost.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { DeliveryOutcome } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ScenarioArguments } from "./scenario-arguments.ts";
import { formatOutcome } from "./scenario-outcome.ts";
import { Inapplicable, type ScenarioWorld } from "./scenario-world.ts";

/** `return-turn order STREAM_LOST max=3`: the turn that a worker has. */
export function returnTurn(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const command = parseReturn(given);
  if (world.find(instanceId)?.turn === undefined) {
    throw new Inapplicable(`no turn of ${instanceId} is in flight`);
  }
  world.loseTurn(instanceId);
  const outcome = world.perform(instanceId, Cause.TURN_LOST, (state, environment) =>
    decideTurnReturned(state, command, environment),
  );
  return formatOutcome(world, outcome);
}

/** `return-activity order #1 STREAM_LOST max=3`: an activity. */
export function returnActivity(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const workId = BigInt(given.word("identity").slice(1));
  const command = { workId, ...parseReturn(given) };
  const outcome = world.perform(instanceId, Cause.ACTIVITY_LOST, (state, environment) =>
    decideActivityReturned(state, command, environment),
  );
  return formatOutcome(world, outcome);
}

function parseReturn(given: ScenarioArguments) {
  const name = given.word("outcome");
  const outcome = DeliveryOutcome[name as keyof typeof DeliveryOutcome];
  if (outcome === undefined) throw new Error(`no such outcome: ${name}`);
  return { outcome, lossesMax: given.number("max") };
}
