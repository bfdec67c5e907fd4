/** Understanding what goes on: why an instance waits, who works, and how the hub is. */
import { create } from "@bufbuild/protobuf";
import type { SteadyClock } from "../../foundation/clock.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { WorkerStream } from "../../scheduler/worker-stream.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import {
  AcceptedWorkSchema,
  type Worker,
  WorkerSchema,
} from "../../wire/gen/taskhub/v1/insight_pb.ts";
import { present } from "../../wire/history-event.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId } from "../validation.ts";
import { reasonView } from "./explanation-view.ts";
import { found } from "./found.ts";
import { instanceView } from "./instance-view.ts";
import { hubHoldStateView, inFlightView } from "./stillness-view.ts";

/** What is said of the process. */
export interface ProcessFacts {
  readonly version: string;
  readonly steadyClock: SteadyClock;
}

const inFlightMax = 1_000;

export function insightMethods(
  hubs: TaskHubs,
  { version, steadyClock }: ProcessFacts,
): ServiceImplementation<typeof ClientService> {
  const startedAtMs = steadyClock.nowMs();
  return {
    async explainInstance({ instanceId }, { taskHub }) {
      const hub = hubs.get(taskHub);
      checkInstanceId(instanceId, "instance_id");
      const view = await hub.stillnesses.explain(instanceId, (state, covering, explanation) => {
        const reasons = explanation.map((reason) => reasonView(reason, state, hub));
        const summary = reasons[0]?.text ?? "";
        return { instance: instanceView(state, covering, hub), reasons, summary };
      });
      return found(view, instanceId);
    },

    async listWorkers(_request, { taskHub }) {
      return { workers: hubs.get(taskHub).stillnesses.workers().map(workerView) };
    },

    async getTaskHub(_request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const uptimeMs = BigInt(Math.floor(steadyClock.nowMs() - startedAtMs));
      const process = {
        serverTime: hub.now(),
        serverVersion: version,
        uptime: { seconds: uptimeMs / 1_000n, nanos: Number(uptimeMs % 1_000n) * 1_000_000 },
      };
      return hub.stillnesses.ofHub((stillness) => {
        const { state } = hub;
        if (state === undefined) return { name: taskHub, exists: false, ...process };
        const { leases, instancesHeldBack, activitiesHeldBack, bufferedEvents } = stillness;
        return {
          name: state.name,
          exists: true,
          createdAt: state.createdAt,
          incarnation: state.incarnation,
          holds: stillness.holds.map((hold) => hubHoldStateView(hold, hub)),
          workers: hub.stillnesses.workers().filter(({ open }) => open).length,
          inFlight: leases.slice(0, inFlightMax).map(inFlightView),
          inFlightCount: leases.length,
          instancesHeldBack: BigInt(instancesHeldBack),
          activitiesHeldBack: BigInt(activitiesHeldBack),
          bufferedEvents: {
            count: bufferedEvents,
            bytes: BigInt(stillness.bufferedBytes),
            ...present("oldestAt", stillness.oldestBufferedAt()),
          },
          quiescent: stillness.isQuiescent,
          ...process,
        };
      });
    },
  };
}

function workerView(stream: WorkerStream): Worker {
  const { worker, declared, credit, leases } = stream;
  return create(WorkerSchema, {
    workerId: worker.workerId ?? "",
    address: worker.peer,
    userAgent: worker.userAgent,
    connectedAt: worker.connectedAt,
    filtered: declared !== undefined,
    orchestrations: (declared?.orchestrations ?? []).map(acceptedView),
    activities: (declared?.activities ?? []).map(acceptedView),
    turnCredit: credit.turn,
    activityCredit: credit.activity,
    entities: (declared?.entities ?? []).map(({ name }) => name),
    entityBatchCredit: credit.batch,
    inFlight: [...leases].map(inFlightView),
    waiting: stream.waiting,
    detached: !stream.open,
  });
}

function acceptedView({ name, versions }: { name: string; versions: string[] }) {
  return create(AcceptedWorkSchema, { name, versions });
}
