/** What a decision came to, as scenarios print it. */
import { formatLife } from "./scenario-output.ts";
import type { Outcome, ScenarioWorld } from "./scenario-world.ts";

export function formatOutcome(world: ScenarioWorld, outcome: Outcome): readonly string[] {
  const { decision, instanceId, appended } = outcome;
  switch (decision.kind) {
    case "nothing":
      return ["nothing changes"];
    case "refuse":
      return [`refused ${decision.code}: ${decision.message}`];
    case "end":
      return [`${instanceId} is gone`];
    case "begin":
    case "append":
      return formatLife(world.life(instanceId), appended);
  }
}
