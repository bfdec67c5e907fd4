import { assert } from "../foundation/assert.ts";
import { OrchestrationStatus } from "../wire/gen/orchestrator_service_pb.ts";
import { Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceState } from "./state.ts";

/** A terminal instance never runs again in this generation, whatever arrives. */
export function isTerminal(state: InstanceState): boolean {
  switch (state.status) {
    case Status.COMPLETED:
    case Status.FAILED:
    case Status.TERMINATED:
    case Status.CANCELED:
      return true;
    default:
      return false;
  }
}

export function isHeld(state: InstanceState): boolean {
  return state.holds.length > 0;
}

const shown: Readonly<Record<Status, OrchestrationStatus>> = {
  // Never stored; a reader is shown an instance that has not run.
  [Status.UNSPECIFIED]: OrchestrationStatus.PENDING,
  [Status.PENDING]: OrchestrationStatus.PENDING,
  [Status.RUNNING]: OrchestrationStatus.RUNNING,
  [Status.COMPLETED]: OrchestrationStatus.COMPLETED,
  [Status.FAILED]: OrchestrationStatus.FAILED,
  [Status.TERMINATED]: OrchestrationStatus.TERMINATED,
  [Status.CANCELED]: OrchestrationStatus.CANCELED,
};

/** The status that readers are shown. */
export function shownStatus(state: InstanceState): OrchestrationStatus {
  // Terminal wins over suspended: an instance terminated while suspended must be reported as
  // terminated.
  if (isHeld(state) && !isTerminal(state)) return OrchestrationStatus.SUSPENDED;
  const status = shown[state.status];
  assert(status !== undefined, `status ${state.status} is known`);
  return status;
}
