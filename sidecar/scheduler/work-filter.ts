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
  const exact = new Map<string, AcceptedVersions>();
  const folded = new Map<string, AcceptedVersions>();
  for (const { name, versions } of filters) {
    add(exact, name, versions);
    add(folded, name.toLowerCase(), versions);
  }
  return (name, version) => {
    const accepted = exact.get(name) ?? folded.get(name.toLowerCase());
    return accepted !== undefined && (accepted.any || accepted.versions.has(version));
  };
}

interface AcceptedVersions {
  any: boolean;
  readonly versions: Set<string>;
}

/** A name may come as often as a worker likes, and each work item asks. */
function add(to: Map<string, AcceptedVersions>, name: string, versions: readonly string[]): void {
  const accepted = to.get(name) ?? { any: false, versions: new Set() };
  to.set(name, accepted);
  if (versions.length === 0) accepted.any = true;
  for (const version of versions) accepted.versions.add(version);
}
