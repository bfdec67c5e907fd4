/**
 * Who watches over the task hubs of a process while it serves: stranded work, unwanted work, and a
 * clock that was set back.
 */
import { quarantinedBy, quarantineHold } from "../engine/delivery.ts";
import { noReply } from "../engine/repeat.ts";
import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import { HubError } from "../foundation/errors.ts";
import type { Log } from "../foundation/log.ts";
import type { Store } from "../store/store.ts";
import { ExpiryAction, TimerPolicy } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { Scanner } from "./scanner.ts";
import { SetBackWatch } from "./set-back-watch.ts";
import type { TaskHubs } from "./task-hubs.ts";
import { UnacceptedWork } from "./unaccepted.ts";

export interface OversightOptions {
  readonly hubs: TaskHubs;
  readonly store: Store;
  readonly hubClock: HubClock;
  readonly clock: SteadyClock;
  readonly log: Log;
}

export class Oversight {
  readonly scanner: Scanner;
  readonly unaccepted: UnacceptedWork;
  readonly #setBack: SetBackWatch;

  constructor(options: OversightOptions) {
    const { hubs, log } = options;
    const scanned = () => hubs.all().map((hub) => hub.scanned);
    this.unaccepted = new UnacceptedWork({ ...options, hubs: scanned });
    this.#setBack = new SetBackWatch({ ...options, noticed: () => hubs.clockSetBack() });
    this.scanner = new Scanner({
      ...options,
      hubs: scanned,
      figures: hubs.figures,
      recover: (hub, instanceId) => hubs.revive(hub, instanceId),
      due: (row) => hubs.fireDue(row),
      isFiring: () => hubs.isFiring,
      quarantine: (hub, instanceId, what) => quarantine(hubs, log, { hub, instanceId, what }),
    });
  }

  /** Not before everything that was going on when the last process ended has been recovered. */
  start(): void {
    this.scanner.start();
    this.unaccepted.start();
    this.#setBack.start();
  }

  /** Resolves when nothing is being looked at any more. */
  async close(): Promise<void> {
    this.unaccepted.close();
    this.#setBack.close();
    await this.scanner.close();
  }
}

interface Broken {
  readonly hub: string;
  readonly instanceId: string;
  readonly what: string;
}

async function quarantine(hubs: TaskHubs, log: Log, broken: Broken): Promise<void> {
  const { hub, instanceId, what } = broken;
  const wish = {
    name: quarantineHold,
    reason: `an invariant is violated: ${what}`,
    requestedBy: quarantinedBy,
    resumeCondition: undefined,
    expiresAt: undefined,
    expiryAction: ExpiryAction.UNSPECIFIED,
    timerPolicy: TimerPolicy.KEEP,
  };
  const placement = { replace: false, ignoreFinished: true, alsoEntities: true };
  try {
    await hubs.get(hub).suspensions.place(instanceId, wish, placement, noReply);
  } catch (error) {
    // It may be gone, the disk may be full, the process may be stopping: it was said all the same.
    if (!(error instanceof HubError)) throw error;
    log.error("instance.not_quarantined", { taskHub: hub, instanceId, reason: error.code });
  }
}
