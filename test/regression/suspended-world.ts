/** Both services on a task hub in memory, with one instance that is suspended in either way. */
import { type Client, createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { compatibleService } from "../../sidecar/rpc/compat/service.ts";
import { clientService } from "../../sidecar/rpc/v1/service.ts";
import type { OrchestratorAction } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { CallLog } from "../support/compat-calls.ts";
import type { CompatWorker } from "../support/compat-worker.ts";
import { CompatWorld, type Serve } from "../support/compat-world.ts";
import { countedIds } from "../support/fake-clock.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { completed, scheduleTask } from "../support/worker-actions.ts";

export const INSTANCE = { instanceId: "a" };

/** Both ways in which clients suspend: the result must be the same. */
export const waysToSuspend = ["the compatible RPC", "a named hold of taskhub.v1"] as const;
type Way = (typeof waysToSuspend)[number];

export class World extends CompatWorld {
  readonly v1: Client<typeof ClientService>;

  constructor(...parts: ConstructorParameters<typeof CompatWorld>) {
    super(...parts);
    this.v1 = createClient(ClientService, this.transport);
  }

  async suspend(way: Way): Promise<void> {
    if (way === "the compatible RPC") await this.client.suspendInstance(INSTANCE);
    else await this.v1.suspendInstance({ ...INSTANCE, name: "audit" });
  }

  async resume(way: Way): Promise<void> {
    if (way === "the compatible RPC") await this.client.resumeInstance(INSTANCE);
    else await this.v1.resumeInstance({ ...INSTANCE, name: "audit" });
  }

  /** A worker that has answered the first turn of the instance. */
  async running(actions: readonly OrchestratorAction[] = []): Promise<CompatWorker> {
    await this.start("a");
    const worker = await this.worker();
    await worker.complete(await worker.turn(), actions);
    return worker;
  }

  /** A whole instance comes and goes: whatever could have been given to the worker before was. */
  async passBy(worker: CompatWorker): Promise<void> {
    await this.start("other");
    const turn = await worker.turn();
    expect(turn.request.instanceId).toBe("other");
    await worker.complete(turn, [scheduleTask(0)]);
    const activity = await worker.activity();
    expect(activity.request.orchestrationInstance?.instanceId).toBe("other");
    await worker.finish(activity);
    const last = await worker.turn();
    expect(last.request.instanceId).toBe("other");
    await worker.complete(last, [completed()]);
  }

  raise(name: string): Promise<unknown> {
    return this.client.raiseEvent({ ...INSTANCE, name });
  }
}

export async function openWorld(serve: Serve): Promise<World> {
  const hub = await openHub();
  const calls = new CallLog();
  const served = await serve(
    calls.over(compatibleService(hub.hubs, countedIds("c"))),
    calls.over(clientService(hub.hubs, { version: "0.0.0", steadyClock: hub.steady })),
  );
  return new World(hub, served, calls);
}
