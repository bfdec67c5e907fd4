/** What payloads become on their way, and how big they may be. */
import { type OrchestrationContext, whenAll } from "@microsoft/durabletask-js";
import type { Steps } from "../../support/javascript-sdk.ts";
import { type Area, refusal } from "./hub.ts";

const MEBIBYTE = 1024 * 1024;
const ECHOES = ["echoes", "echoesByActivity", "echoesByChild"];

async function* holdsManyResults(context: OrchestrationContext, count: number): Steps {
  let length = 0;
  for (let i = 0; i < count; i += 1) {
    const text: string = yield context.callActivity("repeat", MEBIBYTE);
    length += text.length;
  }
  return length;
}

async function* sendsMuch(context: OrchestrationContext, count: number): Steps {
  const texts = Array.from({ length: count }, () => "x".repeat(MEBIBYTE));
  yield whenAll(texts.map((text) => context.callActivity("measures", text)));
  return "sent";
}

export const payloads: Area = {
  orchestrators: {
    echoes: async (_context, input: unknown) => input,
    echoesByActivity: async function* (context, input: unknown): Steps {
      return yield context.callActivity("echo", input);
    },
    echoesByChild: async function* (context, input: unknown): Steps {
      return yield context.callSubOrchestrator("echoes", input);
    },
    echoesEvent: async function* (context): Steps {
      return yield context.waitForExternalEvent("payload");
    },
    lengthOf: async function* (context, count: number): Steps {
      const text: string = yield context.callActivity("repeat", count);
      return text.length;
    },
    holdsManyResults,
    sendsMuch,
  },
  activities: {
    echo: (_context, input: unknown) => input,
    repeat: (_context, count: number) => "x".repeat(count),
    measures: (_context, text: string) => text.length,
  },
  asked: {
    passThroughAll: (hub, value: unknown) =>
      Promise.all(ECHOES.map((name) => hub.run(name, value))),
    passThroughEvent: async (hub, value: unknown) => {
      const instanceId = await hub.start("echoesEvent");
      await hub.raise(instanceId, "payload", value);
      return hub.completed(instanceId);
    },
    "no value is an empty input and no output": (hub) => hub.run("echoes"),
    "no value comes back from an activity and a child as no value": (hub) =>
      Promise.all([hub.run("echoesByActivity"), hub.run("echoesByChild")]),
    "a mebibyte passes through inputs, activities, children and outputs": async (hub) => {
      const value = "ä".repeat(MEBIBYTE / 2);
      const outputs = await Promise.all(ECHOES.map((name) => hub.outputOf(name, value)));
      return outputs.map((output) => output === value);
    },
    "a mebibyte passes through an event": async (hub) => {
      const value = "e".repeat(MEBIBYTE);
      const instanceId = await hub.start("echoesEvent");
      await hub.raise(instanceId, "payload", value);
      return (await hub.completed(instanceId)).output === JSON.stringify(value);
    },
    "a turn that answers with six mebibytes is taken": (hub) => hub.run("sendsMuch", 6),
    "a history of six mebibytes is replayed by a worker without a limit, and read": async (hub) => {
      const { output, instanceId } = await hub.run("holdsManyResults", 6);
      const history = await hub.history(instanceId);
      const results = history.flatMap((event) =>
        event.type === "TaskCompleted" ? [event.result?.length] : [],
      );
      return { output, results };
    },
    "a payload that is too big is refused and names its limit": (hub) =>
      refusal(hub.start("echoes", "x".repeat(8 * MEBIBYTE))),
    "an activity's result that is too big fails its task, not the sidecar": (hub) =>
      hub.run("lengthOf", 8 * MEBIBYTE),
  },
};
