import { describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openCompat } from "../../support/compat-world.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { transports } from "../../support/rpc-harness.ts";
import { openHub } from "../../support/scheduler-harness.ts";

const missing = [
  "rewindInstance",
  "restartInstance",
  "queryInstances",
  "listInstanceIds",
  "completeEntityTask",
  "signalEntity",
  "getEntity",
  "queryEntities",
  "cleanEntityStorage",
  "abandonTaskEntityWorkItem",
  "skipGracefulOrchestrationTerminations",
] as const;

describe.each(transports)("a method that is not offered, over $name,", ({ serve }) => {
  it.each(missing)("%s is UNIMPLEMENTED", async (method) => {
    await using world = await openCompat(serve);
    await world.start("witness");
    await world.expectRefused(() => world.client[method]({}), "Unimplemented", /./);
  });
});

describe("the compatible service", () => {
  it("offers every other method", async () => {
    await using hub = await openHub();
    const { methods } = compatibleService(hub.hubs, countedIds("c"));
    const all = TaskHubSidecarService.methods.map(({ localName }) => localName);
    expect([...methods.keys(), ...missing].toSorted()).toEqual(all.toSorted());
  });
});
