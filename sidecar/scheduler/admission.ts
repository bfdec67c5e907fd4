/**
 * What is refused while the store is short of space or far behind. Only what asks for more work is
 * refused: completions, terminations and purges free what is short, and most workers never repeat a
 * completion that was refused.
 */
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { SpaceLevel } from "../store/space.ts";
import type { Store } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";

/** Why something was refused. */
export type ShedReason = "disk" | "backlog";

/** From which level on clients are refused what they ask for; what is not here is never refused. */
const refusedFrom: ReadonlyMap<Cause, SpaceLevel> = new Map([
  [Cause.START, "tight"],
  [Cause.REWIND, "tight"],
  [Cause.RESTART, "tight"],
  [Cause.RAISE_EVENT, "tight"],
  [Cause.SIGNAL_ENTITY, "tight"],
  [Cause.SUSPEND, "full"],
  [Cause.SUSPEND_HUB, "full"],
  [Cause.SCHEMA, "full"],
  [Cause.CREATE_HUB, "full"],
]);

const severity: Readonly<Record<SpaceLevel, number>> = {
  ample: 0,
  low: 0,
  tight: 1,
  full: 2,
};

export class Admission {
  /** How many requests were refused, by reason. */
  readonly shed: Record<ShedReason, number> = { disk: 0, backlog: 0 };
  readonly #store: Pick<Store, "space" | "pendingBytes">;

  constructor(store: Pick<Store, "space" | "pendingBytes">) {
    this.#store = store;
  }

  /** @throws HubError "limit-exceeded" when this is not the time for such a request */
  admit(cause: Cause): void {
    const from = refusedFrom.get(cause);
    if (from === undefined) return;
    const { space, pendingBytes } = this.#store;
    if (severity[space.level] >= severity[from]) {
      this.shed.disk += 1;
      throw new HubError(
        "limit-exceeded",
        "the disk of the task hub is nearly full: nothing new is accepted until there is space",
      );
    }
    if (pendingBytes > LIMITS.pendingBytesMax) {
      this.shed.backlog += 1;
      throw new HubError(
        "limit-exceeded",
        "the task hub is waiting for its disk: nothing new is accepted for the moment",
      );
    }
  }
}
