/** Holds of every scope, placed and released as clients do it, in as few words as possible. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { noReply, type Reply } from "../../sidecar/engine/repeat.ts";
import type { Placed, Released } from "../../sidecar/scheduler/suspensions.ts";
import {
  ExpiryAction,
  type Hold,
  type HubHold,
  PacedReleaseSchema,
  SelectorSchema,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { TestHub } from "./scheduler-harness.ts";

export interface WishOptions {
  readonly name?: string;
  readonly reason?: string;
  readonly freeze?: boolean;
  readonly expiresAt?: Timestamp;
  /** RESUME when only a time is given. */
  readonly expiry?: ExpiryAction;
  readonly replace?: boolean;
  /** Idempotency key: the call answers the name and whether it was placed. */
  readonly key?: string;
}

export interface WindowOptions extends WishOptions {
  readonly selector?: MessageInitShape<typeof SelectorSchema>;
  readonly startsAt?: Timestamp;
  readonly refusesStarts?: boolean;
  readonly includeEntities?: boolean;
}

export type Pace = MessageInitShape<typeof PacedReleaseSchema>;

/** A hold of one instance. */
export function hold(hub: TestHub, instanceId: string, options: WishOptions = {}) {
  const { replace = false } = options;
  const reply = placedReply<Hold>(options.key, ({ hold }) => hold.name);
  return hub.hub.suspensions.place(
    instanceId,
    wishOf(options),
    { replace, ignoreFinished: false },
    reply,
  );
}

/** A hold of an instance and all its descendants. */
export function holdTree(hub: TestHub, instanceId: string, options: WishOptions = {}) {
  const { replace = false } = options;
  const reply = placedReply<HubHold>(options.key, ({ hold }) => hold.hold?.name ?? "");
  return hub.hub.suspensions.placeTree(instanceId, wishOf(options), replace, reply);
}

/** A maintenance window. */
export function holdHub(hub: TestHub, options: WindowOptions = {}) {
  const { replace = false, selector, startsAt, refusesStarts = false } = options;
  const target = {
    kind: "window",
    selector: selector && create(SelectorSchema, selector),
    startsAt,
    refusesStarts,
    includeEntities: options.includeEntities ?? false,
  } as const;
  const reply = placedReply<HubHold>(options.key, ({ hold }) => hold.hold?.name ?? "");
  return hub.hub.suspensions.placeWindow(wishOf(options), target, replace, reply);
}

export function release(
  hub: TestHub,
  instanceId: string,
  options: { readonly name?: string | "all"; readonly key?: string } = {},
) {
  const { name = "h" } = options;
  const wish = { ...releaseOf(undefined), names: name === "all" ? ("all" as const) : [name] };
  return hub.hub.suspensions.release(instanceId, wish, releasedReply(options.key));
}

export function releaseTree(hub: TestHub, instanceId: string, pace?: Pace, name = "h") {
  const wish = { ...releaseOf(pace), trees: [name] };
  return hub.hub.suspensions.release(instanceId, wish, releasedReply(undefined));
}

/** Everything that was placed on this instance. */
export function releaseAll(hub: TestHub, instanceId: string) {
  const wish = { ...releaseOf(undefined), names: "all", trees: "all", alsoEntities: true } as const;
  return hub.hub.suspensions.release(instanceId, wish, releasedReply(undefined));
}

export function releaseHub(hub: TestHub, pace?: Pace, which: string | "all" = "h", key?: string) {
  const stored = pace && create(PacedReleaseSchema, pace);
  return hub.hub.suspensions.releaseWindows(
    which === "all" ? "all" : { name: which },
    stored,
    "",
    releasedReply(key),
  );
}

/** What GetSuspension and WaitForQuiescence rest on, as plain facts. */
export function stillness(hub: TestHub, instanceId: string) {
  return hub.hub.stillnesses.ofInstance(instanceId, (seen) => ({
    holds: [
      ...seen.state.holds.map(({ name }) => name),
      ...seen.covering.map(({ hold: it }) => it?.name),
    ],
    inFlight: seen.leases.map((lease) => (lease.kind === "activity" ? lease.name : lease.kind)),
    activitiesHeldBack: seen.activitiesHeldBack,
    turnHeldBack: seen.turnHeldBack,
    quiescent: seen.isQuiescent,
  }));
}

/** Names of the holds of the hub, with how far they are being released. */
export function hubHolds(hub: TestHub): string[] {
  return hub.hub.hubHolds.map((held) => {
    const progress = hub.hub.releaseProgress(held);
    const name = held.hold?.name ?? "";
    if (progress === undefined) return name;
    return `${name} ${progress.letThrough}${progress.awaitingResume ? " awaiting" : ""}`;
  });
}

function wishOf({ name = "h", reason, freeze = false, expiresAt, expiry }: WishOptions) {
  return {
    name,
    reason,
    requestedBy: "",
    resumeCondition: undefined,
    expiresAt,
    expiryAction:
      expiry ?? (expiresAt === undefined ? ExpiryAction.UNSPECIFIED : ExpiryAction.RESUME),
    timerPolicy: freeze ? TimerPolicy.FREEZE : TimerPolicy.KEEP,
  };
}

function releaseOf(pace: Pace | undefined) {
  return {
    names: [] as readonly string[],
    trees: [] as readonly string[],
    pace: pace && create(PacedReleaseSchema, pace),
    reason: undefined,
    requestedBy: "",
    ignoreFinished: false,
  };
}

/** The name, and whether it was placed. */
function placedReply<H>(
  key: string | undefined,
  name: (placed: Placed<H>) => string,
): Reply<Placed<H>, string> {
  return textReply(key, (placed) => `${name(placed)} ${placed.placed ? "placed" : "was there"}`);
}

/** What was released, and what remains. */
function releasedReply(key: string | undefined): Reply<Released, string> {
  return textReply(key, ({ released, releasedOfHub, remaining, remainingOfHub }) => {
    const gone = [...released, ...releasedOfHub.map(({ hold: it }) => it)];
    const left = [...remaining, ...remainingOfHub.map(({ hold: it }) => it)];
    return `released [${gone.map((it) => it?.name)}] remaining [${left.map((it) => it?.name)}]`;
  });
}

function textReply<Outcome>(
  key: string | undefined,
  result: (outcome: Outcome) => string,
): Reply<Outcome, string> {
  return {
    ...noReply,
    key,
    result,
    encode: (text) => Buffer.from(text),
    decode: (bytes) => Buffer.from(bytes).toString(),
  };
}
