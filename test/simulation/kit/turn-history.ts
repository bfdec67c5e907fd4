/** Histories as workers see them: with their turn, or fetched for it. */
import { fromBinary } from "@bufbuild/protobuf";
import { HubError } from "../../../sidecar/foundation/errors.ts";
import {
  type HistoryEvent,
  HistoryEventSchema,
  type OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { StoredEvent } from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { delimitedFields } from "../../../sidecar/wire/splice.ts";
import { isForWorkers } from "../../../sidecar/wire/work-item-bytes.ts";
import type { Life } from "./shadow.ts";
import { isUnanswered } from "./unanswered.ts";
import { violated } from "./violation.ts";
import type { World } from "./world.ts";

/** The past of a turn is what is durable as it begins. @throws Violation */
export function checkPast(request: OrchestratorRequest, life: Life): void {
  const { instanceId, requiresHistoryStreaming: isFetched, pastEvents } = request;
  const expected = isFetched ? 0 : pastOf(life).length;
  if (pastEvents.length === expected) return;
  violated(`a turn of ${instanceId} has ${pastEvents.length} past events, and not ${expected}`);
}

/**
 * Fetches the past of a turn, as a worker does that has just got it: exactly what is durable now.
 *
 * @returns undefined when the turn has become somebody else's meanwhile, or nobody answers
 * @throws Violation
 */
export async function fetchPast(
  world: World,
  hub: string,
  { instanceId, executionId }: OrchestratorRequest,
): Promise<readonly HistoryEvent[] | undefined> {
  const find = () => world.shadow.find(hub, instanceId);
  const life = find();
  if (life === undefined) violated(`a turn of ${instanceId} went out, which is not on the disk`);
  const { generation } = life.state;
  const expected = pastOf(life);
  const isStillSo = () => {
    const now = find();
    return now?.state.generation === generation && pastOf(now).length === expected.length;
  };
  const events = await fetched(world, hub, instanceId, executionId);
  if (events === undefined) return undefined;
  const isExact =
    events.length === expected.length &&
    events.every((event, at) => Buffer.compare(event, expected[at]?.event ?? event) === 0);
  if (isExact) {
    world.historiesFetched += 1;
    return events.map((event) => fromBinary(HistoryEventSchema, event));
  }
  if (isStillSo()) violated(`${instanceId}: what was fetched is not the past of its turn`);
  return undefined;
}

/** Its events as they come, or undefined. */
async function fetched(
  world: World,
  hub: string,
  instanceId: string,
  executionId: string | undefined,
): Promise<readonly Uint8Array[] | undefined> {
  for (let tries = 1; tries <= 3; tries += 1) {
    const events: Uint8Array[] = [];
    try {
      await world.stream(
        `history of ${instanceId}`,
        hub,
        (taskHub) => taskHub.history(instanceId, executionId, true),
        (chunk) => {
          for (const [, event] of delimitedFields(chunk)) events.push(event);
          return false;
        },
      );
      return events;
    } catch (error) {
      // It has ended, or begun anew.
      if (error instanceof HubError && error.code === "instance-not-found") return undefined;
      if (!isUnanswered(error)) throw error;
    }
    await world.loop.sleep(200, "fetch again");
  }
  return undefined;
}

function pastOf({ history }: Life): readonly StoredEvent[] {
  return history.filter(isForWorkers);
}
