/** What a worker stream accepts, as it declared it when it connected. */
import type { GetWorkItemsRequest } from "../wire/gen/orchestrator_service_pb.ts";
import type { ReadyItem } from "./ready-queue.ts";

export type WorkFilter = (item: Pick<ReadyItem, "kind" | "name" | "version">) => boolean;

interface NameFilter {
  readonly name: string;
  readonly versions: readonly string[];
}

/**
 * No filters accept everything. With filters an empty list of a kind means none of that kind; an
 * empty list of versions means any, and "" stands for unversioned work.
 */
export function workFilterOf(request: GetWorkItemsRequest): WorkFilter {
  const filters = request.workItemFilters;
  if (filters === undefined) return () => true;
  const acceptsTurn = nameMatcher(filters.orchestrations);
  const acceptsActivity = nameMatcher(filters.activities);
  return (item) => {
    const accepts = item.kind === "turn" ? acceptsTurn : acceptsActivity;
    return accepts(item.name, item.version);
  };
}

/** Exact names first; without case as a fallback, because .NET names have none. */
function nameMatcher(filters: readonly NameFilter[]): (name: string, version: string) => boolean {
  const exact = new Map<string, readonly NameFilter[]>();
  const folded = new Map<string, readonly NameFilter[]>();
  for (const filter of filters) {
    exact.set(filter.name, [...(exact.get(filter.name) ?? []), filter]);
    const key = filter.name.toLowerCase();
    folded.set(key, [...(folded.get(key) ?? []), filter]);
  }
  return (name, version) => {
    const candidates = exact.get(name) ?? folded.get(name.toLowerCase()) ?? [];
    return candidates.some(({ versions }) => versions.length === 0 || versions.includes(version));
  };
}
