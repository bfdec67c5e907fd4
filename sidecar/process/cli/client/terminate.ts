import { present } from "../../../wire/history-event.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { doToEach } from "./deed.ts";
import { parseFilter } from "./filter.ts";
import { jsonArgument } from "./operands.ts";
import { type SelectionFlags, selectedIds } from "./selection.ts";
import { UNFINISHED } from "./words.ts";

export interface TerminateFlags extends SelectionFlags {
  readonly hold?: string;
  readonly output?: string;
  readonly recursive?: boolean;
}

/** Terminates each instance. */
export const terminate: ClientWork<TerminateFlags> = async (context, flags, operands) => {
  const { v1, quick, surroundings } = context;
  const { recursive = false } = flags;
  const output = await jsonArgument(flags.output, "--output", surroundings.workingDirectory);
  const filter = parseFilter(flags, flags.hold, context.nowMs());
  if (filter.statuses.length === 0) filter.statuses = [...UNFINISHED];
  const instanceIds = await selectedIds(context, operands, flags, {
    verb: "terminate",
    filter,
    filteredByHold: flags.hold !== undefined,
  });
  if (instanceIds === undefined) return EXIT.ok;
  return await doToEach(context, instanceIds, {
    act: async (instanceId) => {
      await v1.terminateInstance({ instanceId, recursive, ...present("output", output) }, quick);
      // It is durable; a turn that a worker has may still have to come back.
      return { result: "terminating", json: {} };
    },
  });
};
