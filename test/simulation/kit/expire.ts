/** The end of a simulation: what has finished is kept as long as it was said, and then it is gone. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { RetentionPolicy } from "../../../sidecar/scheduler/retention-policy.ts";
import { classOf } from "../../../sidecar/store/instance-rows.ts";
import { Cause } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Random } from "../../model/kit/random.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** How long the newest is kept yet; and those that are kept for others are looked at every hour. */
const KEPT_MS = 20 * 60_000;
const PATIENCE_MS = KEPT_MS + 3 * 3_600_000;

/** Starts once more, with a retention, until nothing is left but entities. @throws Violation */
export async function expire(
  world: World,
  random: Random,
  until: (isReached: () => boolean) => Promise<void>,
): Promise<void> {
  const { loop, shadow } = world;
  await world.crash();
  const states = () =>
    [...shadow.rows.values()].flatMap(({ number }) => shadow.lives.get(number)?.state ?? []);
  const ended = states().map(({ completedAt }) => (completedAt ? timestampMs(completedAt) : 0));
  const aheadMs = Math.max(...ended) - world.wall.nowMs;
  // Some are due at once, and some are not.
  const newestMs = Math.max(0, -aheadMs);
  const age = () => newestMs + random.below(KEPT_MS);
  const ages = { completed: age(), failed: age(), terminated: age(), canceled: age() };
  world.retention = { ages, lowSpaceAges: {} };
  world.boot();
  // The clock may have been set back since they ended.
  const endMs = loop.nowMs + Math.max(0, aheadMs) + PATIENCE_MS;
  const left = () =>
    states().flatMap(({ instanceId, entity }) => (entity === undefined ? [instanceId] : []));
  await until(() => left().length === 0 || loop.nowMs > endMs);
  if (left().length > 0) violated(`these are kept for ever: ${left()}`);
}

/** @throws Violation when a life was removed before its time, or what is no finished instance */
export function checkExpired({ state, ended }: Life, retention: RetentionPolicy | undefined): void {
  // Nothing is said of what holds while the disk is nearly full.
  const isExpired = ended?.cause === Cause.RETENTION || ended?.cause === Cause.RETENTION_LOW_SPACE;
  if (!isExpired || ended.time === undefined) return;
  const { completedAt, instanceId } = state;
  if (completedAt === undefined) violated(`retention has removed ${instanceId}, which goes on`);
  const ages = retention?.ages ?? {};
  const ending = classOf(state.status);
  // A child goes with its parent.
  const isRoot = state.parent === undefined && ending !== "live";
  const keptMs = (isRoot ? ages[ending] : undefined) ?? Math.min(...Object.values(ages));
  if (timestampMs(ended.time) - timestampMs(completedAt) >= keptMs) return;
  violated(`retention has removed ${instanceId} too early`);
}
