/** Commands of scenarios that place and release holds. */
import type { FrozenSpan } from "../../sidecar/engine/freeze.ts";
import { decidePlaceHold, decideReleaseHolds } from "../../sidecar/engine/holds.ts";
import { Cause } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { ExpiryAction, TimerPolicy } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { parseTime, type ScenarioArguments } from "./scenario-arguments.ts";
import { formatOutcome } from "./scenario-outcome.ts";
import type { ScenarioWorld } from "./scenario-world.ts";

/**
 * `suspend order name=n reason=r by=b condition=c expires=10:00:10 expiry=RESUME freeze replace strict`;
 * without a name it is the hold of the compatible RPC.
 */
export function placeHold(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const command = {
    instanceId,
    wish: {
      name: given.text("name") ?? "",
      reason: given.text("reason"),
      requestedBy: given.text("by") ?? "",
      resumeCondition: given.text("condition"),
      expiresAt: given.time("expires"),
      expiryAction: parseAction(given.text("expiry")),
      timerPolicy: given.flag("freeze") ? TimerPolicy.FREEZE : TimerPolicy.KEEP,
    },
    replace: given.flag("replace"),
    turnInFlight: world.find(instanceId)?.turn !== undefined,
    ignoreFinished: !given.flag("strict"),
    hubFreezes: parseFreezes(given).hubFreezes,
  };
  const outcome = world.perform(instanceId, Cause.SUSPEND, (state, environment) =>
    decidePlaceHold(state, command, environment),
  );
  return formatOutcome(world, outcome);
}

/** `resume order name=n reason=r all strict`. */
export function releaseHolds(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const instanceId = given.word("instance");
  const command = {
    instanceId,
    names: given.flag("all") ? ("all" as const) : [given.text("name") ?? ""],
    reason: given.text("reason"),
    turnInFlight: world.find(instanceId)?.turn !== undefined,
    ignoreFinished: !given.flag("strict"),
    hubFreezes: parseFreezes(given).hubFreezes,
  };
  const outcome = world.perform(instanceId, Cause.RESUME, (state, environment) =>
    decideReleaseHolds(state, command, environment),
  );
  return formatOutcome(world, outcome);
}

/** `froze=10:00:05..10:00:10,10:00:20..10:00:30`: holds of the hub. `frozen`: one of them still is. */
export function parseFreezes(given: ScenarioArguments): {
  readonly hubFreezes: readonly FrozenSpan[];
  readonly frozen: boolean;
} {
  const text = given.text("froze");
  const hubFreezes = (text?.split(",") ?? []).map((span) => {
    const [from = "", to = ""] = span.split("..");
    return { from: parseTime(from), to: parseTime(to) };
  });
  return { hubFreezes, frozen: given.flag("frozen") };
}

function parseAction(text: string | undefined): ExpiryAction {
  if (text === undefined) return ExpiryAction.UNSPECIFIED;
  const action = ExpiryAction[text as keyof typeof ExpiryAction];
  if (action === undefined) throw new Error(`no such expiry action: ${text}`);
  return action;
}
