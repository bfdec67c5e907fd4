/**
 * The one question of the dispatcher, asked at the moment an item is written to a stream and not
 * earlier: an item that was queued before a suspend must not slip out after it.
 *
 * An instance runs only when nothing holds it: no hold of its own, whose release is durable, and no
 * tree or window of the hub. What the hub holds back is remembered here by instance id, so that it
 * can be taken up again when something changes.
 */
import { isHeld } from "../engine/status.ts";
import type { Alarm, HubClock, SteadyClock } from "../foundation/clock.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Head } from "./head.ts";
import { keyText } from "./hold-key.ts";
import type { HubLog } from "./hub-log.ts";
import { PacedRelease } from "./paced-release.ts";

/** A released hold still holds until its release is durable: a crash would bring it back. */
export function isReleaseSettled(head: Head): boolean {
  return head.releaseSequence <= head.durableSequence;
}

/** An instance whose work the hub holds back. */
export interface HeldBack {
  readonly by: readonly HubHold[];
  /** The paced release that it waits for, if it is only that. */
  readonly release: PacedRelease | undefined;
}

/** What the gate tells. */
export interface HoldGateListener {
  /** What was held back may be able to go on: it has to be looked at again. */
  reconsider(instanceIds: readonly string[]): void;
  /** A paced release has let an instance through. */
  letThrough(head: Head): void;
  /** A paced release has let everything through that it held back. */
  releaseComplete(hold: HubHold): void;
}

export class HoldGate {
  readonly #hub: HubLog;
  readonly #hubClock: HubClock;
  readonly #steadyClock: SteadyClock;
  readonly #listener: HoldGateListener;
  readonly #heldBack = new Map<string, HeldBack>();
  readonly #releases = new Map<string, PacedRelease>();
  #alarm: { readonly atMs: number; readonly alarm: Alarm } | undefined;
  #recovering = true;
  /** Holds that what is held back was looked at under. */
  #inForce: readonly HubHold[] = [];

  constructor(
    hub: HubLog,
    clocks: { readonly hubClock: HubClock; readonly steadyClock: SteadyClock },
    listener: HoldGateListener,
  ) {
    this.#hub = hub;
    this.#hubClock = clocks.hubClock;
    this.#steadyClock = clocks.steadyClock;
    this.#listener = listener;
    hub.isLetThrough = (hold, number) => this.#releaseOf(hold)?.isThrough(number) ?? false;
  }

  /** Instances whose work trees and windows hold back, by instance id. */
  get heldBack(): ReadonlyMap<string, HeldBack> {
    return this.#heldBack;
  }

  /**
   * Whether anything holds the instance now. A paced release may let it through by this very question;
   * what the hub holds back is looked at again later.
   */
  holds(head: Head): boolean {
    const { state } = head;
    if (state === undefined || isHeld(state) || !isReleaseSettled(head)) return true;
    if (!this.#hub.hasHolds) return false;
    const waitingFor: PacedRelease[] = [];
    const by = this.#hub.covering(state, this.#hubClock.now());
    for (const hold of by) {
      const release = this.#releaseOf(hold);
      if (release === undefined) {
        this.#holdBack(head.instanceId, { by, release });
        return true;
      }
      if (!release.isThrough(state.number)) waitingFor.push(release);
    }
    const release = waitingFor.find(({ hasRoom }) => !hasRoom);
    if (release !== undefined) {
      this.#holdBack(head.instanceId, { by, release });
      this.#arm(release);
      return true;
    }
    for (const paced of waitingFor) paced.letThroughNow(state.number);
    if (waitingFor.length > 0) this.#listener.letThrough(head);
    // Something else of it was quicker than the alarm, or it is not covered any more: all else that
    // was set aside goes on with it.
    if (this.#heldBack.has(head.instanceId)) {
      this.forget(head.instanceId);
      this.#listener.reconsider([head.instanceId]);
    }
    return false;
  }

  /** Nothing of the instance is left to hold back. */
  forget(instanceId: string): void {
    this.#heldBack.get(instanceId)?.release?.waiting.delete(instanceId);
    this.#heldBack.delete(instanceId);
  }

  /** How far the paced release of a hold has come. */
  progress(hold: HubHold): { letThrough: number; awaitingResume: boolean } | undefined {
    const release = this.#releaseOf(hold);
    return release && { letThrough: release.letThrough, awaitingResume: release.awaitingResume };
  }

  /** The hub has changed, durably: if a hold has gone, all that is held back is looked at again. */
  changed(): void {
    const keys = new Set<string>();
    for (const hold of this.#hub.holds) {
      const { pacedRelease } = hold;
      if (pacedRelease === undefined) continue;
      const key = keyText(hold);
      keys.add(key);
      const release = this.#releases.get(key);
      if (release === undefined) {
        this.#releases.set(key, new PacedRelease(pacedRelease, this.#steadyClock));
      } else if (release.pace !== pacedRelease) release.continueWith(pacedRelease);
    }
    for (const key of this.#releases.keys()) if (!keys.has(key)) this.#releases.delete(key);
    const before = this.#inForce;
    this.#inForce = [...this.#hub.inForce];
    const now = new Set(this.#inForce);
    // What was only added lets nobody go, and there may be a million instances to look at.
    if (before.every((hold) => now.has(hold))) return;
    this.#listener.reconsider([...this.#heldBack.keys()]);
  }

  /** What holds something back may not have begun any more. */
  clockSetBack(): void {
    this.#listener.reconsider([...this.#heldBack.keys()]);
  }

  /** What was ready when the process ended has been loaded: only now can a release be complete. */
  recovered(): void {
    this.#recovering = false;
    this.checkComplete();
  }

  /**
   * A release without canaries is complete when it holds nothing back any more. Asked after what was
   * held back has been looked at again.
   */
  checkComplete(): void {
    if (this.#recovering) return;
    const complete = new Map<string, HubHold>();
    for (const hold of this.#hub.holds) {
      const release = this.#releaseOf(hold);
      if (release?.pace.canaries !== 0 || release.waiting.size > 0) continue;
      complete.set(keyText(hold), hold);
    }
    for (const { by } of this.#heldBack.values()) {
      if (complete.size === 0) return;
      for (const hold of by) complete.delete(keyText(hold));
    }
    for (const hold of complete.values()) this.#listener.releaseComplete(hold);
  }

  close(): void {
    this.#alarm?.alarm.cancel();
  }

  /** Forgets everything: the hub was deleted. */
  clear(): void {
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    this.#heldBack.clear();
    this.#releases.clear();
  }

  #holdBack(instanceId: string, heldBack: HeldBack): void {
    const before = this.#heldBack.get(instanceId)?.release;
    if (before !== heldBack.release) before?.waiting.delete(instanceId);
    heldBack.release?.waiting.add(instanceId);
    this.#heldBack.set(instanceId, heldBack);
  }

  /** The hold of the newest state counts: one that is about to be replaced holds fully. */
  #releaseOf(hold: HubHold): PacedRelease | undefined {
    return hold.pacedRelease === undefined ? undefined : this.#releases.get(keyText(hold));
  }

  /** Lets the next ones through when there is room again in a release that somebody waits for. */
  #arm({ roomInMs }: PacedRelease): void {
    if (roomInMs === undefined) return;
    const inMs = Math.max(1, roomInMs);
    const atMs = this.#steadyClock.nowMs() + inMs;
    if (this.#alarm !== undefined && this.#alarm.atMs <= atMs) return;
    this.#alarm?.alarm.cancel();
    const alarm = this.#steadyClock.after(inMs, () => {
      this.#alarm = undefined;
      this.#letNextThrough();
    });
    this.#alarm = { atMs, alarm };
  }

  #letNextThrough(): void {
    const releases = [...this.#releases.values()];
    this.#listener.reconsider(releases.flatMap((release) => release.next()));
    for (const release of releases) if (release.waiting.size > 0) this.#arm(release);
  }
}
