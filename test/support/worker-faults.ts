/** What simulated workers get wrong. */

/** How often a worker misbehaves, in percent of items. */
export interface WorkerFaults {
  abandons: number;
  /** It never answers, and notices only when its stream breaks. */
  forgets: number;
  /** It answers when its lease is over. */
  dawdles: number;
  /** It answers again, with something else. */
  repeats: number;
  /** It answers with tokens that it made up. */
  invents: number;
  splits: number;
  /** It answers that a batch failed outside its code. */
  fails: number;
  /** It runs only the first operations of a batch. */
  stops: number;
}

export const reliable: WorkerFaults = {
  abandons: 0,
  forgets: 0,
  dawdles: 0,
  repeats: 0,
  invents: 0,
  splits: 0,
  fails: 0,
  stops: 0,
};
