/** Work that trees and windows have held back, when it may be able to go on. */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { nothingForHub } from "../engine/hub/hub-decision.ts";
import { decideReleaseHubHolds, expired } from "../engine/hub/hub-holds.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Background } from "./background.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HoldGate, HoldGateListener } from "./hold-gate.ts";
import type { Road } from "./road.ts";

/** How many instances are looked at between two turns of the event loop. */
const slice = 256;

export interface HeldWorkOptions {
  readonly heads: Heads;
  readonly road: Road;
  readonly background: Background;
  readonly gate: () => HoldGate;
  /** Queues again what was set aside. */
  readonly goOn: (head: Head) => void;
  /** Somebody may watch what holds it. */
  readonly letThrough: (head: Head) => void;
}

export class HeldWork implements HoldGateListener {
  readonly #options: HeldWorkOptions;
  /** Instances that are to be looked at, each once, whatever happens until then. */
  readonly #waiting = new Set<string>();
  #isLooking = false;

  constructor(options: HeldWorkOptions) {
    this.#options = options;
  }

  reconsider(instanceIds: readonly string[]): void {
    for (const instanceId of instanceIds) this.#waiting.add(instanceId);
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#options.background.run(this.#reconsiderAll());
  }

  letThrough(head: Head): void {
    this.#options.letThrough(head);
  }

  releaseComplete(hold: HubHold): void {
    this.#options.road.decideHub(Cause.RELEASE_COMPLETE, (state, environment) =>
      // What has expired, perhaps while the sidecar was down, ends in its own way.
      expired(state, environment.now).includes(hold)
        ? nothingForHub
        : decideReleaseHubHolds(state, [hold], undefined, environment),
    );
  }

  async #reconsiderAll(): Promise<void> {
    try {
      // Ends when nobody waits any more.
      while (this.#waiting.size > 0) {
        let together: Promise<void>[] = [];
        // Who comes in meanwhile is reached too; to begin anew would pass over all that are gone.
        for (const instanceId of this.#waiting) {
          // Before it is looked at: what happens from now on may be worth another look.
          this.#waiting.delete(instanceId);
          together.push(this.#reconsiderOne(instanceId));
          if (together.length < slice) continue;
          await Promise.all(together);
          together = [];
          await nextLoopTurn();
        }
        await Promise.all(together);
      }
    } finally {
      this.#isLooking = false;
    }
    this.#options.gate().checkComplete();
  }

  async #reconsiderOne(instanceId: string): Promise<void> {
    const { heads, gate, goOn } = this.#options;
    const head = await heads.pin(instanceId);
    try {
      gate().forget(instanceId);
      goOn(head);
    } finally {
      heads.unpin(head);
    }
  }
}
