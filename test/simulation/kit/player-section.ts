/** A critical section as an orchestrator plays it: everything is read before anything is written. */
import type { EntityOperation } from "./plan.ts";
import type { EntityCalls } from "./player-entities.ts";

export type Section = Extract<EntityOperation, { readonly kind: "section" }>;

/** What a section needs of its orchestration. */
export interface SectionPlayer {
  nextId(): number;
  /** An activity; true when it has been answered. */
  think(id: number, input: string): boolean;
}

/** True when it is over, or has come to where it crashes. */
export function playSection(
  { id, entities, thinks, crashes }: Section,
  calls: EntityCalls,
  player: SectionPlayer,
): boolean {
  const lock = player.nextId();
  const section = calls.sectionOf(lock);
  calls.lock(lock, section, entities);
  const reads = entities.map((entity) => ({ id: player.nextId(), entity }));
  const thought = thinks ? player.nextId() : undefined;
  const writes = entities.map((entity) => ({ id: player.nextId(), entity }));
  const unlocks = entities.map((entity) => ({ id: player.nextId(), entity }));
  if (!calls.isGranted(section)) return false;
  const numbers = reads.map((read) =>
    calls.callNow(read.id, { entity: read.entity, operation: "read", section }),
  );
  if (numbers.includes(undefined)) return false;
  if (thought !== undefined && !player.think(thought, `${id}.think`)) return false;
  if (crashes) return true;
  const isWritten = writes.map((write, at) => {
    const read = numbers[at];
    // A batch that failed outside its code has read nothing.
    if (read === undefined || "failure" in read) return true;
    const number = Number(read.result) + 1;
    const called = { entity: write.entity, operation: "write", section, number };
    return calls.callNow(write.id, called) !== undefined;
  });
  if (isWritten.includes(false)) return false;
  for (const unlock of unlocks) calls.unlock(unlock.id, section, unlock.entity);
  return true;
}
