/** What falls due in instances: their earliest time is a row of the due index. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { decideDue, nextExpiry } from "../engine/due.ts";
import { freezesNow, hubFreezesOf } from "../engine/hub/hub-freezes.ts";
import type { Alarm, HubClock } from "../foundation/clock.ts";
import type { DueRow } from "../store/store.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { InstanceAddressSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import { compareTimestamps, isAfter } from "../wire/timestamp.ts";
import type { Background } from "./background.ts";
import { type Head, turnInFlight } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import type { Road } from "./road.ts";

export interface InstanceAlarmsOptions {
  readonly hub: HubLog;
  readonly heads: Heads;
  readonly road: Road;
  readonly now: () => Timestamp;
  readonly hubClock: HubClock;
  readonly background: Background;
  /** False when the row is found again by itself when its time comes near. */
  readonly scheduleDue: (row: DueRow) => boolean;
}

export class InstanceAlarms {
  readonly #options: InstanceAlarmsOptions;
  /** Timers of these fell due while a window or tree froze them, by instance id. */
  readonly #frozen = new Map<string, Frozen>();

  constructor(options: InstanceAlarmsOptions) {
    this.#options = options;
  }

  /** Fires what is due in one instance. */
  async due({ due, number, address }: DueRow): Promise<void> {
    const { heads, road } = this.#options;
    const head = await heads.pin(address.instanceId);
    try {
      if (head.state?.number !== number) {
        road.dropDueRow(due, number);
        return;
      }
      head.dueScheduled = undefined;
      this.#fire(head, head.state);
    } finally {
      heads.unpin(head);
    }
  }

  /** Sets the alarm for what is due next in an instance. */
  schedule(head: Head): void {
    const { hub, scheduleDue } = this.#options;
    const due = head.indexed?.due;
    const { instanceId } = head;
    if (due === undefined || hub.number === undefined || head.state === undefined) {
      this.#thaw(instanceId);
      return;
    }
    const address = create(InstanceAddressSchema, { hub: hub.number, instanceId });
    const row = { due, number: head.state.number, address };
    const frozen = this.#frozen.get(instanceId);
    if (frozen !== undefined) {
      if (isSameRow(frozen.row, row)) return this.#expireMeanwhile(frozen, head.state);
      this.#thaw(instanceId);
    }
    if (head.dueScheduled !== undefined && compareTimestamps(head.dueScheduled, due) === 0) return;
    const isScheduled = scheduleDue(row);
    // What is not in memory is asked for again: it may not be durable yet, and be missed on the
    // disk.
    if (isScheduled) head.dueScheduled = due;
  }

  /** Holds of the hub have changed: timers that stood still may go on. */
  holdsChanged(): void {
    const rows = Array.from(this.#frozen.values(), ({ row }) => row);
    this.forget();
    // They are due: each fires at once, and is set aside again if it still stands still.
    for (const row of rows) this.#options.scheduleDue(row);
  }

  /** Something of it was due, and waits until windows and trees let time go on. */
  isFrozen(instanceId: string): boolean {
    return this.#frozen.has(instanceId);
  }

  /** Sets no alarm of its own any more. */
  forget(): void {
    for (const { alarm } of this.#frozen.values()) alarm?.cancel();
    this.#frozen.clear();
  }

  #fire(head: Head, state: NonNullable<Head["state"]>): void {
    const { hub, road, now } = this.#options;
    const at = now();
    const frozen = hub.holdsOn(state, at).some((hold) => freezesNow(hold, at));
    const command = {
      turnInFlight: turnInFlight(head) !== undefined,
      hubFreezes: hubFreezesOf(hub.state, state, at),
      frozen,
    };
    const decision = road.decide(head, Cause.DUE, (current, environment) =>
      decideDue(current, command, environment),
    );
    this.#thaw(head.instanceId);
    const due = head.indexed?.due;
    if (frozen && due !== undefined && !isAfter(due, at) && head.state !== undefined) {
      // The row stays on the disk, and is looked at again when time goes on.
      const address = create(InstanceAddressSchema, {
        hub: hub.number ?? 0n,
        instanceId: head.instanceId,
      });
      const row = { due, number: head.state.number, address };
      this.#frozen.set(head.instanceId, { row, expiry: undefined, alarm: undefined });
    }
    // The wall clock was set back since the alarm went off, or something earlier had taken it
    // along.
    if (decision.kind === "nothing") this.schedule(head);
  }

  /** What is due behind a timer that stands still: holds of the instance itself expire all the same. */
  #expireMeanwhile(frozen: Frozen, state: NonNullable<Head["state"]>): void {
    const { hubClock, background } = this.#options;
    const expiry = nextExpiry(state);
    if (expiry !== undefined && frozen.expiry && compareTimestamps(expiry, frozen.expiry) === 0) {
      return;
    }
    frozen.alarm?.cancel();
    frozen.expiry = expiry;
    frozen.alarm = expiry && hubClock.wakeAt(expiry, () => background.run(this.due(frozen.row)));
  }

  #thaw(instanceId: string): void {
    this.#frozen.get(instanceId)?.alarm?.cancel();
    this.#frozen.delete(instanceId);
  }
}

/** An instance whose earliest due row waits until windows and trees let time go on. */
interface Frozen {
  readonly row: DueRow;
  /** When a hold of its own expires meanwhile, and the alarm for it. */
  expiry: Timestamp | undefined;
  alarm: Alarm | undefined;
}

function isSameRow(left: DueRow, right: DueRow): boolean {
  return left.number === right.number && compareTimestamps(left.due, right.due) === 0;
}
