import { present } from "../../../wire/history-event.ts";
import { EXIT } from "../../exit-codes.ts";
import { escapeControls } from "../../safe-text.ts";
import type { ClientWork } from "./context.ts";
import { jsonArgument, operand } from "./operands.ts";
import { printDocument } from "./output.ts";

export interface RaiseEventFlags {
  readonly data?: string;
  readonly requestId?: string;
}

/** Raises an external event. */
export const raiseEvent: ClientWork<RaiseEventFlags> = async (context, flags, operands) => {
  const { v1, quick, surroundings } = context;
  const instanceId = operand(operands, 0, "the instance id");
  const name = operand(operands, 1, "the name of the event");
  const input = await jsonArgument(flags.data, "--data", surroundings.workingDirectory);
  const { requestId = "" } = flags;
  await v1.raiseEvent({ instanceId, name, requestId, ...present("input", input) }, quick);
  printDocument(
    context,
    { instanceId, name },
    () => `raised ${escapeControls(name)} for ${escapeControls(instanceId)}\n`,
  );
  return EXIT.ok;
};
