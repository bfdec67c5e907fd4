/** Values counted by size: what a histogram shows. Adding one costs a few comparisons. */
export class Tally {
  /** Upper bounds, ascending; what is larger is counted behind the last. */
  readonly bounds: readonly number[];
  /** How many values there were in each bucket, not cumulative; one more than there are bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  get count(): number {
    return this.counts.reduce((all, some) => all + some, 0);
  }

  add(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
  }
}

/** Seconds, from a fast flush to a call that waits. */
export const SECONDS_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** Seconds, from a moment to a month: ages and delays. */
export const AGE_BOUNDS = [
  1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000,
] as const;

/** How many there are of something. */
export const COUNT_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048] as const;
