import { type OrchestrationContext, OrchestrationStatus, whenAll } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import type { Steps } from "../support/javascript-sdk.ts";
import { javaScriptSuite, outputOf } from "../support/javascript-sdk-suite.ts";

const suite = javaScriptSuite();
const MEBIBYTE = 1024 * 1024;

const echo = suite.activity("echo", (_context, input: unknown) => input);
const repeat = suite.activity("repeat", (_context, count: number) => "x".repeat(count));
const echoes = suite.orchestrator("echoes", async (_context, input: unknown) => input);
const echoesByActivity = suite.orchestrator(
  "echoesByActivity",
  async function* (context: OrchestrationContext, input: unknown): Steps {
    return yield context.callActivity(echo, input);
  },
);
const echoesByChild = suite.orchestrator(
  "echoesByChild",
  async function* (context: OrchestrationContext, input: unknown): Steps {
    return yield context.callSubOrchestrator(echoes, input);
  },
);
const echoesEvent = suite.orchestrator(
  "echoesEvent",
  async function* (context: OrchestrationContext): Steps {
    return yield context.waitForExternalEvent("payload");
  },
);
const lengthOf = suite.orchestrator(
  "lengthOf",
  async function* (context: OrchestrationContext, count: number): Steps<number> {
    const text: string = yield context.callActivity(repeat, count);
    return text.length;
  },
);
const holdsManyResults = suite.orchestrator(
  "holdsManyResults",
  async function* (context: OrchestrationContext, count: number): Steps<number> {
    let length = 0;
    for (let i = 0; i < count; i += 1) {
      const text: string = yield context.callActivity(repeat, MEBIBYTE);
      length += text.length;
    }
    return length;
  },
);

const measures = suite.activity("measures", (_context, text: string) => text.length);
const sendsMuch = suite.orchestrator(
  "sendsMuch",
  async function* (context: OrchestrationContext, count: number): Steps {
    const texts = Array.from({ length: count }, () => "x".repeat(MEBIBYTE));
    return yield whenAll(texts.map((text) => context.callActivity(measures, text)));
  },
);

// Values that JSON has: what becomes of others is the SDK's business.
const values = [
  0,
  -1,
  1.5,
  "",
  "text",
  "\u0000 \u2028 \ud83d\ude00",
  false,
  true,
  null,
  [],
  {},
  [null],
  { a: "" },
];

test.concurrent.for(values.map((value) => ({ value, text: JSON.stringify(value) })))(
  "$text passes through inputs, activities, children and outputs",
  async ({ value, text }) => {
    for (const name of [echoes, echoesByActivity, echoesByChild]) {
      const state = await suite.run(name, value);
      expect(state.serializedInput).toBe(text);
      expect(state.serializedOutput).toBe(text);
    }
  },
);

test.concurrent.for(values.map((value) => ({ value, text: JSON.stringify(value) })))(
  "$text passes through an event",
  async ({ value, text }) => {
    const instanceId = await suite.start(echoesEvent);
    await suite.client.raiseOrchestrationEvent(instanceId, "payload", value);
    expect((await suite.completed(instanceId)).serializedOutput).toBe(text);
  },
);

test.concurrent("no value is an empty input and no output", async () => {
  const state = await suite.run(echoes, undefined);
  expect(state.serializedInput).toBe("");
  expect(state.serializedOutput).toBeUndefined();
});

test.concurrent("no value comes back from an activity and a child as no value", async () => {
  expect(outputOf(await suite.run(echoesByActivity, undefined))).toBeUndefined();
  expect(outputOf(await suite.run(echoesByChild, undefined))).toBeUndefined();
});

test.concurrent("a mebibyte passes through inputs, activities, children and outputs", async () => {
  const value = "ä".repeat(MEBIBYTE / 2);
  for (const name of [echoes, echoesByActivity, echoesByChild]) {
    expect(await suite.outputOf(name, value)).toBe(value);
  }
});

test.concurrent("a mebibyte passes through an event", async () => {
  const value = "e".repeat(MEBIBYTE);
  const instanceId = await suite.start(echoesEvent);
  await suite.client.raiseOrchestrationEvent(instanceId, "payload", value);
  expect(outputOf(await suite.completed(instanceId))).toBe(value);
});

test.concurrent("a turn that answers with six mebibytes is taken", async () => {
  expect(await suite.outputOf(sendsMuch, 6)).toEqual(Array.from({ length: 6 }, () => MEBIBYTE));
});

test.concurrent("a history of six mebibytes is replayed by a worker without a limit, and read", async () => {
  const state = await suite.run(holdsManyResults, 6);
  expect(state.serializedOutput).toBe(String(6 * MEBIBYTE));
  const history = await suite.client.getOrchestrationHistory(state.instanceId);
  const sizes = history.map((event) => (event.type === "TaskCompleted" ? event.result?.length : 0));
  expect(sizes.reduce((a = 0, b = 0) => a + b)).toBe(6 * (MEBIBYTE + 2));
});

test.concurrent("a payload that is too big is refused and names its limit", async () => {
  const state = suite.run(echoes, "x".repeat(8 * MEBIBYTE));
  await expect(state).rejects.toMatchObject({ details: expect.stringMatching(/\d+/) });
});

test.concurrent("an activity's result that is too big fails its task, not the sidecar", async () => {
  const state = await suite.run(lengthOf, 8 * MEBIBYTE);
  expect(state.runtimeStatus).toBe(OrchestrationStatus.FAILED);
});
