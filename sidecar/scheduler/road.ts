/**
 * The one road of every input: decide, append, evolve, act. From the look at a head to the append
 * of what was decided on it nothing is awaited, so no other decision comes between.
 */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Decision, Environment } from "../engine/decision.ts";
import type { HubDecision } from "../engine/hub/hub-decision.ts";
import { freezesEnd } from "../engine/hub/hub-freezes.ts";
import { decideReleaseHubHolds } from "../engine/hub/hub-holds.ts";
import type { HubState } from "../engine/hub/hub-state.ts";
import { AssertionFailed, assert } from "../foundation/assert.ts";
import type { HubClock, SteadyClock } from "../foundation/clock.ts";
import { shuttingDown } from "../foundation/errors.ts";
import type { Ids } from "../foundation/ids.ts";
import type { CommitPosition, Store } from "../store/store.ts";
import {
  Cause,
  HeaderSchema,
  type HubEntry,
  HubEntrySchema,
} from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { type HubHold, HubStateSchema } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type Aftermath, CommitDraft } from "./commit-draft.ts";
import { deliverMail, finishTerminate, type Surroundings } from "./deliver-mail.ts";
import type { Figures } from "./figures.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { HubLog } from "./hub-log.ts";
import { loadHistories, mailSlice } from "./mail-slice.ts";

/** What follows from commits. */
export interface RoadListener {
  /** A commit that touched the head is appended. */
  decided(head: Head, position: CommitPosition): void;
  /** The commit that touched the head is durable. */
  durable(head: Head, aftermath: Aftermath): void;
  /** A life or generation is over: what workers have of it is void. */
  voidWork(head: Head, what: "all" | "activities"): void;
  /** A commit that changed the hub itself is durable. */
  hubDurable(): void;
}

export interface RoadOptions {
  readonly hub: HubLog;
  /** Holds that a hub has from its creation on. */
  readonly holdsAtCreation: (now: Timestamp) => readonly HubHold[];
  readonly heads: Heads;
  readonly store: Store;
  readonly clock: HubClock;
  readonly ids: Ids;
  readonly figures: Figures;
  /** Measures how long commits take. */
  readonly steadyClock: Pick<SteadyClock, "nowMs">;
  readonly listener: RoadListener;
}

export class Road {
  readonly #options: RoadOptions;
  readonly #surroundings: Surroundings;
  #stopped = false;

  constructor(options: RoadOptions) {
    this.#options = options;
    this.#surroundings = {
      heads: options.heads,
      environment: (cause) => this.#environment(cause),
    };
  }

  /**
   * Decides on a pinned head and commits the outcome, with all that follows at once: a waiting
   * termination, and mail to instances that are in memory. The head's `position` says what has to
   * be durable before anybody is told.
   *
   * @throws HubError "unavailable" when the store was closed meanwhile
   */
  decide(
    head: Head,
    cause: Cause,
    decide: (state: Head["state"], environment: Environment) => Decision,
    /** What the decision changes in the hub itself; asked after it. */
    ofHub: () => HubEntry | undefined = () => undefined,
  ): Decision {
    this.#expectOpen();
    const draft = this.#draft();
    const decision = decide(head.state, this.#environment(cause));
    if (cause === Cause.START && decision.kind === "nothing") {
      this.#options.figures.duplicates.start += 1;
    }
    const hubEntry = ofHub();
    wholly(() => {
      draft.apply(head, decision);
      if (hubEntry !== undefined) this.#applyToHub(draft, hubEntry);
      finishTerminate(draft, head, this.#surroundings);
      deliverMail(draft, head, this.#surroundings);
      this.#append(draft);
    });
    return decision;
  }

  /**
   * Decides on the hub's own log and commits the outcome. The hub must exist. Its `position` says what
   * has to be durable before anybody is told.
   */
  decideHub(
    cause: Cause,
    decide: (state: HubState, environment: Environment) => HubDecision,
  ): HubDecision {
    const { hub } = this.#options;
    this.#expectOpen();
    assert(hub.state !== undefined, "the hub exists");
    const decision = decide(hub.state, this.#environment(cause));
    if (decision.kind !== "append") return decision;
    wholly(() => {
      const draft = this.#draft();
      this.#applyToHub(draft, decision.entry);
      this.#commit(draft);
    });
    return decision;
  }

  /** Delivers mail in slices, in order, until the outbox is empty. The head is pinned meanwhile. */
  async mail(head: Head): Promise<void> {
    const { heads, store } = this.#options;
    while (!this.#stopped && head.state !== undefined && head.state.outbox.length > 0) {
      const slice = mailSlice(head.state.outbox);
      const ids = new Set(slice.map((mail) => mail.targetInstanceId));
      const receivers = await Promise.all(Array.from(ids, (id) => heads.pin(id)));
      try {
        await loadHistories(heads, slice);
        wholly(() => {
          const draft = this.#draft();
          deliverMail(draft, head, this.#surroundings);
          this.#append(draft);
        });
        await store.whenDurable(head.position);
      } finally {
        for (const receiver of receivers) heads.unpin(receiver);
      }
    }
  }

  /** Mail that is still in an outbox stays there: the next start delivers it. */
  stopMail(): void {
    this.#stopped = true;
  }

  /** Creates the task hub, unless it exists. */
  createHub(): void {
    if (this.#options.hub.number !== undefined) return;
    this.#expectOpen();
    this.#begin(this.#draft());
  }

  /** Deletes the task hub with everything in it. Its bytes go later, in slices. */
  deleteHub(): void {
    const { hub, store, clock } = this.#options;
    if (hub.number === undefined) return;
    this.#expectOpen();
    const header = create(HeaderSchema, { time: clock.now(), cause: Cause.DELETE_HUB });
    const writes = { appends: [], index: [] };
    hub.end(create(HubEntrySchema, { header, deleted: true }), writes);
    hub.position = store.append(writes);
  }

  /** Takes a row out of the due index that no instance stands behind any more. */
  dropDueRow(due: NonNullable<Environment["now"]>, number: bigint): void {
    this.#options.store.append({
      appends: [],
      index: [{ index: "due", due, number, row: undefined }],
    });
  }

  /**
   * Whoever waited for the disk while the process closed its store comes here too late.
   *
   * @throws HubError "unavailable"
   */
  #expectOpen(): void {
    if (this.#options.store.isClosed) throw shuttingDown();
  }

  #draft(): CommitDraft {
    const { store, figures, listener } = this.#options;
    return new CommitDraft(store, figures, (head, what) => listener.voidWork(head, what));
  }

  #environment(cause: Cause): Environment {
    const { hub, clock, ids } = this.#options;
    // Nobody is asked to prove who they are before there is authentication.
    return { now: clock.now(), freezesEnd: freezesEnd(hub.state), ids, cause, principal: "" };
  }

  #append(draft: CommitDraft): void {
    if (draft.isEmpty) return;
    if (this.#options.hub.number === undefined) {
      this.#begin(draft);
      return;
    }
    this.#endTrees(draft);
    this.#commit(draft);
  }

  /** A tree hold ends with its origin, in the same commit. */
  #endTrees(draft: CommitDraft): void {
    const { hub } = this.#options;
    if (draft.ended.length === 0 || hub.state === undefined || !hub.hasHolds) return;
    const ending = hub.holds.filter(
      ({ origin }) => origin !== undefined && draft.ended.includes(origin.number),
    );
    const environment = this.#environment(Cause.TREE_ENDED);
    const decision = decideReleaseHubHolds(hub.state, ending, undefined, environment);
    if (decision.kind === "append") this.#applyToHub(draft, decision.entry);
  }

  #applyToHub(draft: CommitDraft, entry: HubEntry): void {
    const retired = this.#options.hub.append(entry, draft);
    draft.hubChange = { retired: [...(draft.hubChange?.retired ?? []), ...retired] };
  }

  /** Commits the draft as the first one of the hub. */
  #begin(draft: CommitDraft): void {
    const { hub, store, clock, ids, holdsAtCreation } = this.#options;
    const number = store.allocateNumber();
    const now = clock.now();
    const entry = create(HubEntrySchema, {
      header: create(HeaderSchema, { time: now, cause: Cause.CREATE_HUB }),
      base: create(HubStateSchema, {
        name: hub.name,
        createdAt: now,
        incarnation: ids.next(),
        generation: 1,
        hubHolds: [...holdsAtCreation(now)],
      }),
    });
    hub.begin(number, entry, draft);
    draft.hubChange = { retired: [] };
    this.#commit(draft);
  }

  #commit(draft: CommitDraft): void {
    const { hub, heads, store, listener, figures, steadyClock } = this.#options;
    assert(hub.number !== undefined, "a commit belongs to a hub");
    draft.finish(hub.number, () => this.#environment(Cause.COMPACT_ENTITY));
    const beganAtMs = steadyClock.nowMs();
    const position = store.append(draft);
    for (const head of draft.touched.keys()) {
      heads.touch(head);
      // Until its listener is told: what the same commit changed in the hub may let it go before.
      head.pins += 1;
      head.position = position;
      if (head.state !== undefined) {
        head.unsettled.push({ position, sequence: head.state.sequence });
      }
      listener.decided(head, position);
    }
    if (draft.hubChange !== undefined) {
      hub.position = position;
      hub.retire(draft.hubChange.retired, position);
    }
    void store.whenDurable(position).then(() => {
      figures.commitSeconds.add((steadyClock.nowMs() - beganAtMs) / 1_000);
      if (draft.hubChange !== undefined) {
        hub.settled(position);
        listener.hubDurable();
      }
      for (const [head, aftermath] of draft.touched) {
        head.pins -= 1;
        listener.durable(head, aftermath);
      }
    });
  }
}

/**
 * States that have gone on without their commit would acknowledge what the disk never gets: whatever
 * breaks halfway ends the process. A decision that throws has changed nothing, and is not in here.
 */
function wholly(steps: () => void): void {
  try {
    steps();
  } catch (cause) {
    throw new AssertionFailed("a decision was carried out only in part", { cause });
  }
}
