/** One life of an instance id, as the model knows it. */
import type { Holdable, ModelHold } from "./hold-model.ts";

export type Status = "PENDING" | "RUNNING" | "COMPLETED" | "TERMINATED";

export interface InboxItem {
  readonly label: string;
  /** What arrives in the same second by the clock alone may come in any order. */
  readonly batch: number;
}

export interface ModelActivity {
  readonly id: number;
  /** Nobody waits for the result any more. */
  detached: boolean;
  out: boolean;
  /** It may wait until then because workers were lost that had it. */
  delayedUntil: number;
}

/** "ok", or the code of the refusal. */
export type Outcome = string;

/** What a turn is answered with. */
export interface TurnPlan {
  readonly actions: readonly {
    readonly kind: "task" | "child" | "timer";
    readonly id: number;
    /** Of a timer. */
    readonly seconds: number;
  }[];
  readonly ends: "goes-on" | "completes" | "continues-as-new";
}

export class Life implements Holdable {
  readonly id: string;
  readonly name: string;
  readonly parent: Life | undefined;
  /** The action of the parent's generation that started it. */
  readonly parentAction: number;
  status: Status = "PENDING";
  inbox: InboxItem[];
  holds: ModelHold[] = [];
  /** Seconds left, by action id. */
  readonly timers = new Map<number, number>();
  activities: ModelActivity[] = [];
  /** Children of this generation that it waits for, by action id. */
  readonly children = new Map<number, Life>();
  /** How many events the turn has that a worker has. */
  turn: number | undefined;
  turnDelayedUntil = 0;
  pendingTerminate: { readonly recurse: boolean } | undefined;
  /** Its parent was terminated with all it had: until mail arrives it may still get work. */
  isDying = false;
  /** Labels that committed turns have taken, over all generations. */
  readonly got: string[] = [];
  /** Events that were raised and acknowledged. */
  readonly raised: string[] = [];
  /** Activities whose result the orchestration has to see once. */
  readonly answered: number[] = [];

  constructor(id: string, name: string, parent: Life | undefined, parentAction: number) {
    this.id = id;
    this.name = name;
    this.parent = parent;
    this.parentAction = parentAction;
    this.inbox = [{ label: "executionStarted", batch: -1 }];
  }

  get isFinished(): boolean {
    return this.status === "COMPLETED" || this.status === "TERMINATED";
  }

  get shown(): string {
    return this.holds.length > 0 && !this.isFinished ? "SUSPENDED" : this.status;
  }

  get bufferedEvents(): number {
    return this.inbox.filter(({ label }) => label.startsWith("eventRaised")).length;
  }

  get leases(): number {
    const activities = this.activities.filter(({ out }) => out).length;
    return activities + (this.turn === undefined ? 0 : 1);
  }

  /** A turn would run if nothing held it. */
  get hasTurn(): boolean {
    const isIdle = this.turn === undefined && this.pendingTerminate === undefined;
    return isIdle && !this.isFinished && this.inbox.length > 0;
  }

  /** A worker has got a turn with these new events: says what is wrong with them. */
  take(labels: readonly string[]): string | undefined {
    const rest = [...this.inbox];
    const taken: InboxItem[] = [];
    for (const label of labels) {
      const batch = rest[0]?.batch;
      const at = rest.findIndex((item) => item.label === label && item.batch === batch);
      if (at === -1) {
        return `[${labels}] instead of [${this.inbox.map((item) => item.label)}]`;
      }
      taken.push(...rest.splice(at, 1));
    }
    this.inbox = [...taken, ...rest];
    this.turn = taken.length;
    return undefined;
  }

  /** The turn that is out commits: what it had is consumed. */
  consume(): void {
    for (const { label } of this.inbox.splice(0, this.turn ?? 0)) this.got.push(label);
    this.turn = undefined;
    if (this.status === "PENDING") this.status = "RUNNING";
  }

  continueAsNew(batch: number): void {
    const events = this.inbox.filter(({ label }) => label.startsWith("eventRaised"));
    this.inbox = [{ label: "executionStarted", batch }, ...events];
    this.timers.clear();
    this.children.clear();
    for (const activity of this.activities) activity.detached = true;
  }

  finish(status: "COMPLETED" | "TERMINATED"): void {
    this.status = status;
    this.holds = [];
    this.inbox = [];
    this.turn = undefined;
    this.pendingTerminate = undefined;
    this.timers.clear();
    this.children.clear();
    if (status === "TERMINATED") this.activities = [];
    for (const activity of this.activities) activity.detached = true;
  }
}
