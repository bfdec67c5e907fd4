import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type Hold, HoldScope } from "../../../wire/gen/taskhub/v1/hold_pb.ts";
import type { Instance } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import {
  type ResumeInstanceRequest,
  ResumeInstanceRequestSchema,
  ResumeInstanceResponseSchema,
} from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { doToEach, type Outcome } from "./deed.ts";
import { parseFilter } from "./filter.ts";
import { type PaceFlags, parsePace } from "./hold-flags.ts";
import { holdName } from "./instance-columns.ts";
import { requestedBy } from "./operands.ts";
import { type SelectionFlags, selectedIds } from "./selection.ts";

export interface ResumeFlags extends SelectionFlags, PaceFlags {
  readonly hold?: string;
  readonly tree?: boolean;
  readonly allHolds?: boolean;
  readonly reason?: string;
  readonly by?: string;
}

/** Releases holds of each instance. */
export const resume: ClientWork<ResumeFlags> = async (context, flags, operands) => {
  const request = resumeRequest(flags);
  // Only what such a hold holds is worth a call, and worth being shown before.
  const heldBy = flags.heldBy ?? (flags.allHolds ? undefined : request.name);
  const filter = parseFilter(flags, heldBy, context.nowMs());
  if (flags.allHolds) filter.held ??= true;
  const instanceIds = await selectedIds(context, operands, flags, {
    verb: "resume",
    filter,
    only: (instance) => instance.holds.some((hold) => isMeant(hold, instance, request)),
    filteredByHold: flags.heldBy !== undefined,
  });
  if (instanceIds === undefined) return EXIT.ok;
  return await doToEach(context, instanceIds, {
    act: (instanceId) => release(context, { ...request, instanceId }),
  });
};

/**
 * The request for any instance.
 *
 * @throws ExitError 64
 */
export function resumeRequest(flags: ResumeFlags): ResumeInstanceRequest {
  const { hold, tree = false, allHolds = false, reason, by } = flags;
  if (allHolds && (hold !== undefined || tree)) {
    throw new ExitError(EXIT.usage, "--all-holds does not go with --hold or --tree");
  }
  const pace = parsePace(flags);
  if (pace !== undefined && !tree) {
    throw new ExitError(EXIT.usage, "--rate and --canaries need --tree");
  }
  const named = { name: hold ?? "", scope: tree ? HoldScope.TREE : HoldScope.INSTANCE };
  return create(ResumeInstanceRequestSchema, {
    ...(allHolds ? { allHolds } : named),
    requestedBy: requestedBy(by),
    ...present("reason", reason),
    ...present("pace", pace),
  });
}

/** Whether the request would release this hold: windows, and trees of others, it would not. */
function isMeant(
  { name, scope, originInstanceId }: Hold,
  { instanceId }: Instance,
  request: ResumeInstanceRequest,
): boolean {
  const isOwn =
    scope === HoldScope.INSTANCE || (scope === HoldScope.TREE && originInstanceId === instanceId);
  if (request.allHolds) return isOwn;
  return isOwn && name === request.name && scope === request.scope;
}

async function release(
  { v1, quick }: ClientContext,
  request: ResumeInstanceRequest,
): Promise<Outcome> {
  const answer = await v1.resumeInstance(request, quick);
  const { released, remaining } = answer;
  const result = released.length === 0 ? "unchanged" : "resumed";
  const gone = released.length === 0 ? "no such hold" : `released ${names(released)}`;
  const still = remaining.length === 0 ? "" : `; still held by ${names(remaining)}`;
  const json = toJson(ResumeInstanceResponseSchema, answer) as JsonObject;
  return { result, note: gone + still, json };
}

function names(holds: Parameters<typeof holdName>[0][]): string {
  return holds.map(holdName).join(", ");
}
