/** Calls of clients and workers that got no answer. */
import { HubError } from "../../../sidecar/foundation/errors.ts";

/** No answer came back: nobody knows whether it was done. */
export class Lost extends Error {
  override readonly name = "Lost";
}

/** Nobody knows whether it was done, or it was refused because the process was on its way out. */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof Lost) return true;
  return (
    error instanceof HubError && (error.code === "unavailable" || error.code === "store-distrusted")
  );
}
