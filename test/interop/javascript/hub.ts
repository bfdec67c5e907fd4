/** What scenarios work with: a client of one task hub, and facts in JSON about what it has seen. */
import { randomUUID } from "node:crypto";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  type HistoryEvent,
  type OrchestrationState,
  OrchestrationStatus,
  type StartOrchestrationOptions,
  type TActivity,
  type TaskHubGrpcClient,
  type TInput,
  type TOrchestrator,
} from "@microsoft/durabletask-js";
import { newClient } from "../../support/javascript-sdk.ts";
import type { ProgramState } from "../../support/program-state.ts";

/** How long the SDK may wait for something, in seconds: less than a test may take. */
const PATIENCE_SECONDS = 30;

/** What one file of scenarios brings. */
export interface Area {
  readonly orchestrators: Readonly<Record<string, TOrchestrator>>;
  readonly activities: Readonly<Record<string, TActivity<TInput, unknown>>>;
  /** Scenarios and commands: they return in JSON what they have seen. */
  readonly asked: Readonly<Record<string, (hub: Hub, ...given: never[]) => unknown>>;
}

/** How long the SDK waits for something that must not happen, in seconds. */
const NEVER_SECONDS = 0.3;

/** An instance id that no other scenario uses. */
export function newId(name: string): string {
  return `${name}-${randomUUID()}`;
}

export class Hub {
  readonly port: number;
  readonly client: TaskHubGrpcClient;

  constructor(port: number, taskHub: string) {
    this.port = port;
    this.client = newClient({ port, taskHub });
  }

  /** A task hub that nobody else knows, without workers. */
  alone(): Hub {
    return new Hub(this.port, newId("hub"));
  }

  start(name: string, input?: unknown, options: StartOrchestrationOptions = {}): Promise<string> {
    const instanceId = newId(name);
    return this.client.scheduleNewOrchestration(name, input, { instanceId, ...options });
  }

  /** Starts an orchestration and waits for the end of its first turn. */
  async startAndWait(name: string, input?: unknown): Promise<string> {
    const instanceId = await this.start(name, input);
    await this.started(instanceId);
    return instanceId;
  }

  async started(instanceId: string): Promise<ProgramState> {
    return facts(await this.client.waitForOrchestrationStart(instanceId, true, PATIENCE_SECONDS));
  }

  async completed(instanceId: string): Promise<ProgramState> {
    const seconds = PATIENCE_SECONDS;
    return facts(await this.client.waitForOrchestrationCompletion(instanceId, true, seconds));
  }

  /** Starts an orchestration and waits for its end. */
  async run(
    name: string,
    input?: unknown,
    options?: StartOrchestrationOptions,
  ): Promise<ProgramState> {
    return this.completed(await this.start(name, input, options));
  }

  /** Runs an orchestration that must complete. */
  async outputOf(name: string, input?: unknown): Promise<unknown> {
    const state = await this.run(name, input);
    if (state.status !== "COMPLETED") throw new Error(`not completed: ${JSON.stringify(state)}`);
    return JSON.parse(state.output ?? "null");
  }

  async state(instanceId: string, fetchPayloads = true): Promise<ProgramState> {
    return facts(await this.client.getOrchestrationState(instanceId, fetchPayloads));
  }

  async status(instanceId: string): Promise<string> {
    return (await this.state(instanceId)).status;
  }

  raise(instanceId: string, name: string, data?: unknown): Promise<void> {
    return this.client.raiseOrchestrationEvent(instanceId, name, data);
  }

  /** Waits a little for something that does not happen. */
  async doesNotComplete(instanceId: string, seconds = NEVER_SECONDS): Promise<boolean> {
    const wait = this.client.waitForOrchestrationCompletion(instanceId, true, seconds);
    return wait.then(
      () => false,
      (error: unknown) => String(error).includes("Timed out"),
    );
  }

  history(instanceId: string): Promise<readonly HistoryEvent[]> {
    return this.client.getOrchestrationHistory(instanceId);
  }

  async types(instanceId: string): Promise<readonly string[]> {
    return (await this.history(instanceId)).map(({ type }) => type);
  }
}

/** How a call that must fail has failed: by a status of gRPC, or in words of the SDK. */
export async function refusal(call: Promise<unknown>): Promise<object> {
  const error: unknown = await call.then(
    () => new Error("it was not refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error(String(error));
  const { code, details = error.message } = error as Partial<ServiceError>;
  return { code: code === undefined ? undefined : status[code], details };
}

/** An orchestration's state as the SDK gives it. */
function facts(state: OrchestrationState | undefined): ProgramState {
  if (state === undefined) throw new Error("it is not there");
  const { failureDetails } = state;
  return {
    instanceId: state.instanceId,
    name: state.name,
    status: OrchestrationStatus[state.runtimeStatus],
    input: state.serializedInput ?? null,
    output: state.serializedOutput ?? null,
    customStatus: state.serializedCustomStatus ?? null,
    failure: failureDetails
      ? { type: failureDetails.errorType, message: failureDetails.message }
      : null,
    createdAt: state.createdAt.toISOString(),
    lastUpdatedAt: state.lastUpdatedAt.toISOString(),
  };
}

/** Places where activities stop until they are let go on. Activities know their names only. */
export class NamedGates {
  readonly #reached = new Map<string, PromiseWithResolvers<void>>();
  readonly #opened = new Map<string, PromiseWithResolvers<void>>();

  create(): string {
    return newId("gate");
  }

  async pass(name: string): Promise<string> {
    eventOf(this.#reached, name).resolve();
    await eventOf(this.#opened, name).promise;
    return name;
  }

  reached(name: string): Promise<void> {
    return eventOf(this.#reached, name).promise;
  }

  open(name: string): void {
    eventOf(this.#opened, name).resolve();
  }
}

function eventOf(events: Map<string, PromiseWithResolvers<void>>, name: string) {
  const event = events.get(name) ?? Promise.withResolvers<void>();
  events.set(name, event);
  return event;
}
