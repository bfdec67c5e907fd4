import { HubError } from "../../foundation/errors.ts";
import { compileSchema } from "../../foundation/json-schema.ts";
import type { StatusSchema } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { StatusContract } from "./custom-status.ts";

/** The contract that a stored schema stands for. Costs some milliseconds: keep the result. */
export function contractOf({ schema, warnOnly }: StatusSchema): StatusContract {
  try {
    const { check } = compileSchema(schema);
    return { check, warnOnly };
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    // It could be used when it was put, by an earlier version. Nobody's instance fails for that.
    return { check: () => `it cannot be checked: ${error.message}`, warnOnly: true };
  }
}
