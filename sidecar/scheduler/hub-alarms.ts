/** What falls due in the hub itself: windows that begin, windows and trees that expire. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { expiredOutput } from "../engine/due.ts";
import { decideHubDue, expired, nextHubDue } from "../engine/hub/hub-holds.ts";
import type { Alarm, HubClock } from "../foundation/clock.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { ExpiryAction, type HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import type { Background } from "./background.ts";
import { type TerminateTreeOptions, terminateTree } from "./terminate-tree.ts";

export interface HubAlarmsOptions extends TerminateTreeOptions {
  readonly clock: HubClock;
  readonly background: Background;
  /** A window has begun to hold. */
  readonly began: () => void;
}

/** Holds of a hub are few and in memory, so their times need no rows of an index. */
export class HubAlarms {
  readonly #options: HubAlarmsOptions;
  #alarm: { readonly at: Timestamp; readonly alarm: Alarm } | undefined;
  #closed = false;

  constructor(options: HubAlarmsOptions) {
    this.#options = options;
  }

  /** Sets the alarm for what is next. */
  arm(): void {
    const { hub, clock, background } = this.#options;
    const at = hub.state && nextHubDue(hub.state, clock.now());
    if (at !== undefined && this.#alarm && compareTimestamps(at, this.#alarm.at) === 0) return;
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    if (at === undefined || this.#closed) return;
    const alarm = clock.wakeAt(at, () => {
      this.#alarm = undefined;
      background.run(this.#ring());
    });
    this.#alarm = { at, alarm };
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.alarm.cancel();
  }

  async #ring(): Promise<void> {
    const { hub, road, clock, began } = this.#options;
    if (hub.state === undefined || this.#closed) return;
    // First the termination, then the mark that it was asked for: a crash in between repeats it.
    const asked = new Set<HubHold>();
    for (const hold of expired(hub.state, clock.now())) {
      if (hold.hold?.expiryAction !== ExpiryAction.TERMINATE) continue;
      if (hold.origin !== undefined) {
        await terminateTree(this.#options, hold.origin, expiredOutput(hold.hold.name));
      }
      asked.add(hold);
    }
    // What has expired meanwhile has its turn at the next alarm.
    if (hub.state !== undefined) {
      road.decideHub(Cause.DUE, (state, environment) => decideHubDue(state, asked, environment));
    }
    began();
    this.arm();
  }
}
