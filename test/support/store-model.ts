/** Random histories of a store, and what must be readable after each of them. */
import * as fc from "fast-check";
import type { Commit, IndexChange, LogAppend, Store } from "../../sidecar/store/store.ts";
import {
  addressOf,
  baseOf,
  commitOf,
  dueChange,
  garbageChange,
  instanceAppend,
  instanceChange,
  labelsOf,
  readyChange,
  snapshotChange,
  timestampOf,
} from "./store-builders.ts";

const HUB = 1n;
const INSTANCES = 3;

type Change =
  | { readonly kind: "append" | "continueAsNew" | "snapshot"; readonly instance: number }
  | { readonly kind: "ready" | "row"; readonly instance: number; readonly there: boolean }
  | { readonly kind: "due"; readonly instance: number; readonly second: number | undefined };

export type Step =
  | { readonly kind: "commit"; readonly changes: readonly Change[] }
  /** Waits until everything is durable, so that the next commit starts a group. */
  | { readonly kind: "wait" }
  | { readonly kind: "reopen" };

export interface History {
  readonly ids: readonly string[];
  readonly steps: readonly Step[];
}

export function arbitraryHistory(kinds: readonly ("wait" | "reopen")[]): fc.Arbitrary<History> {
  const instance = fc.nat({ max: INSTANCES - 1 });
  const change: fc.Arbitrary<Change> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), instance }) },
    fc.record({ kind: fc.constantFrom("continueAsNew" as const, "snapshot" as const), instance }),
    fc.record({
      kind: fc.constantFrom("ready" as const, "row" as const),
      instance,
      there: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant("due" as const),
      instance,
      second: fc.option(fc.nat({ max: 59 }), { nil: undefined }),
    }),
  );
  const commit = fc.record({
    kind: fc.constant("commit" as const),
    changes: fc.array(change, { maxLength: 6 }),
  });
  const other = fc.record({ kind: fc.constantFrom(...kinds) });
  return fc.record({
    ids: fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), {
      minLength: INSTANCES,
      maxLength: INSTANCES,
    }),
    steps: fc.array(fc.oneof({ weight: 3, arbitrary: commit }, other), { maxLength: 30 }),
  });
}

interface InstanceModel {
  readonly id: string;
  readonly number: bigint;
  generation: number;
  sequence: number;
  /** Labels of the entries of the newest generation. */
  labels: string[];
  snapshot: number | undefined;
  ready: boolean;
  row: boolean;
  second: number | undefined;
}

/** Lets a store live through a history; resolves with what it must hold and what it does hold. */
export async function live(
  history: History,
  first: Store,
  reopen: (store: Store) => Promise<Store>,
): Promise<{ readonly expected: unknown; readonly found: unknown }> {
  const models = history.ids.map((id, index) => newInstance(id, BigInt(index + 10)));
  let store = first;
  let position = 0;
  for (const step of history.steps) {
    if (step.kind === "commit") position = store.append(commitFor(models, step.changes));
    if (step.kind !== "commit") await store.whenDurable(position);
    if (step.kind === "reopen") {
      store = await reopen(store);
      position = 0;
    }
  }
  await store.whenDurable(position);
  return { expected: models.map(expectedOf), found: await foundIn(store, models) };
}

function newInstance(id: string, number: bigint): InstanceModel {
  const nothing = { snapshot: undefined, second: undefined, ready: false, row: false };
  return { id, number, generation: 1, sequence: 0, labels: [], ...nothing };
}

function commitFor(models: readonly InstanceModel[], changes: readonly Change[]): Commit {
  return commitOf(
    ...changes.flatMap((change) => {
      const model = models[change.instance];
      return model === undefined ? [] : apply(model, change);
    }),
  );
}

/** Changes the model, and says how the store has to change. */
function apply(model: InstanceModel, change: Change): (LogAppend | IndexChange)[] {
  const { id, number } = model;
  switch (change.kind) {
    case "append":
      return [append(model)];
    case "continueAsNew":
      model.generation += 1;
      model.labels = [];
      model.snapshot = undefined;
      return [append(model), garbageChange({ number, belowGeneration: model.generation })];
    case "snapshot":
      model.snapshot = model.sequence;
      return [snapshotChange(number, model.generation, model.sequence)];
    case "ready":
      model.ready = change.there;
      return [readyChange(number, change.there ? addressOf(HUB, id) : undefined)];
    case "row":
      model.row = change.there;
      return [instanceChange(HUB, id, change.there ? number : undefined)];
    case "due":
      return moveDue(model, change.second);
  }
}

function append(model: InstanceModel): LogAppend {
  model.sequence += 1;
  const label = `${model.id} ${model.sequence}`;
  const begins = model.labels.length === 0;
  model.labels.push(label);
  return instanceAppend(model, begins ? baseOf(label) : label);
}

function moveDue(model: InstanceModel, second: number | undefined): IndexChange[] {
  const { id, number } = model;
  const changes: IndexChange[] = [];
  if (model.second !== undefined) changes.push(dueChange(dueAt(model.second), number, undefined));
  if (second !== undefined) changes.push(dueChange(dueAt(second), number, addressOf(HUB, id)));
  model.second = second;
  return changes;
}

function dueAt(second: number) {
  return timestampOf(`2026-11-21T10:00:${String(second).padStart(2, "0")}Z`);
}

function expectedOf(model: InstanceModel): unknown {
  const { labels, snapshot, ready, row, second } = model;
  return { labels, snapshot, ready, row, second };
}

async function foundIn(store: Store, models: readonly InstanceModel[]): Promise<unknown> {
  const ready = await store.readReady(undefined, 100);
  const due = await store.readDue(undefined, 100);
  return Promise.all(
    models.map(async ({ id, number, generation }) => {
      const snapshot = await store.readSnapshot(number, generation);
      const row = await store.findInstance(HUB, id);
      const dueRow = due.find((each) => each.number === number);
      return {
        labels: labelsOf(await store.readLog(number, generation, 1)),
        snapshot: snapshot === undefined ? undefined : Number(snapshot.sequence),
        ready: ready.some((each) => each.number === number && each.address.instanceId === id),
        row: row?.number === number,
        second: dueRow && Number(dueRow.due.seconds % 60n),
      };
    }),
  );
}
