/** Suspending, resuming, and telling whether what is held has really stopped. */

import { compatibleHold } from "../../engine/holds.ts";
import type { HubHoldTarget } from "../../engine/hub/hub-holds.ts";
import { LIMITS } from "../../foundation/limits.ts";
import type { StillnessOutcome } from "../../scheduler/stillness.ts";
import type { Placed, Released } from "../../scheduler/suspensions.ts";
import type { TaskHub } from "../../scheduler/task-hub.ts";
import type { TaskHubs } from "../../scheduler/task-hubs.ts";
import type { Hold as HoldStored, HubHold } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import { ExpiryAction, HoldScope } from "../../wire/gen/taskhub/v1/hold_pb.ts";
import {
  QuiescenceOutcome,
  type ResumeInstanceRequest,
  ResumeInstanceResponseSchema,
  ResumeTaskHubResponseSchema,
  type SuspendInstanceRequest,
  SuspendInstanceResponseSchema,
  type SuspendTaskHubRequest,
  SuspendTaskHubResponseSchema,
} from "../../wire/gen/taskhub/v1/suspension_pb.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId, checkName, checkReason, checkText } from "../validation.ts";
import { found } from "./found.ts";
import { beginOf, holdWish, invalid, storedPace, storedSelector } from "./hold-requests.ts";
import { holdView, hubHoldView } from "./hold-view.ts";
import { holdsView } from "./instance-view.ts";
import { replyWith } from "./replies.ts";
import { stillnessView } from "./stillness-view.ts";

export function suspensionMethods(hubs: TaskHubs): ServiceImplementation<typeof ClientService> {
  return {
    async suspendInstance(request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const instanceId = checkInstanceId(request.instanceId, "instance_id");
      switch (request.scope) {
        case HoldScope.UNSPECIFIED:
        case HoldScope.INSTANCE:
          return suspendOne(hub, instanceId, request);
        case HoldScope.TREE:
          return suspendTree(hub, instanceId, request);
        case HoldScope.SELECTOR:
          throw invalid("scope SELECTOR is a maintenance window: use SuspendTaskHub");
        default:
          throw invalid(`scope ${request.scope} does not exist`);
      }
    },

    async resumeInstance(request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const instanceId = checkInstanceId(request.instanceId, "instance_id");
      const { requestId } = request;
      // An entity that was quarantined goes on like everything else.
      const wish = { ...releaseWish(request), ignoreFinished: false, alsoEntities: true };
      const schema = ResumeInstanceResponseSchema;
      const answer = (released: Released) => releasedView(hub, released);
      const reply = replyWith("ResumeInstance", requestId, schema, answer);
      return hub.suspensions.release(instanceId, wish, reply);
    },

    async suspendTaskHub(request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const now = hub.now();
      checkName("name", request.name);
      if (request.expiryAction === ExpiryAction.TERMINATE) {
        throw invalid("expiry_action TERMINATE is not for maintenance windows");
      }
      const wish = holdWish(request, beginOf(request.startsAt, now));
      const answer = ({ hold, placed }: Placed<HubHold>) => ({
        hold: hubHoldView(hold, hub.now(), hub.releaseProgress(hold)),
        placed,
      });
      const schema = SuspendTaskHubResponseSchema;
      const reply = replyWith("SuspendTaskHub", request.requestId, schema, answer);
      return hub.suspensions.placeWindow(wish, windowOf(request), request.replace, reply);
    },

    async resumeTaskHub(request, { taskHub }) {
      const hub = hubs.get(taskHub);
      const { name, allHolds, requestId } = request;
      checkText("requested_by", request.requestedBy, LIMITS.nameBytesMax);
      if (allHolds && name !== "") throw invalid("name and all_holds are both set");
      if (!allHolds) checkName("name", name);
      const answer = (released: Released) => releasedView(hub, released);
      const schema = ResumeTaskHubResponseSchema;
      const reply = replyWith("ResumeTaskHub", requestId, schema, answer);
      const which = allHolds ? "all" : { name };
      const pace = storedPace(request.pace);
      return hub.suspensions.releaseWindows(which, pace, request.requestedBy, reply);
    },

    async getSuspension({ instanceId }, { taskHub }) {
      const hub = hubs.get(taskHub);
      checkInstanceId(instanceId, "instance_id");
      const view = await hub.stillnesses.ofInstance(instanceId, (stillness) =>
        stillnessView(stillness, hub),
      );
      return found(view, instanceId);
    },

    async waitForQuiescence({ target }, { taskHub, signal }) {
      const hub = hubs.get(taskHub);
      switch (target.case) {
        case "instanceId": {
          const instanceId = checkInstanceId(target.value, "instance_id");
          const outcome = await hub.stillnesses.waitForInstance(instanceId, signal);
          const holds = await hub.read(instanceId, (state) =>
            holdsView(state, hub.holdsOn(state), hub),
          );
          return { outcome: outcomes[outcome], holds: holds ?? [] };
        }
        case "window": {
          const name = checkName("window", target.value);
          const isIt = ({ hold, origin }: HubHold) => origin === undefined && hold?.name === name;
          return waitForHubHold(hub, isIt, `maintenance window ${JSON.stringify(name)}`, signal);
        }
        case "tree": {
          const { instanceId, name } = target.value;
          checkInstanceId(instanceId, "tree.instance_id");
          checkText("tree.name", name, LIMITS.nameBytesMax);
          const isIt = ({ hold, origin }: HubHold) =>
            origin?.instanceId === instanceId && hold?.name === name;
          const what = `hold ${JSON.stringify(name)} on the tree of ${JSON.stringify(instanceId)}`;
          return waitForHubHold(hub, isIt, what, signal);
        }
        default:
          throw invalid("the request names no instance, window or tree");
      }
    },
  };
}

async function waitForHubHold(
  hub: TaskHub,
  isIt: (hold: HubHold) => boolean,
  what: string,
  signal: AbortSignal,
) {
  const outcome = await hub.stillnesses.waitForHubHold(isIt, what, signal);
  const holds = hub.hubHolds.filter(isIt);
  await hub.hubSettled();
  return {
    outcome: outcomes[outcome],
    holds: holds.map((hold) => hubHoldView(hold, hub.now(), hub.releaseProgress(hold))),
  };
}

function suspendOne(hub: TaskHub, instanceId: string, request: SuspendInstanceRequest) {
  const answer = ({ hold, placed }: Placed<HoldStored>) => ({
    hold: holdView(hold, hub.now()),
    placed,
  });
  const { replace, requestId } = request;
  const reply = replyWith("SuspendInstance", requestId, SuspendInstanceResponseSchema, answer);
  const wish = holdWish(request, hub.now());
  return hub.suspensions.place(instanceId, wish, { replace, ignoreFinished: false }, reply);
}

function suspendTree(hub: TaskHub, instanceId: string, request: SuspendInstanceRequest) {
  const answer = ({ hold, placed }: Placed<HubHold>) => ({
    hold: hubHoldView(hold, hub.now(), hub.releaseProgress(hold)),
    placed,
  });
  const { replace, requestId } = request;
  const reply = replyWith("SuspendInstance", requestId, SuspendInstanceResponseSchema, answer);
  const wish = holdWish(request, hub.now());
  return hub.suspensions.placeTree(instanceId, wish, replace, reply);
}

function releaseWish(request: ResumeInstanceRequest) {
  const { name, scope, allHolds, reason } = request;
  checkText("name", name, LIMITS.nameBytesMax);
  checkText("requested_by", request.requestedBy, LIMITS.nameBytesMax);
  checkReason(reason);
  const pace = storedPace(request.pace);
  const common = { reason, pace, requestedBy: request.requestedBy };
  if (allHolds) {
    if (name !== compatibleHold || scope !== HoldScope.UNSPECIFIED) {
      throw invalid("name and scope must be unset with all_holds");
    }
    return { ...common, names: "all", trees: "all" } as const;
  }
  switch (scope) {
    case HoldScope.UNSPECIFIED:
    case HoldScope.INSTANCE:
      if (pace !== undefined) throw invalid("pace is for holds of scope TREE");
      return { ...common, names: [name], trees: [] };
    case HoldScope.TREE:
      return { ...common, names: [], trees: [name] };
    case HoldScope.SELECTOR:
      throw invalid("scope SELECTOR is a maintenance window: use ResumeTaskHub");
    default:
      throw invalid(`scope ${scope} does not exist`);
  }
}

function windowOf(request: SuspendTaskHubRequest): HubHoldTarget {
  const { startsAt, includeEntities, acceptNewInstances = true } = request;
  return {
    kind: "window",
    selector: storedSelector(request.selector),
    startsAt,
    refusesStarts: !acceptNewInstances,
    includeEntities,
  };
}

function releasedView(hub: TaskHub, outcome: Released) {
  const now = hub.now();
  const hubView = (hold: HubHold) => hubHoldView(hold, now, hub.releaseProgress(hold));
  return {
    released: [
      ...outcome.released.map((hold) => holdView(hold, now)),
      ...outcome.releasedOfHub.map(hubView),
    ],
    remaining: [
      ...outcome.remaining.map((hold) => holdView(hold, now)),
      ...outcome.remainingOfHub.map(hubView),
    ],
  };
}

const outcomes: Readonly<Record<StillnessOutcome, QuiescenceOutcome>> = {
  quiescent: QuiescenceOutcome.QUIESCENT,
  released: QuiescenceOutcome.RELEASED,
  ended: QuiescenceOutcome.ENDED,
};
