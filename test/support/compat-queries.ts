/** What tests ask of QueryInstances and ListInstanceIds, and the instances that they ask about. */
import { expect } from "vitest";
import type {
  InstanceQuery,
  OrchestrationState,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { CompatWorld } from "./compat-world.ts";
import { completed, failed, scheduleTask } from "./worker-actions.ts";

export type Query = Partial<Omit<InstanceQuery, "$typeName" | "$unknown">>;

/** So many instances, a second apart, all waiting for a worker. */
export async function startMany({ hub }: CompatWorld, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `i${String(at).padStart(3, "0")}`);
  for (const id of ids) {
    await hub.start(id);
    await hub.pass(1_000);
  }
  return ids;
}

export const idsOf = (states: readonly OrchestrationState[]) =>
  states.map(({ instanceId }) => instanceId);

export async function find(world: CompatWorld, query: Query = {}): Promise<string[]> {
  const answer = await world.client.queryInstances({ query });
  expect(answer.continuationToken).toBeUndefined();
  return idsOf(answer.orchestrationState);
}

/** All pages, with sizes that change from page to page. */
export async function pagesOf(world: CompatWorld, sizes: readonly number[], query: Query = {}) {
  const pages: OrchestrationState[][] = [];
  let token: string | undefined = "";
  // Ends with the page that has no token, and long before there are so many.
  while (token !== undefined && pages.length < 100) {
    const maxInstanceCount = sizes[pages.length % sizes.length] ?? 0;
    const asked = { ...query, maxInstanceCount, continuationToken: token };
    const answer = await world.client.queryInstances({ query: asked });
    pages.push(answer.orchestrationState);
    token = answer.continuationToken;
    expect(token).not.toBe("");
  }
  return pages;
}

export async function idPages(world: CompatWorld, pageSize: number, request = {}) {
  const pages: string[][] = [];
  let lastInstanceKey: string | undefined;
  do {
    const key = lastInstanceKey === undefined ? {} : { lastInstanceKey };
    const answer = await world.client.listInstanceIds({ ...request, pageSize, ...key });
    pages.push(answer.instanceIds);
    ({ lastInstanceKey } = answer);
    expect(lastInstanceKey).not.toBe("");
  } while (lastInstanceKey !== undefined && pages.length < 100);
  return pages;
}

/** One instance in every state that there is: its id is the name of that. */
export async function oneOfEach(world: CompatWorld): Promise<void> {
  const worker = await world.worker({ workItemFilters: { orchestrations: [{ name: "Main" }] } });
  const endings = {
    completed: completed('"out"'),
    failed: failed("why"),
    running: scheduleTask(1),
  };
  for (const [id, action] of Object.entries(endings)) {
    await world.start(id, "Main", '"in"');
    await worker.complete(await worker.turn(), [action], { customStatus: '"status"' });
    await world.hub.pass(1_000);
  }
  for (const id of ["pending", "suspended", "terminated"])
    await world.start(id, "Nobody's", '"in"');
  await world.client.suspendInstance({ instanceId: "suspended" });
  await world.client.terminateInstance({ instanceId: "terminated", output: '"out"' });
}
