/** Holds in a line each, for tests that tell a story of one hold. */
import { create } from "@bufbuild/protobuf";
import type { HoldWish } from "../../../sidecar/engine/holds.ts";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import {
  ExpiryAction,
  PacedReleaseSchema,
  SelectorSchema,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";

export type Scope = "instance" | "tree" | "window" | "selector";
export const scopes: readonly Scope[] = ["instance", "tree", "window", "selector"];

export interface HoldOptions {
  readonly policy?: "KEEP" | "FREEZE";
  readonly expiresIn?: number;
  readonly replace?: boolean;
  /** Beginning of the instance ids that a selector matches. */
  readonly prefix?: string;
}

/** Holds the instance "a", or what it is part of, under the name "h". */
export function hold(hub: TestHub, scope: Scope, options: HoldOptions = {}): Promise<undefined> {
  const { policy = "KEEP", expiresIn, replace = false, prefix = "a" } = options;
  const wish: HoldWish = {
    name: "h",
    reason: undefined,
    requestedBy: "test",
    resumeCondition: undefined,
    expiresAt: expiresIn === undefined ? undefined : hub.clock.in(expiresIn * 1_000),
    expiryAction: ExpiryAction.RESUME,
    timerPolicy: TimerPolicy[policy],
  };
  const { suspensions } = hub.hub;
  if (scope === "instance") {
    return suspensions.place("a", wish, { replace, ignoreFinished: false }, noReply);
  }
  if (scope === "tree") return suspensions.placeTree("a", wish, replace, noReply);
  const selector = create(SelectorSchema, { instanceIdPrefix: scope === "selector" ? prefix : "" });
  const target = { kind: "window", selector, startsAt: undefined, refusesStarts: false } as const;
  return suspensions.placeWindow(wish, { ...target, includeEntities: false }, replace, noReply);
}

/** Lets go of the hold "h"; a hold of an instance knows no pace. */
export function letGo(hub: TestHub, scope: Scope, paced = false): Promise<undefined> {
  const pace = paced ? create(PacedReleaseSchema, { instancesPerSecond: 1 }) : undefined;
  const { suspensions } = hub.hub;
  if (scope === "window" || scope === "selector") {
    return suspensions.releaseWindows({ name: "h" }, pace, "test", noReply);
  }
  const names = scope === "instance" ? ["h"] : [];
  const trees = scope === "tree" ? ["h"] : [];
  const wish = { names, trees, pace, reason: undefined, requestedBy: "test" };
  return suspensions.release("a", { ...wish, ignoreFinished: false }, noReply);
}
