/** Holds of all scopes that come and go, and what the oracle is told of them. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HoldWish } from "../../../sidecar/engine/holds.ts";
import { noReply } from "../../../sidecar/engine/repeat.ts";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import {
  ExpiryAction,
  PacedReleaseSchema,
  SelectorSchema,
  TimerPolicy,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { compareTimestamps } from "../../../sidecar/wire/timestamp.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import type { BusyHub, Known, Moments } from "./busy-hub.ts";
import type { Covered, Oracle, Span } from "./oracle.ts";
import type { Random } from "./random.ts";

interface Placed {
  readonly name: string;
  readonly covered: Covered;
  readonly startsAt: Timestamp | undefined;
  readonly expiresAt: Timestamp | undefined;
  span: Span | undefined;
  /** How many may be through, and who is. */
  canaries: number;
  readonly through: Set<Known>;
  isPaced: boolean;
}

export interface RandomHoldsOptions {
  readonly hub: TestHub;
  readonly random: Random;
  readonly moments: Moments;
  readonly oracle: Oracle;
  readonly busy: () => BusyHub;
}

export class RandomHolds {
  readonly violations: string[] = [];
  paced = 0;
  readonly #options: RandomHoldsOptions;
  readonly #placed = new Set<Placed>();
  #names = 0;

  constructor(options: RandomHoldsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#placed.size;
  }

  async place(): Promise<void> {
    const { random, hub, moments, oracle, busy } = this.#options;
    const known = busy().someInstance();
    if (known === undefined) return;
    this.#names += 1;
    const placed: Placed = {
      name: `h${this.#names}`,
      covered: this.#covered(known),
      startsAt: undefined,
      expiresAt: random.chance(30) ? hub.clock.in(1_000 * (1 + random.below(4))) : undefined,
      span: undefined,
      canaries: 0,
      through: new Set(),
      isPaced: false,
      ...(random.chance(20) ? { startsAt: hub.clock.in(1_000 * random.below(3)) } : {}),
    };
    const wasAccepted = await isAccepted(this.#place(placed));
    const at = moments.now();
    const { covered } = placed;
    const target = covered.scope === "window" ? undefined : busy().known.get(covered.id);
    // Its end may have been asked for meanwhile, and the hold be gone with it.
    if (!wasAccepted || target?.endAsked) return;
    // Its time may have come and gone while it was placed.
    if (this.#isPast(placed.expiresAt)) return;
    this.#placed.add(placed);
    if (covered.scope !== "window" || this.#isPast(placed.startsAt) || !placed.startsAt) {
      placed.span = oracle.acknowledged(placed.name, covered, at);
    }
  }

  async release(isFinal = false): Promise<void> {
    const { random, moments, oracle } = this.#options;
    const placed = random.pick([...this.#placed]);
    if (placed === undefined) return;
    if (placed.span !== undefined) oracle.end(placed.span, moments.now());
    const { scope } = placed.covered;
    if (!isFinal && scope !== "instance" && !placed.isPaced && random.chance(40)) {
      placed.isPaced = true;
      placed.canaries = 1 + random.below(4);
      this.paced += 1;
      await isAccepted(this.#release(placed, placed.canaries));
      return;
    }
    this.#placed.delete(placed);
    await isAccepted(this.#release(placed, undefined));
  }

  /** Time passes: some begin, and others expire. */
  async pass(seconds: number): Promise<void> {
    const { hub, oracle, moments } = this.#options;
    const to = hub.clock.in(seconds * 1_000);
    for (const placed of [...this.#placed]) {
      if (placed.expiresAt === undefined || compareTimestamps(placed.expiresAt, to) > 0) continue;
      if (placed.span !== undefined) oracle.end(placed.span, moments.now());
      this.#placed.delete(placed);
    }
    hub.steady.advance(seconds * 1_000);
    hub.clock.advance(seconds * 1_000);
    const at = moments.now();
    for (const placed of this.#placed) {
      const hasBegun = placed.span === undefined && this.#isPast(placed.startsAt);
      if (hasBegun && !placed.isPaced) {
        placed.span = oracle.acknowledged(placed.name, placed.covered, at);
      }
    }
  }

  /** A paced release lets through its canaries and nobody else. */
  handedOut(known: Known): void {
    for (const placed of this.#placed) {
      const { isPaced, covered, canaries, through, startsAt } = placed;
      // Before a window begins it lets everybody through.
      if (!isPaced || startsAt !== undefined || !isCovered(covered, known)) continue;
      through.add(known);
      if (through.size > canaries) {
        this.violations.push(`${through.size} through ${placed.name}, canaries ${canaries}`);
      }
    }
  }

  #isPast(time: Timestamp | undefined): boolean {
    return time !== undefined && compareTimestamps(time, this.#options.hub.clock.now()) <= 0;
  }

  #covered(known: Known): Covered {
    const { random } = this.#options;
    const kind = random.below(10);
    if (kind < 5) return { scope: "instance", id: known.id };
    if (kind < 7) return { scope: "tree", id: known.id };
    if (kind === 7)
      return { scope: "window", prefix: random.pick(["", "v", "w"]) ?? "", name: "Odd" };
    if (kind === 8) return { scope: "window", prefix: `w${random.below(10)}`, name: undefined };
    return { scope: "window", prefix: "", name: undefined };
  }

  #place(placed: Placed): Promise<unknown> {
    const { hub } = this.#options;
    const { suspensions } = hub.hub;
    const { covered, startsAt } = placed;
    const wish = this.#wishOf(placed);
    if (covered.scope === "instance") {
      const options = { replace: false, ignoreFinished: false };
      return suspensions.place(covered.id, wish, options, noReply);
    }
    if (covered.scope === "tree") return suspensions.placeTree(covered.id, wish, false, noReply);
    const { prefix: instanceIdPrefix, name } = covered;
    const names = name === undefined ? [] : [name];
    const selector = create(SelectorSchema, { names, instanceIdPrefix });
    const target = { kind: "window", selector, startsAt, refusesStarts: false } as const;
    return suspensions.placeWindow(wish, { ...target, includeEntities: false }, false, noReply);
  }

  #wishOf({ name, expiresAt }: Placed): HoldWish {
    return {
      name,
      reason: undefined,
      requestedBy: "test",
      resumeCondition: undefined,
      expiresAt,
      expiryAction: ExpiryAction.RESUME,
      timerPolicy: this.#options.random.chance(50) ? TimerPolicy.KEEP : TimerPolicy.FREEZE,
    };
  }

  #release({ covered, name }: Placed, canaries: number | undefined): Promise<unknown> {
    const { suspensions } = this.#options.hub.hub;
    const pace = canaries === undefined ? undefined : create(PacedReleaseSchema, { canaries });
    if (covered.scope === "window") {
      return suspensions.releaseWindows({ name }, pace, "test", noReply);
    }
    const isTree = covered.scope === "tree";
    const names = isTree ? [] : [name];
    const wish = { names, trees: isTree ? [name] : [], pace, reason: undefined };
    const more = { requestedBy: "test", ignoreFinished: false };
    return suspensions.release(covered.id, { ...wish, ...more }, noReply);
  }
}

/** Refusals are part of the game: an instance may have ended meanwhile. */
async function isAccepted(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof HubError) return false;
    throw error;
  }
}

function isCovered(covered: Covered, { id, name }: Known): boolean {
  if (covered.scope === "tree") return id === covered.id || id.startsWith(`${covered.id}/`);
  if (covered.scope === "instance") return id === covered.id;
  return id.startsWith(covered.prefix) && (covered.name === undefined || covered.name === name);
}
