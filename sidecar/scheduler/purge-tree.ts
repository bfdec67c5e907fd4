/**
 * Purging an instance with all its finished descendants: those first, so that a call that was cut
 * short can be repeated. It keeps a list of its own of where it is, so the depth of a tree costs
 * memory for ids and nothing else.
 */
import { isTerminal } from "../engine/status.ts";
import { LIMITS } from "../foundation/limits.ts";
import type { StorageNumber, Store } from "../store/store.ts";
import { childrenIn } from "../wire/history-event.ts";
import type { Head } from "./head.ts";
import type { Heads } from "./heads.ts";
import type { PurgeRun, PurgeTarget } from "./purge-run.ts";

interface Step extends PurgeTarget {
  /** The life that must have created it; undefined for the root. */
  readonly parent: StorageNumber | undefined;
  /** Its children have been listed: all that stood above it is done. */
  readonly isExpanded: boolean;
}

export interface PurgeTreeOptions {
  readonly heads: Heads;
  readonly store: Pick<Store, "readLog">;
}

/** Instances whose children are looked for at once; of long histories only one is read at a time. */
const AT_ONCE = 16;
/** Entries of a log that are in memory for that. */
const ENTRIES_AT_ONCE = 32;

/**
 * Purges a tree, unless the run is over before. A descendant that has not finished stays with all
 * below it, and so does an ancestor of one that could not be purged just now.
 */
export async function purgeTree(
  options: PurgeTreeOptions,
  run: PurgeRun,
  root: PurgeTarget,
): Promise<void> {
  const reading = new HistoryReading(options);
  const stack: Step[] = [{ ...root, parent: undefined, isExpanded: false }];
  const leftBefore = run.left;
  while (stack.length > 0) {
    if (run.isOver || run.left > leftBefore) return run.cutShort();
    const steps = takeNext(stack);
    const found = await Promise.all(steps.map((step) => take(reading, run, step)));
    for (const below of found) stack.push(...below);
    await run.breathe();
  }
}

/** One whose descendants are done, or some that have not been looked at. */
function takeNext(stack: Step[]): readonly Step[] {
  const steps: Step[] = [];
  while (steps.length < AT_ONCE) {
    const top = stack.at(-1);
    if (top === undefined || (top.isExpanded && steps.length > 0)) break;
    steps.push(top);
    stack.pop();
    if (top.isExpanded) break;
  }
  return steps;
}

/** Purges what has no children; what has some is to be purged behind them. */
function take(reading: HistoryReading, run: PurgeRun, step: Step): Promise<readonly Step[]> {
  return run.visit(step, async (head) => {
    const below = step.isExpanded ? [] : await childrenOf(reading, head, step);
    if (below.length > 0) return below;
    // By number: ids of the tree may have been used again, also within it.
    if (isOfTree(head, step)) await run.purge(head, step);
    return [];
  });
}

async function childrenOf(
  reading: HistoryReading,
  head: Head,
  step: Step,
): Promise<readonly Step[]> {
  if (!isOfTree(head, step) || head.state === undefined || !isTerminal(head.state)) return [];
  const { number } = head.state;
  const ids = await reading.childrenOf(head);
  if (head.state?.number !== number) return [];
  const children = Array.from(
    ids,
    (instanceId): Step => ({ instanceId, number: undefined, parent: number, isExpanded: false }),
  );
  if (children.length === 0) return [];
  return [{ ...step, number, isExpanded: true }, ...children];
}

/** Looks for children in histories. Long ones never come into memory as a whole. */
class HistoryReading {
  readonly #options: PurgeTreeOptions;
  #long: Promise<unknown> = Promise.resolve();

  constructor(options: PurgeTreeOptions) {
    this.#options = options;
  }

  /** Ids of all that the current generation of an instance has created, if it is still there. */
  async childrenOf(head: Head): Promise<ReadonlySet<string>> {
    const isLong = (head.state?.historyBytes ?? 0) > LIMITS.streamedHistoryBytes;
    if (head.historyFrom > 0 && isLong) {
      const reading = this.#long.then(() => this.#inPages(head));
      // Whoever waits for it hears of its failure; the next one reads all the same.
      this.#long = reading.catch(() => {});
      return reading;
    }
    await this.#options.heads.loadHistory(head);
    return childrenIn(head.history);
  }

  async #inPages(head: Head): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    let from = 0;
    let generation = head.state?.generation;
    // What only the disk has, which may become more meanwhile, and another generation's.
    while (head.state !== undefined && from <= head.historyFrom) {
      if (head.state.generation !== generation) {
        generation = head.state.generation;
        from = 0;
        ids.clear();
        continue;
      }
      const { number } = head.state;
      const page = await this.#options.store.readLog(number, generation, from, ENTRIES_AT_ONCE);
      for (const { entry } of page) for (const id of childrenIn(entry.history)) ids.add(id);
      const last = page.at(-1);
      if (last === undefined) break;
      from = last.sequence + 1;
    }
    for (const id of childrenIn(head.history)) ids.add(id);
    return ids;
  }
}

function isOfTree({ state }: Head, { parent }: Step): boolean {
  return parent === undefined || state?.parent?.number === parent;
}
