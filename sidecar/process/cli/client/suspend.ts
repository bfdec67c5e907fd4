import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { HoldScope } from "../../../wire/gen/taskhub/v1/hold_pb.ts";
import {
  QuiescenceOutcome,
  type SuspendInstanceRequest,
  SuspendInstanceRequestSchema,
  SuspendInstanceResponseSchema,
  type WaitForQuiescenceResponse,
  WaitForQuiescenceResponseSchema,
} from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { EXIT, type ExitCode } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { doToEach, type Outcome } from "./deed.ts";
import { parseFilter } from "./filter.ts";
import { type HoldFlags, holdFields } from "./hold-flags.ts";
import { holdName, holdSentence } from "./instance-columns.ts";
import { type SelectionFlags, selectedIds } from "./selection.ts";
import { UNFINISHED } from "./words.ts";

export interface SuspendFlags extends SelectionFlags, HoldFlags {
  readonly hold?: string;
  readonly tree?: boolean;
  readonly wait?: boolean;
}

/** Places a hold on each instance. */
export const suspend: ClientWork<SuspendFlags> = async (context, flags, operands) => {
  const request = suspendRequest(flags);
  const filter = parseFilter(flags, flags.heldBy, context.nowMs());
  // A finished instance cannot be suspended: nobody means it.
  if (filter.statuses.length === 0) filter.statuses = [...UNFINISHED];
  const instanceIds = await selectedIds(context, operands, flags, {
    verb: "suspend",
    filter,
    filteredByHold: flags.heldBy !== undefined,
  });
  if (instanceIds === undefined) return EXIT.ok;
  return await doToEach(context, instanceIds, {
    act: (instanceId) => place(context, { ...request, instanceId }),
    settle: flags.wait ? (instanceId) => waitUntilQuiet(context, instanceId, flags) : undefined,
  });
};

/**
 * The request for any instance.
 *
 * @throws ExitError 64
 */
export function suspendRequest(flags: SuspendFlags): SuspendInstanceRequest {
  return create(SuspendInstanceRequestSchema, {
    name: flags.hold ?? "",
    scope: flags.tree ? HoldScope.TREE : HoldScope.INSTANCE,
    ...holdFields(flags, true),
  });
}

async function place(
  { v1, quick }: ClientContext,
  request: SuspendInstanceRequest,
): Promise<Outcome> {
  const answer = await v1.suspendInstance(request, quick);
  const json = toJson(SuspendInstanceResponseSchema, answer) as JsonObject;
  const { hold, placed } = answer;
  if (hold === undefined) return { result: "suspended", json };
  return placed
    ? { result: "suspended", note: `by hold ${holdName(hold)}`, json }
    : { result: "unchanged", note: `held already: ${holdSentence(hold)}`, json };
}

async function waitUntilQuiet(
  { v1, patient }: ClientContext,
  instanceId: string,
  { tree, hold = "" }: SuspendFlags,
): Promise<Outcome> {
  const target = tree
    ? ({ case: "tree", value: { instanceId, name: hold } } as const)
    : ({ case: "instanceId", value: instanceId } as const);
  return quietOutcome(await v1.waitForQuiescence({ target }, patient));
}

/** How a wait for quiescence ended, in one word. */
export function quietOutcome(answer: WaitForQuiescenceResponse): Outcome {
  const json = toJson(WaitForQuiescenceResponseSchema, answer) as JsonObject;
  switch (answer.outcome) {
    case QuiescenceOutcome.QUIESCENT:
      return { result: "quiescent", note: "suspended, and nothing of it is with a worker", json };
    case QuiescenceOutcome.RELEASED:
      return { result: "released", note: "nothing holds it any more", failed: true, json };
    default:
      return { result: "ended", note: "it has finished or is gone", failed: true, json };
  }
}

/** 1 when the wait did not end as it was meant to. */
export function quietExitCode({ failed }: Outcome): ExitCode {
  return failed ? EXIT.failure : EXIT.ok;
}
