/** A task hub's own log without disk or clock: what is decided is encoded, applied, and kept. */
import { create, fromBinary, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Coverable } from "../../sidecar/engine/hub/covers.ts";
import { evolveHub, toStoredHub } from "../../sidecar/engine/hub/evolve-hub.ts";
import type { HubDecision } from "../../sidecar/engine/hub/hub-decision.ts";
import {
  decideHubDue,
  decidePlaceHubHold,
  decideReleaseHubHolds,
  findHubHold,
  type HubHoldTarget,
} from "../../sidecar/engine/hub/hub-holds.ts";
import type { HubState } from "../../sidecar/engine/hub/hub-state.ts";
import {
  Cause,
  type HubEntry,
  HubEntrySchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import {
  ExpiryAction,
  type HubHold,
  HubStateSchema,
  Kind,
  PacedReleaseSchema,
  SelectorSchema,
  TimerPolicy,
  TreeOriginSchema,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { parseTime } from "./scenario-arguments.ts";

export interface WindowOptions {
  readonly name?: string;
  readonly selector?: MessageInitShape<typeof SelectorSchema>;
  readonly startsAt?: string;
  readonly includeEntities?: boolean;
  readonly freeze?: boolean;
  readonly expires?: string;
  readonly expiry?: ExpiryAction;
  readonly reason?: string;
  readonly replace?: boolean;
  /** Storage number of the origin: a tree instead of a window. */
  readonly tree?: bigint;
}

const NUMBER = 1n;

export class HubWorld {
  now: Timestamp = parseTime("10:00:00");
  state: HubState;
  /** Encoded entries of the newest generation, with their sequences. */
  log: { readonly sequence: number; readonly bytes: Uint8Array }[] = [];

  constructor() {
    const base = create(HubStateSchema, { name: "hub", createdAt: this.now, generation: 1 });
    const entry = create(HubEntrySchema, { header: { time: this.now }, base });
    this.log.push({ sequence: 1, bytes: toBinary(HubEntrySchema, entry) });
    this.state = evolveHub(undefined, NUMBER, 1, entry);
  }

  at(time: string): this {
    this.now = parseTime(time);
    return this;
  }

  place(options: WindowOptions = {}): HubDecision {
    const { name = "w", freeze = false, tree, replace = false } = options;
    const wish = {
      name,
      reason: options.reason,
      requestedBy: "",
      resumeCondition: undefined,
      expiresAt: options.expires === undefined ? undefined : parseTime(options.expires),
      expiryAction: options.expiry ?? ExpiryAction.UNSPECIFIED,
      timerPolicy: freeze ? TimerPolicy.FREEZE : TimerPolicy.KEEP,
    };
    const target = tree === undefined ? windowOf(options) : treeOf(tree);
    return this.#apply(decidePlaceHubHold(this.state, { wish, target, replace }, this.environment));
  }

  release(
    names: readonly string[],
    pace?: MessageInitShape<typeof PacedReleaseSchema>,
  ): HubDecision {
    const released = this.state.holds.filter(({ hold }) => names.includes(hold?.name ?? ""));
    const stored = pace && create(PacedReleaseSchema, pace);
    return this.#apply(decideReleaseHubHolds(this.state, released, stored, this.environment));
  }

  /** @param terminating trees whose origin was asked to end; all of them when nothing is said */
  due(terminating = this.state.holds): HubDecision {
    return this.#apply(decideHubDue(this.state, new Set(terminating), this.environment));
  }

  find(name: string, origin?: bigint): HubHold {
    const found = findHubHold(this.state, name, origin);
    if (found === undefined) throw new Error(`there is no hold ${name}`);
    return found;
  }

  get names(): (string | undefined)[] {
    return this.state.holds.map(({ hold }) => hold?.name);
  }

  /** As the scheduler does it when the log has grown: a base of a new generation with the next entry. */
  placeWithBase(options: WindowOptions): void {
    const before = this.state;
    const { log } = this;
    this.place(options);
    const last = log.at(-1);
    if (last === undefined) throw new Error("a log has entries");
    const entry = fromBinary(HubEntrySchema, last.bytes);
    this.state = before;
    entry.base = toStoredHub(this.#replayed(log.slice(0, -1)));
    entry.base.generation = before.generation + 1;
    this.log = [{ sequence: last.sequence, bytes: toBinary(HubEntrySchema, entry) }];
    this.state = evolveHub(before, NUMBER, last.sequence, entry);
  }

  /** The state as the log tells it. */
  replayed(): HubState {
    return this.#replayed(this.log);
  }

  get environment() {
    const ids = { next: () => "id" };
    return { now: this.now, ids, cause: Cause.SUSPEND_HUB, principal: "" };
  }

  #apply(decision: HubDecision): HubDecision {
    if (decision.kind !== "append") return decision;
    const sequence = this.state.sequence + 1;
    const bytes = toBinary(HubEntrySchema, decision.entry);
    this.log.push({ sequence, bytes });
    this.state = evolveHub(this.state, NUMBER, sequence, decision.entry);
    return { kind: "append", entry: fromBinary(HubEntrySchema, bytes) };
  }

  #replayed(log: HubWorld["log"]): HubState {
    let state: HubState | undefined;
    for (const { sequence, bytes } of log) {
      state = evolveHub(state, NUMBER, sequence, fromBinary(HubEntrySchema, bytes));
    }
    if (state === undefined) throw new Error("a log has entries");
    return state;
  }
}

/** All of a hub's state, to compare. */
export function hubJson(state: HubState): unknown {
  const { number, sequence } = state;
  return { number, sequence, stored: toJson(HubStateSchema, toStoredHub(state)) };
}

export function entryOf(decision: HubDecision): HubEntry {
  if (decision.kind !== "append") throw new Error(`it came to ${decision.kind}`);
  return decision.entry;
}

export function subjectOf(given: Partial<Coverable> = {}): Coverable {
  return {
    kind: Kind.ORCHESTRATION,
    instanceId: "order-1",
    name: "Order",
    version: undefined,
    tags: {},
    number: 7n,
    ancestors: [],
    ...given,
  };
}

function windowOf({ selector, startsAt, includeEntities = false }: WindowOptions): HubHoldTarget {
  return {
    kind: "window",
    selector: selector && create(SelectorSchema, selector),
    startsAt: startsAt === undefined ? undefined : parseTime(startsAt),
    refusesStarts: false,
    includeEntities,
  };
}

function treeOf(number: bigint): HubHoldTarget {
  return { kind: "tree", origin: create(TreeOriginSchema, { instanceId: `i${number}`, number }) };
}
