/** Restarts by the SDK's client. */
import type { OrchestrationContext } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, newId, refusal } from "./hub.ts";

async function* listens(context: OrchestrationContext): Steps {
  return yield context.waitForExternalEvent("go");
}

export const restart: Area = {
  orchestrators: {
    double: async (_context, input: number) => input * 2,
    versioned: async ({ version }) => version,
    listens,
  },
  activities: {},
  asked: {
    "a completed orchestration that is restarted under its id runs again with its input": async (
      hub,
    ) => {
      const before = await hub.run("double", 21);
      const restarted = await hub.client.restartOrchestration(before.instanceId);
      return { before, restarted, after: await hub.completed(restarted) };
    },
    "a restart under a new id leaves a running orchestration as it is": async (hub) => {
      const instanceId = await hub.startAndWait("listens");
      const copy = await hub.client.restartOrchestration(instanceId, true);
      await hub.raise(copy, "go", 1);
      const ids = [instanceId, copy];
      return { ids, copy: await hub.completed(copy), status: await hub.status(instanceId) };
    },
    "a restarted orchestration has the tags and the version of its source": async (hub) => {
      const options = { tags: { team: "blue" }, version: "2.1" };
      const { instanceId } = await hub.run("versioned", undefined, options);
      const copy = await hub.client.restartOrchestration(instanceId, true);
      const { output } = await hub.completed(copy);
      return { output, tags: (await hub.client.getOrchestrationState(copy))?.tags };
    },
    "a running or suspended orchestration is not restarted under its id": async (hub) => {
      const instanceId = await hub.startAndWait("listens");
      const running = await refusal(hub.client.restartOrchestration(instanceId));
      await hub.client.suspendOrchestration(instanceId);
      return [running, await refusal(hub.client.restartOrchestration(instanceId))];
    },
    "restarting an unknown instance is refused": (hub) =>
      Promise.all(
        [false, true].map((isNew) =>
          refusal(hub.client.restartOrchestration(newId("nobody"), isNew)),
        ),
      ),
  },
};
