import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";

/** The hub of a call that names none. */
export const DEFAULT_TASK_HUB = "default";

/** Printable ASCII without a comma: all that gRPC metadata can carry as one value. */
const taskHubPattern = /^[\x20-\x2b\x2d-\x7e]+$/;

/**
 * The task hub that a call names. Absent means the default hub.
 *
 * Empty does not: it is what an unset variable in a connection string gives, and work started in
 * the wrong hub is worse than an error at the first call. A comma is refused because HTTP/2 joins a
 * repeated key with commas, so that two hubs would look like one with an odd name.
 *
 * @param values of the metadata key `taskhub`
 * @throws HubError "invalid-argument"
 */
export function taskHubName(values: readonly (string | Uint8Array)[]): string {
  const value = values[0];
  if (value === undefined) return DEFAULT_TASK_HUB;
  if (values.length > 1 || typeof value !== "string") throw refused("must be given once, as text");
  if (value === "") throw refused('is empty; leave it out for the hub "default"');
  if (value.length > LIMITS.taskHubNameBytesMax) {
    throw refused(`is longer than ${LIMITS.taskHubNameBytesMax} bytes`);
  }
  if (!isTaskHubText(value)) {
    throw refused("may hold only printable ASCII without commas, and must be given once");
  }
  return value;
}

/** Whether a text could be the name of a hub, but for its length. */
export function isTaskHubText(value: string): boolean {
  return taskHubPattern.test(value);
}

/** A value for logs and labels, cut to a bounded length; undefined if absent. */
export function labelValue(values: readonly (string | Uint8Array)[]): string | undefined {
  const value = values[0];
  return typeof value === "string" ? value.slice(0, LIMITS.nameBytesMax) : undefined;
}

function refused(why: string): HubError {
  return new HubError("invalid-argument", `the metadata value "taskhub" ${why}`);
}
