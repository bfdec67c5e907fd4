/** How long finished instances are kept. */
import type { Ending } from "./figures.ts";

/** Milliseconds since the end, by how it ended; what is not named is kept for ever. */
export type RetentionAges = Readonly<Partial<Record<Ending, number>>>;

export interface RetentionPolicy {
  readonly ages: RetentionAges;
  /** What holds besides while the disk is nearly full. */
  readonly lowSpaceAges: RetentionAges;
}

/** Everything is kept for ever. */
export const keepsAll: RetentionPolicy = { ages: {}, lowSpaceAges: {} };

/** The shorter of the two ages; undefined: for ever. */
export function ageNow(
  { ages, lowSpaceAges }: RetentionPolicy,
  ending: Ending,
  isSpaceLow: boolean,
): number | undefined {
  const usual = ages[ending];
  const low = isSpaceLow ? lowSpaceAges[ending] : undefined;
  if (usual === undefined || low === undefined) return usual ?? low;
  return Math.min(usual, low);
}

/** Endings of which some age is said. */
export function endingsOf({ ages, lowSpaceAges }: RetentionPolicy): readonly Ending[] {
  const all: readonly Ending[] = ["completed", "failed", "terminated", "canceled"];
  return all.filter((ending) => ages[ending] !== undefined || lowSpaceAges[ending] !== undefined);
}
