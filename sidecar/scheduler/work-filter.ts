/** What a worker stream accepts, as it declared it when it connected. */
import type { GetWorkItemsRequest } from "../wire/gen/orchestrator_service_pb.ts";
import type { ReadyItem } from "./ready-queue.ts";

export type WorkFilter = (item: Pick<ReadyItem, "kind" | "name" | "version">) => boolean;

interface NameFilter {
  readonly name: string;
  readonly versions: readonly string[];
}

/** What is known of a worker's software: some have quirks. */
export interface WorkerSoftware {
  /** The SDK, or its gRPC library if it does not say. */
  readonly userAgent: string;
  /** The gRPC library. */
  readonly library: string;
}

/**
 * No filters accept everything. With filters an empty list of a kind means none of that kind; an
 * empty list of versions means any, and "" stands for unversioned work.
 *
 * @see PROTOCOL.md 3.3, 6.4, 9.3
 */
export function workFilterOf(request: GetWorkItemsRequest, software: WorkerSoftware): WorkFilter {
  const filters = request.workItemFilters;
  const acceptsBatch = entityMatcher(request, software);
  if (filters === undefined) return (item) => item.kind !== "batch" || acceptsBatch(item.name);
  const acceptsTurn = nameMatcher(filters.orchestrations);
  const acceptsActivity = nameMatcher(filters.activities);
  return ({ kind, name, version }) => {
    switch (kind) {
      case "turn":
        return acceptsTurn(name, version);
      case "activity":
        return acceptsActivity(name, version);
      case "batch":
        return acceptsBatch(name);
    }
  };
}

/**
 * The version by which an activity is judged. SDKs name the versions that they accept for activities
 * as for orchestrations, and call activities without one.
 */
export function activityVersion(
  activity: { readonly version?: string | undefined },
  orchestration: { readonly version?: string | undefined },
): string {
  return activity.version || orchestration.version || "";
}

/** Entities have no versions, and their names are compared in lower case. */
function entityMatcher(
  { workItemFilters: filters, maxConcurrentEntityWorkItems }: GetWorkItemsRequest,
  software: WorkerSoftware,
): (name: string) => boolean {
  const statesLimit = maxConcurrentEntityWorkItems > 0;
  if (filters === undefined) return () => statesLimit || !dropsEntities(software);
  // Java's filters cannot name entities; it states a limit exactly when it has some registered.
  const hasNoWordForThem = software.library.startsWith("grpc-java");
  const isUnrestricted = hasNoWordForThem && filters.entities.length === 0 && statesLimit;
  if (isUnrestricted) return () => true;
  const names = new Set(filters.entities.map(({ name }) => name.toLowerCase()));
  return (name) => names.has(name.toLowerCase());
}

/**
 * The Go SDK, which says nothing of itself, logs and drops batches: they would never be answered. One
 * that asks for some is another one.
 */
function dropsEntities({ library, userAgent }: WorkerSoftware): boolean {
  return library.startsWith("grpc-go/") && userAgent === library;
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
