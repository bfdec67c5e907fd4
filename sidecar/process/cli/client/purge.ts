import { OrchestrationStatusSchema } from "../../../wire/gen/orchestrator_service_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { ClientContext, ClientWork } from "./context.ts";
import { doToEach, type Outcome } from "./deed.ts";
import { parseFilter } from "./filter.ts";
import { payloadsOf } from "./get.ts";
import { type SelectionFlags, selectedIds } from "./selection.ts";
import { FINISHED, plural } from "./words.ts";

export interface PurgeFlags extends SelectionFlags {
  readonly hold?: string;
  readonly recursive?: boolean;
}

/** Removes each instance with everything that is stored of it. Only finished ones can be. */
export const purge: ClientWork<PurgeFlags> = async (context, flags, operands) => {
  const filter = parseFilter(flags, flags.hold, context.nowMs());
  if (filter.statuses.length === 0) filter.statuses = [...FINISHED];
  const instanceIds = await selectedIds(context, operands, flags, {
    verb: "purge",
    filter,
    filteredByHold: flags.hold !== undefined,
  });
  if (instanceIds === undefined) return EXIT.ok;
  return await doToEach(context, instanceIds, {
    act: (instanceId) => purgeOne(context, instanceId, flags.recursive ?? false),
  });
};

async function purgeOne(
  context: ClientContext,
  instanceId: string,
  recursive: boolean,
): Promise<Outcome> {
  const { deletedInstanceCount } = await context.compat.purgeInstances(
    {
      request: { case: "instanceId", value: instanceId },
      recursive,
      isOrchestration: true,
    },
    context.quick,
  );
  if (deletedInstanceCount > 0) {
    const children = deletedInstanceCount - 1;
    const note = children === 0 ? "" : `with ${plural(children, "descendant")}`;
    return { result: "purged", note, json: { deletedInstanceCount } };
  }
  // The published call counts, and does not say why it has counted nothing.
  const { orchestrationStatus } = await payloadsOf(context, instanceId);
  throw new ExitError(
    EXIT.failedPrecondition,
    `instance ${JSON.stringify(instanceId)} has not finished: ` +
      `it is ${OrchestrationStatusSchema.value[orchestrationStatus]?.localName}`,
  );
}
