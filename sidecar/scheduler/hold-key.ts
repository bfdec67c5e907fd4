import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";

/** A hold of a hub as the key of a map: its scope, its origin and its name. */
export function keyText({ hold, origin }: HubHold): string {
  return `${hold?.scope}/${origin?.number ?? 0n}/${hold?.name}`;
}
