import { describe, expect, it } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { TaskHubSidecarService } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { openHub } from "../../support/scheduler-harness.ts";

describe("the compatible service", () => {
  it("offers every method", async () => {
    await using hub = await openHub();
    const { methods } = compatibleService(hub.hubs, countedIds("c"));
    const all = TaskHubSidecarService.methods.map(({ localName }) => localName);
    expect([...methods.keys()].toSorted()).toEqual(all.toSorted());
  });
});
