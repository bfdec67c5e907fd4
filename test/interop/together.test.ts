/** Workers and clients of several SDKs at one sidecar at the same time, each in a hub of its own. */
import { randomUUID } from "node:crypto";
import { type OrchestrationContext, whenAll } from "@microsoft/durabletask-js";
import { expect, test } from "vitest";
import { findGo, GoProgram } from "../support/go-program.ts";
import { findJava, JavaProgram } from "../support/java-program.ts";
import { type HubAddress, newClient, newWorker, type Steps } from "../support/javascript-sdk.ts";
import { findPython, PythonProgram } from "../support/python-program.ts";
import { startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROUNDS = 5;
const [python, java, go] = await Promise.all([findPython(), findJava(), findGo()]);

/** A scenario that each of the programs has. */
const fanOutScenario = "the results of a hundred activities come back in the order of the calls";
const squares = Array.from({ length: 100 }, (_, i) => i * i);

test.runIf(python && java && go)(
  "workers of four SDKs share one sidecar, and each gets the results of its own activities",
  async () => {
    if (!python || !java || !go) return;
    await using directory = await temporaryDirectory();
    await using sidecar = await startSidecar({ dataDirectory: directory.path });
    const { address, port } = sidecar;
    await using ofPython = new PythonProgram(python, "activities", address, newHub());
    await using ofJava = new JavaProgram(java, "activities", address, newHub());
    await using ofGo = new GoProgram(go, "activities", address, newHub());
    await using ofJavaScript = await fanningOut({ port, taskHub: newHub() });
    const rounds = Array.from({ length: ROUNDS }, () => [
      ofPython.ask(fanOutScenario),
      ofJava.ask(fanOutScenario),
      ofGo.ask(fanOutScenario),
      ofJavaScript.run(),
    ]);

    const outputs = await Promise.all(rounds.flat());

    expect(outputs).toEqual(Array.from({ length: 4 * ROUNDS }, () => squares));
  },
);

/** Unnamed hubs would share the default one, and workers would get what they do not know. */
function newHub(): string {
  return `hub-${randomUUID()}`;
}

async function fanningOut(address: HubAddress) {
  await using started = new AsyncDisposableStack();
  const client = newClient(address);
  started.defer(() => client.stop());
  const worker = newWorker(address);
  worker.addNamedActivity("square", (_context, i: number) => i * i);
  worker.addNamedOrchestrator("fanOut", async function* (context: OrchestrationContext): Steps {
    return yield whenAll(squares.map((_, i) => context.callActivity("square", i)));
  });
  await worker.start();
  started.defer(() => worker.stop());
  const stack = started.move();
  return {
    run: async (): Promise<unknown> => {
      const instanceId = await client.scheduleNewOrchestration("fanOut");
      const state = await client.waitForOrchestrationCompletion(instanceId, true, 30);
      return JSON.parse(state?.serializedOutput ?? "null");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
