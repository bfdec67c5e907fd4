/** Instances that wait for a timer, and nothing else. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { TestHub } from "../../support/scheduler-harness.ts";
import { createTimer } from "../../support/worker-actions.ts";

/** One of them; its turn was taken by a worker that is gone. */
export async function sleeping(hub: TestHub, ms: number, id = "a"): Promise<Timestamp> {
  const worker = hub.worker();
  const at = hub.clock.in(ms);
  await hub.start(id);
  await worker.complete(await worker.turn(id), [createTimer(1, at)]);
  await hub.settled();
  await worker.close();
  return at;
}

export async function hasFired(hub: TestHub, id = "a"): Promise<boolean> {
  await hub.settled();
  return (await hub.hub.read(id, (state) => state.timers.size)) === 0;
}
