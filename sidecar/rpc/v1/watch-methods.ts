/** Live streams, and the wait that tells why it was in vain. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../../engine/state.ts";
import { isTerminal } from "../../engine/status.ts";
import { HubError } from "../../foundation/errors.ts";
import type { InstanceAnswer } from "../../scheduler/instance-watch.ts";
import type { InstancesAnswer } from "../../scheduler/instances-watch.ts";
import { WatchFilter } from "../../scheduler/watch-filter.ts";
import type { Watches } from "../../scheduler/watches.ts";
import { type HubHold, Status } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ClientService } from "../../wire/gen/taskhub/v1/client_service_pb.ts";
import { type Instance, InstanceFilterSchema } from "../../wire/gen/taskhub/v1/instance_pb.ts";
import {
  WaitUntil,
  WatchEvent,
  type WatchInstancesResponseSchema,
} from "../../wire/gen/taskhub/v1/watch_pb.ts";
import { present } from "../../wire/history-event.ts";
import type { ServiceImplementation } from "../service.ts";
import { checkInstanceId } from "../validation.ts";
import { hubHoldView, type ReleaseProgress } from "./hold-view.ts";
import { instanceView } from "./instance-view.ts";

/** A task hub as these methods see it. */
export interface WatchableHub {
  readonly watches: Watches;
  now(): Timestamp;
  /** How far the paced release of a tree or window has come. */
  releaseProgress(hold: HubHold): ReleaseProgress | undefined;
}

export interface WatchableHubs {
  get(taskHub: string): WatchableHub;
}

export function watchMethods(hubs: WatchableHubs): ServiceImplementation<typeof ClientService> {
  return {
    async *watchInstance(request, { taskHub, signal }) {
      const watch = {
        instanceId: checkInstanceId(request.instanceId, "instance_id"),
        resumeToken: checkResumeToken(request.resumeToken),
        minIntervalMs: durationMs("min_interval", request.minInterval, HOUR_MS) ?? 0,
        waitForCreation: request.waitForCreation,
      };
      const hub = hubs.get(taskHub);
      for await (const answer of hub.watches.instance(watch, viewIn(hub), signal)) {
        yield instanceAnswer(answer);
      }
    },

    async *watchInstances(request, { taskHub, signal }) {
      const watch = {
        filter: new WatchFilter(request.filter ?? create(InstanceFilterSchema)),
        resumeToken: checkResumeToken(request.resumeToken),
        minIntervalMs: durationMs("min_interval", request.minInterval, HOUR_MS) ?? 0,
      };
      const hub = hubs.get(taskHub);
      for await (const answer of hub.watches.instances(watch, viewIn(hub), signal)) {
        yield hubAnswer(answer, hub);
      }
    },

    async waitForInstance(request, { taskHub, signal }) {
      const instanceId = checkInstanceId(request.instanceId, "instance_id");
      const done = conditionOf(request.until);
      const timeoutMs = durationMs("timeout", request.timeout, DAY_MS);
      const hub = hubs.get(taskHub);
      const { reached, seen } = await hub.watches.waitAtMost(
        instanceId,
        done,
        viewIn(hub),
        timeoutMs,
        signal,
      );
      return { reached, ...present("instance", seen) };
    },
  };
}

/** Longer than any that we make; what is not one of ours is as good as none, but is kept meanwhile. */
const RESUME_TOKEN_BYTES_MAX = 1_024;

function checkResumeToken(token: string): string {
  if (Buffer.byteLength(token) <= RESUME_TOKEN_BYTES_MAX) return token;
  throw invalid(`resume_token is longer than ${RESUME_TOKEN_BYTES_MAX} bytes`);
}

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

function viewIn(hub: WatchableHub) {
  return (state: InstanceState, covering: readonly HubHold[]): Instance =>
    instanceView(state, covering, hub);
}

const EVENT: Readonly<Record<InstanceAnswer<unknown>["event"], WatchEvent>> = {
  snapshot: WatchEvent.SNAPSHOT,
  changed: WatchEvent.CHANGED,
  finished: WatchEvent.FINISHED,
  removed: WatchEvent.REMOVED,
};

function instanceAnswer({ event, view, skipped, token }: InstanceAnswer<Instance>) {
  return {
    event: EVENT[event],
    skipped: BigInt(skipped),
    resumeToken: token,
    ...present("instance", view),
  };
}

function hubAnswer(
  answer: InstancesAnswer<Instance>,
  hub: WatchableHub,
): MessageInitShape<typeof WatchInstancesResponseSchema> {
  switch (answer.event) {
    case "reset":
      return { event: { case: "reset", value: {} } };
    case "live":
      return { event: { case: "live", value: {} }, resumeToken: answer.token };
    case "instance":
      return {
        event: { case: "instance", value: answer.view },
        skipped: BigInt(answer.skipped),
        resumeToken: answer.token,
      };
    case "removed":
      return {
        event: { case: "removedInstanceId", value: answer.instanceId },
        skipped: BigInt(answer.skipped),
        resumeToken: answer.token,
      };
    case "holds": {
      const now = hub.now();
      const holds = answer.holds.map((hold) => hubHoldView(hold, now, hub.releaseProgress(hold)));
      return { event: { case: "holds", value: { holds } }, resumeToken: answer.token };
    }
  }
}

/** @throws HubError "invalid-argument" */
function conditionOf(until: WaitUntil): (state: InstanceState) => boolean {
  switch (until) {
    case WaitUntil.UNSPECIFIED:
    case WaitUntil.FINISHED:
      return isTerminal;
    case WaitUntil.STARTED:
      return hasStarted;
    default:
      throw invalid("until is unknown");
  }
}

/** As compatible waits see it: one that is suspended is not pending any more. */
function hasStarted(state: InstanceState): boolean {
  return state.status !== Status.PENDING || state.holds.length > 0;
}

/** Rounded up, so that an interval is never shorter than asked for. Undefined: not given. */
function durationMs(field: string, duration: Duration | undefined, max: number) {
  if (duration === undefined) return undefined;
  const { seconds, nanos } = duration;
  const ms = Number(seconds) * 1_000 + Math.ceil(nanos / 1_000_000);
  const isDuration = nanos >= 0 && nanos < 1_000_000_000 && seconds >= 0n;
  if (!isDuration) throw invalid(`${field} is not a positive duration`);
  if (ms > max) throw invalid(`${field} is longer than ${max / HOUR_MS} hours`);
  return ms;
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
