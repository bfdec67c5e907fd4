/** Readers of watches: what they got, and with what their stream ended. */
import { create } from "@bufbuild/protobuf";
import type { HoldWish } from "../../../sidecar/engine/holds.ts";
import type { HubHoldTarget } from "../../../sidecar/engine/hub/hub-holds.ts";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import type { InstanceState } from "../../../sidecar/engine/state.ts";
import { shownStatus } from "../../../sidecar/engine/status.ts";
import type { InstanceWatchRequest } from "../../../sidecar/scheduler/instance-watch.ts";
import { WatchFilter } from "../../../sidecar/scheduler/watch-filter.ts";
import { OrchestrationStatusSchema } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  ExpiryAction,
  type HubHold,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import {
  type InstanceFilter,
  InstanceFilterSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";

/** What the tests look at of an instance: "a RUNNING \"text\" [hold, window]". */
export function shownText(state: InstanceState, covering: readonly HubHold[]): string {
  const status = OrchestrationStatusSchema.value[shownStatus(state)]?.localName;
  const text = state.customStatus?.text;
  const holds = [...state.holds, ...covering.map(({ hold }) => hold)].map((hold) => hold?.name);
  const parts = [state.instanceId, status, ...(text === undefined ? [] : [`"${text}"`])];
  return [...parts, ...(holds.length === 0 ? [] : [`[${holds.join(", ")}]`])].join(" ");
}

export class Watching<A> {
  readonly #stream: AsyncGenerator<A>;
  readonly #call: AbortController;
  #got: A[] = [];
  /** With what the stream ended; undefined while it is open. */
  ended: unknown;

  /** @param reads false for a reader that reads only when the test calls `pull` */
  constructor(stream: (signal: AbortSignal) => AsyncGenerator<A>, reads = true) {
    this.#call = new AbortController();
    this.#stream = stream(this.#call.signal);
    if (reads) void this.readOn();
  }

  /** What it got since the last call. */
  take(): A[] {
    const got = this.#got;
    this.#got = [];
    return got;
  }

  /** Reads one answer. The promise stays pending until there is one. */
  async pull(): Promise<A | undefined> {
    const { value, done } = await this.#stream.next();
    return done === true ? undefined : value;
  }

  /** Reads everything from now on. */
  async readOn(): Promise<void> {
    try {
      for await (const answer of this.#stream) this.#got.push(answer);
      this.ended = "without an error";
    } catch (error) {
      this.ended = error;
    }
  }

  cancel(): void {
    this.#call.abort(new Error("the reader is gone"));
  }
}

export interface WatchOptions extends Partial<Omit<InstanceWatchRequest, "instanceId">> {
  readonly reads?: boolean;
}

export function watchInstance(hub: TestHub, instanceId: string, options: WatchOptions = {}) {
  const { reads, ...request } = options;
  const all = { instanceId, resumeToken: "", minIntervalMs: 0, waitForCreation: false, ...request };
  const { watches } = hub.hub;
  return new Watching((signal) => watches.instance(all, shownText, signal), reads);
}

export interface HubWatchOptions {
  readonly filter?: Partial<Omit<InstanceFilter, "$typeName" | "$unknown">>;
  readonly resumeToken?: string;
  readonly minIntervalMs?: number;
  readonly reads?: boolean;
}

export function watchInstances(hub: TestHub, options: HubWatchOptions = {}) {
  const { filter = {}, resumeToken = "", minIntervalMs = 0, reads } = options;
  const compiled = new WatchFilter(create(InstanceFilterSchema, filter));
  const request = { filter: compiled, resumeToken, minIntervalMs };
  const { watches } = hub.hub;
  return new Watching((signal) => watches.instances(request, shownText, signal), reads);
}

const wholeHub = {
  kind: "window",
  selector: undefined,
  startsAt: undefined,
  refusesStarts: false,
  includeEntities: true,
} as const;

export async function placeWindow(
  hub: TestHub,
  name: string,
  target: Partial<Extract<HubHoldTarget, { kind: "window" }>> = {},
): Promise<void> {
  const wish = wishFor(name);
  await hub.hub.suspensions.placeWindow(wish, { ...wholeHub, ...target }, true, noReply);
}

export async function releaseWindow(hub: TestHub, name: string): Promise<void> {
  await hub.hub.suspensions.releaseWindows({ name }, undefined, "", noReply);
}

export async function placeTree(hub: TestHub, instanceId: string, name: string): Promise<void> {
  await hub.hub.suspensions.placeTree(instanceId, wishFor(name), true, noReply);
}

export async function placeHold(hub: TestHub, instanceId: string, name: string): Promise<void> {
  const options = { replace: true, ignoreFinished: false };
  await hub.hub.suspensions.place(instanceId, wishFor(name), options, noReply);
}

function wishFor(name: string): HoldWish {
  return {
    name,
    reason: undefined,
    requestedBy: "",
    resumeCondition: undefined,
    expiresAt: undefined,
    expiryAction: ExpiryAction.UNSPECIFIED,
    timerPolicy: TimerPolicy.KEEP,
  };
}
