/** What tests ask of entities. */
import { noReply } from "../../../sidecar/engine/repeat.ts";
import { succeeded } from "../../support/entity-results.ts";
import type { TestHub } from "../../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../../support/worker.ts";

let requests = 0;

/** Signals an entity; `at` in hub time, if not now. */
export async function signal(
  hub: TestHub,
  instanceId: string,
  operation: string,
  more: { readonly input?: string; readonly at?: ReturnType<TestHub["clock"]["now"]> } = {},
): Promise<void> {
  requests += 1;
  const requestId = requests.toString(16).padStart(32, "0");
  const { input, at: scheduledAt } = more;
  await hub.hub.entities.signal({ instanceId, requestId, operation, input, scheduledAt }, noReply);
}

/** Gives an entity a state, or takes it. */
export async function set(
  hub: TestHub,
  worker: ScriptedWorker,
  instanceId: string,
  text?: string,
): Promise<void> {
  await signal(hub, instanceId, "set");
  const state = text === undefined ? {} : { entityState: text };
  await worker.answer(await worker.batch(instanceId), { results: [succeeded()], ...state });
}

export function textOf(hub: TestHub, instanceId: string): Promise<string | undefined> {
  return hub.hub.entities.read(instanceId, ({ entity }) => entity.text);
}

/** The instance that has locked it. */
export function lockOf(hub: TestHub, instanceId: string): Promise<string | undefined> {
  return hub.hub.entities.read(instanceId, ({ entity }) => entity.lock?.holder?.instanceId);
}
