/** The filter of a watch: of instances as they are, and as they were before a change. */
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { InstanceState } from "../engine/state.ts";
import { HubError } from "../foundation/errors.ts";
import type { HubHold } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { type InstanceFilter, InstanceFilterSchema } from "../wire/gen/taskhub/v1/instance_pb.ts";
import { CLASS_OF_STATUS } from "./instance-status.ts";
import { type CompiledFilter, compileFilter } from "./query-filter.ts";
import type { Shown } from "./shown.ts";

export class WatchFilter {
  /** Tells this filter from others. */
  readonly checksum: string;
  readonly compiled: CompiledFilter;
  readonly #filter: InstanceFilter;

  /**
   * @throws HubError "invalid-argument", also for conditions that depend on more than what a watch
   * remembers of an instance
   */
  constructor(filter: InstanceFilter) {
    if (filter.customStatus.length > 0) throw unsupported("filter.custom_status");
    if (filter.heldLongerThan !== undefined) throw unsupported("filter.held_longer_than");
    this.compiled = compileFilter(filter);
    this.checksum = checksumOf(filter);
    this.#filter = filter;
  }

  /** Whether an instance of this id could be wanted. */
  mayWant(instanceId: string): boolean {
    return instanceId.startsWith(this.#filter.instanceIdPrefix);
  }

  /** @param covering tree and selector holds that cover the instance */
  wants(state: InstanceState, covering: readonly HubHold[], now: Timestamp): boolean {
    return this.compiled.matchesState(state, covering, now);
  }

  /** Whether an instance was wanted before a change of it. Holds of the hub are those of now. */
  wanted(instanceId: string, before: Shown, covering: readonly HubHold[], now: Timestamp): boolean {
    const { statuses } = this.#filter;
    if (statuses.length > 0 && !statuses.includes(before.status)) return false;
    if (!this.compiled.matchesFacts({ instanceId, ...before })) return false;
    const [first] = before.holds;
    const own =
      first === undefined
        ? undefined
        : { names: before.holds.map(({ name }) => name), since: first.placedAt ?? now };
    const instanceClass = CLASS_OF_STATUS.get(before.status) ?? "live";
    return this.compiled.judge(instanceClass, { own, covering, mayHaveMore: false }, now) !== "no";
  }
}

function checksumOf(filter: InstanceFilter): string {
  const tags = Object.entries(filter.tags).sort(([left], [right]) => (left < right ? -1 : 1));
  // Maps are encoded in the order of their entries.
  const sorted = create(InstanceFilterSchema, { ...filter, tags: Object.fromEntries(tags) });
  const digest = createHash("sha256").update(toBinary(InstanceFilterSchema, sorted)).digest();
  return digest.subarray(0, 9).toString("base64url");
}

function unsupported(field: string): HubError {
  return new HubError("invalid-argument", `${field} cannot be watched`);
}
