/** What goes on in an instance, a hold or a hub, as `taskhub.v1` shows it. */
import { create } from "@bufbuild/protobuf";
import { oldestBufferedAt } from "../../engine/raise-event.ts";
import type { Lease } from "../../scheduler/leases.ts";
import type { HubHoldStillness, Stillness } from "../../scheduler/stillness.ts";
import type { TaskHub } from "../../scheduler/task-hub.ts";
import type { WorkerStream } from "../../scheduler/worker-stream.ts";
import { type HubHoldState, HubHoldStateSchema } from "../../wire/gen/taskhub/v1/insight_pb.ts";
import {
  BufferedEventsSchema,
  type GetSuspensionResponse,
  GetSuspensionResponseSchema,
  type InFlightWork,
  InFlightWorkSchema,
  WorkKind,
} from "../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../wire/history-event.ts";
import { hubHoldView } from "./hold-view.ts";
import { instanceView } from "./instance-view.ts";

export function stillnessView(stillness: Stillness, hub: TaskHub): GetSuspensionResponse {
  const { state, covering, leases, activitiesHeldBack, turnHeldBack, isQuiescent } = stillness;
  return create(GetSuspensionResponseSchema, {
    instance: instanceView(state, covering, hub),
    inFlight: leases.map(inFlightView),
    activitiesHeldBack,
    turnHeldBack,
    bufferedEvents: create(BufferedEventsSchema, {
      count: state.bufferedEvents,
      bytes: BigInt(state.bufferedBytes),
      ...present("oldestAt", oldestBufferedAt(state)),
    }),
    quiescent: isQuiescent,
  });
}

/** What a worker has. */
export function inFlightView(lease: Lease): InFlightWork {
  const { head, stream, grantedAt } = lease;
  return create(InFlightWorkSchema, {
    instanceId: head.instanceId,
    kind: workKinds[lease.kind],
    name: lease.kind === "activity" ? lease.name : (head.state?.name ?? ""),
    worker: workerLabel(stream),
    since: grantedAt,
    detached: !stream.open,
    taskId: lease.kind === "activity" ? lease.taskId : 0,
  });
}

const workKinds: Readonly<Record<Lease["kind"], WorkKind>> = {
  turn: WorkKind.TURN,
  activity: WorkKind.ACTIVITY,
  batch: WorkKind.ENTITY_BATCH,
};

/** What the worker calls itself, or where it is. */
export function workerLabel({ worker }: WorkerStream): string {
  return worker.workerId || worker.peer;
}

/** A tree or window and what it does now. */
export function hubHoldStateView(stillness: HubHoldStillness, hub: TaskHub): HubHoldState {
  const { hold, isActive, leases, instancesHeldBack } = stillness;
  return create(HubHoldStateSchema, {
    hold: hubHoldView(hold, hub.now(), hub.releaseProgress(hold)),
    active: isActive,
    inFlight: leases,
    instancesHeldBack: BigInt(instancesHeldBack),
    quiescent: isActive && hold.pacedRelease === undefined && leases === 0,
  });
}
