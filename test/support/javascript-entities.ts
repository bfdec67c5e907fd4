/** An entity that does what it is told, and orchestrators that tell it, in the JavaScript SDK. */
import { randomUUID } from "node:crypto";
import {
  EntityInstanceId,
  type LockHandle,
  type OrchestrationContext,
  type TaskEntityOperation,
} from "@microsoft/durabletask-js";
import { Gates } from "./gates.ts";
import { type HubAddress, newClient, newWorker, type Steps } from "./javascript-sdk.ts";
import { type JavaScriptSuite, outputOf } from "./javascript-sdk-suite.ts";

/** An operation for an entity, by its id as text. */
export interface Sent {
  readonly to: string;
  readonly operation: string;
  readonly input?: unknown;
  /** In milliseconds; now, if there is none. */
  readonly atMs?: number;
}

/** What came of a call. */
export type Outcome =
  | { readonly result: unknown }
  | { readonly failed: { readonly type: string; readonly message: string } };

/** What an orchestration does in its critical section. */
export interface Section {
  /** Entities to lock, as text. */
  readonly ids: readonly string[];
  /** Where it stops when it has locked them. */
  readonly gate?: string;
  readonly calls: readonly Sent[];
  /** How it leaves: by a release, if it does not say. */
  readonly ending?: "fails" | "continues as new" | "releases twice";
  /** Where it stops between its two releases. */
  readonly secondGate?: string;
}

/** What an entity tells by `tell`. */
export interface Told {
  readonly state: unknown;
  readonly atMs: number;
}

export function newEntityId(): string {
  return `@account@${randomUUID()}`;
}

export function idOf(text: string): EntityInstanceId {
  return EntityInstanceId.fromString(text);
}

/** Registers the entity `account` and what works with it. */
export function withEntities(suite: JavaScriptSuite) {
  const gates = new Gates();
  suite.entity("account", accountAt(gates));
  suite.orchestrator("returns", returns);
  suite.orchestrator("signals", signals);
  suite.orchestrator("calls", calls);
  suite.orchestrator("locks", locks);
  suite.activity("pass", (_context, gate: string) => gates.pass(gate));
  const outcomes = async (...sent: readonly Sent[]) =>
    outputOf(await suite.run("calls", sent)) as Promise<readonly Outcome[]>;
  return {
    gates,
    outcomes,
    /** Calls an operation that must succeed. @returns its result */
    call: async (to: string, operation: string, input?: unknown) => {
      const [outcome] = await outcomes({ to, operation, input });
      return resultOf(outcome);
    },
    signal: (to: string, operation: string, input?: unknown) =>
      suite.client.signalEntity(idOf(to), operation, input),
  };
}

/** What the entity says: an orchestration under this id, which `tell` has started, returns it. */
export async function told(suite: JavaScriptSuite, instanceId: string): Promise<Told> {
  return outputOf(await suite.completed(instanceId)) as Told;
}

export function resultOf(outcome: Outcome | undefined): unknown {
  if (outcome === undefined || "failed" in outcome) throw new Error(JSON.stringify(outcome));
  return outcome.result;
}

/** The entity: its state is any value, at the beginning none. */
function accountAt(gates: Gates) {
  return async (operation: TaskEntityOperation): Promise<unknown> => {
    const { state, context } = operation;
    switch (operation.name) {
      case "get":
        return state.getState();
      case "set":
        state.setState(operation.getInput());
        return state.getState();
      case "add":
        state.setState((state.getState<number>() ?? 0) + (operation.getInput<number>() ?? 0));
        return state.getState();
      case "multiply":
        state.setState((state.getState<number>() ?? 0) * (operation.getInput<number>() ?? 0));
        return state.getState();
      case "append":
        state.setState([...(state.getState<unknown[]>() ?? []), operation.getInput()]);
        return undefined;
      case "delete":
        state.setState(null);
        return undefined;
      case "forward":
        for (const sent of operation.getInput<Sent[]>() ?? []) signalFrom(context, sent);
        return undefined;
      case "break":
        state.setState("broken");
        for (const sent of operation.getInput<Sent[]>() ?? []) signalFrom(context, sent);
        throw new RangeError("out of range");
      case "tell": {
        const facts = { state: state.getState(), atMs: Date.now() };
        const instanceId = operation.getInput<string>() ?? "";
        return context.scheduleNewOrchestration("returns", facts, { instanceId });
      }
      case "pass":
        return gates.pass(operation.getInput<string>() ?? "");
      default:
        throw new Error(`there is no operation ${operation.name}`);
    }
  };
}

function signalFrom(
  sender: Pick<TaskEntityOperation["context"], "signalEntity">,
  { to, operation, input, atMs }: Sent,
): void {
  const options = atMs === undefined ? undefined : { signalTime: new Date(atMs) };
  sender.signalEntity(idOf(to), operation, input, options);
}

async function returns(_context: OrchestrationContext, input: unknown): Promise<unknown> {
  return input;
}

export async function signals(context: OrchestrationContext, sent: Sent[]): Promise<void> {
  for (const each of sent) signalFrom(context.entities, each);
}

async function* calls(
  context: OrchestrationContext,
  sent: readonly Sent[],
): Steps<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const each of sent) outcomes.push(yield* outcome(context, each));
  return outcomes;
}

async function* locks(context: OrchestrationContext, section: Section): Steps {
  const lock: LockHandle = yield context.entities.lockEntities(...section.ids.map(idOf));
  if (section.gate !== undefined) yield context.callActivity("pass", section.gate);
  const outcomes = yield* calls(context, section.calls);
  if (section.ending === "fails") throw new Error("crashed");
  if (section.ending === "continues as new") {
    const { ids, calls: again } = section;
    return context.continueAsNew({ ids, calls: again }, true);
  }
  lock.release();
  if (section.secondGate !== undefined) yield context.callActivity("pass", section.secondGate);
  if (section.ending === "releases twice") lock.release();
  return outcomes;
}

/** Calls an operation, and catches its failure. */
export async function* outcome(
  context: OrchestrationContext,
  { to, operation, input }: Sent,
): Steps<Outcome> {
  try {
    const result: unknown = yield context.entities.callEntity(idOf(to), operation, input);
    return { result };
  } catch (error) {
    const { failureDetails } = error as { failureDetails?: Record<string, string> };
    if (failureDetails === undefined) throw error;
    const { errorType = "", errorMessage = "" } = failureDetails;
    return { failed: { type: errorType, message: errorMessage } };
  }
}

/** A client, and a worker whose filter takes this entity and no other. */
export async function workingWith(hub: HubAddress, entity: string, gates: Gates) {
  const client = newClient(hub);
  const worker = newWorker(hub, { workItemFilters: "auto" });
  worker.addNamedEntity(entity, () => ({ run: accountAt(gates) }));
  worker.addNamedOrchestrator("calls", calls);
  worker.addNamedOrchestrator("locks", locks);
  worker.addNamedActivity("pass", (_context, gate: string) => gates.pass(gate));
  worker.addNamedOrchestrator("returns", returns);
  await worker.start();
  const stop = async () => {
    await Promise.all([client.stop(), worker.stop()]);
  };
  return { client, [Symbol.asyncDispose]: stop };
}
