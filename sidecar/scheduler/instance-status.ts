/** The status that `taskhub.v1` shows, and what the query index knows of it. */
import type { InstanceState } from "../engine/state.ts";
import { isHeld, isTerminal } from "../engine/status.ts";
import { assert } from "../foundation/assert.ts";
import type { InstanceClass } from "../store/store.ts";
import { Status } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { InstanceStatus } from "../wire/gen/taskhub/v1/instance_pb.ts";

/** The statuses that the index calls "live": which one it is, only the state knows. */
export const LIVE_STATUSES: readonly InstanceStatus[] = [
  InstanceStatus.PENDING,
  InstanceStatus.RUNNING,
  InstanceStatus.SUSPENDED,
];

/** Every other status is a class of its own. */
export const CLASS_OF_STATUS: ReadonlyMap<InstanceStatus, InstanceClass> = new Map([
  [InstanceStatus.COMPLETED, "completed"],
  [InstanceStatus.FAILED, "failed"],
  [InstanceStatus.TERMINATED, "terminated"],
  [InstanceStatus.CANCELED, "canceled"],
]);

const STATUS: Readonly<Record<Status, InstanceStatus>> = {
  // Never stored; a reader is shown an instance that has not run.
  [Status.UNSPECIFIED]: InstanceStatus.PENDING,
  [Status.PENDING]: InstanceStatus.PENDING,
  [Status.RUNNING]: InstanceStatus.RUNNING,
  [Status.COMPLETED]: InstanceStatus.COMPLETED,
  [Status.FAILED]: InstanceStatus.FAILED,
  [Status.TERMINATED]: InstanceStatus.TERMINATED,
  [Status.CANCELED]: InstanceStatus.CANCELED,
};

export function instanceStatusOf(state: InstanceState): InstanceStatus {
  if (isHeld(state) && !isTerminal(state)) return InstanceStatus.SUSPENDED;
  const status = STATUS[state.status];
  assert(status !== undefined, `status ${state.status} is known`);
  return status;
}
