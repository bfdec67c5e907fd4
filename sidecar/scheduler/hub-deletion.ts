/** Deletes a task hub with all that it has, while clients and workers are attached to it. */
import { HubError } from "../foundation/errors.ts";
import type { HubParts } from "./hub-parts.ts";

/**
 * Resolves when it is durable. Waits end with "instance-not-found"; worker streams stay open, and what
 * workers have is void.
 */
export async function deleteHub(name: string, parts: HubParts): Promise<void> {
  const { desk, heads, log, road, store } = parts;
  road.deleteHub();
  for (const head of heads.all()) {
    desk.voidWork(head, "all");
    head.state = undefined;
    head.indexed = undefined;
    head.shown = undefined;
    head.dueScheduled = undefined;
    head.unsettled = [];
    head.history = [];
    head.position = log.position;
  }
  desk.clear();
  parts.gate.clear();
  parts.alarms.arm();
  parts.instanceAlarms.forget();
  parts.ages.hubDeleted();
  parts.retention.hubDeleted();
  parts.stillnesses.ring();
  await parts.waiters.endAll(
    new HubError("instance-not-found", `task hub ${JSON.stringify(name)} was deleted`),
    store.whenDurable(log.position),
  );
  parts.watches.hubDeleted();
  for (const head of [...heads.all()]) heads.release(head);
}
