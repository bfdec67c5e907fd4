/** Holds as the model knows them: who is covered, who is through, when something begins and ends. */

export type Policy = "KEEP" | "FREEZE";
export type Expiry = "RESUME" | "TERMINATE" | "KEEP";
export type Cover = "everything" | "Alpha" | "Child" | "a" | "b1";

/** What commands say of a hold. Times are seconds from now. */
export interface Wish {
  readonly name: string;
  readonly policy: Policy;
  readonly expiresIn: number | undefined;
  readonly expiry: Expiry;
}

export interface Pace {
  readonly perSecond: number;
  readonly canaries: number;
}

/** Who can be held: one life of an instance id. */
export interface Holdable {
  readonly id: string;
  readonly name: string;
  readonly parent: Holdable | undefined;
}

export class ModelHold {
  readonly name: string;
  readonly policy: Policy;
  readonly expiry: Expiry;
  readonly expiresAt: number;

  constructor(wish: Wish, now: number) {
    this.name = wish.name;
    this.policy = wish.policy;
    this.expiry = wish.expiry;
    this.expiresAt = wish.expiresIn === undefined ? Infinity : now + wish.expiresIn;
  }

  /** Its expiry has come, and something has to happen. */
  isExpired(now: number): boolean {
    return this.expiry !== "KEEP" && this.expiresAt <= now;
  }
}

export class ModelHubHold<Life extends Holdable> extends ModelHold {
  readonly origin: Life | undefined;
  readonly cover: Cover;
  readonly startsAt: number;
  readonly refusesStarts: boolean;
  pace: Pace | undefined;
  /** Lives that are known to be through. */
  readonly through = new Set<Life>();
  /** What earlier paces let through at most. */
  #earlier = 0;
  #paceSince = 0;
  expiryDone = false;

  constructor(
    wish: Wish,
    now: number,
    target: {
      readonly origin?: Life;
      readonly cover?: Cover;
      readonly startsIn?: number | undefined;
      readonly refusesStarts?: boolean;
    },
  ) {
    super(wish, now);
    this.origin = target.origin;
    this.cover = target.cover ?? "everything";
    this.startsAt = now + (target.startsIn ?? -1);
    this.refusesStarts = target.refusesStarts ?? false;
  }

  get key(): string {
    return `${this.origin === undefined ? "window" : "tree"} ${this.name}`;
  }

  isActive(now: number): boolean {
    return this.startsAt <= now;
  }

  freezes(now: number): boolean {
    return this.policy === "FREEZE" && this.pace === undefined && this.isActive(now);
  }

  covers(life: Holdable): boolean {
    if (this.origin !== undefined) {
      for (let at: Holdable | undefined = life; at !== undefined; at = at.parent) {
        if (at === this.origin) return true;
      }
      return false;
    }
    if (this.cover === "everything") return true;
    if (this.cover === "Alpha" || this.cover === "Child") return life.name === this.cover;
    return life.id.startsWith(this.cover);
  }

  beginPace(pace: Pace, now: number): void {
    this.#earlier = this.pace === undefined ? 0 : this.mostThrough(now);
    this.pace = pace;
    this.#paceSince = now;
  }

  /** A crash may repeat it. */
  paceAgain(now: number): void {
    this.through.clear();
    this.#earlier = 0;
    this.#paceSince = now;
  }

  /** How many may be through by now. */
  mostThrough(now: number): number {
    if (this.pace === undefined) return 0;
    const { perSecond, canaries } = this.pace;
    const byTime =
      perSecond === 0 ? Infinity : Math.floor(1 + (now - this.#paceSince + 0.1) * perSecond);
    return this.#earlier + (canaries === 0 ? byTime : Math.min(canaries, byTime));
  }
}
