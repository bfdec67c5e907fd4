/** The Python SDK's client, with the methods that the drivers and the audit call. */
import type {
  HistoryEvent,
  OrchestrationState,
  StartOrchestrationOptions,
  TaskHubGrpcClient,
  TerminateInstanceOptions,
} from "@microsoft/durabletask-js";
import type { PythonProgram } from "../../support/python-program.ts";

/** What a command of kill.py answers: `code` is a status of gRPC. */
type Told<Answer> =
  | { readonly answer: Answer }
  | { readonly code: number; readonly details: string };

/** A call was refused, as the JavaScript SDK would say it. */
class Refused extends Error {
  readonly code: number;

  constructor(code: number, details: string) {
    super(details);
    this.code = code;
  }
}

/** @param program one of the area "kill" */
export function pythonClient(program: PythonProgram): TaskHubGrpcClient {
  // The class has private parts that nobody outside of it can have.
  return new PythonClient(program) as unknown as TaskHubGrpcClient;
}

class PythonClient {
  readonly #program: PythonProgram;

  constructor(program: PythonProgram) {
    this.#program = program;
  }

  scheduleNewOrchestration(
    name: string,
    input: unknown,
    { instanceId, startAt }: StartOrchestrationOptions,
  ): Promise<string> {
    const startsInMs = startAt === undefined ? 0 : Math.max(0, startAt.getTime() - Date.now());
    return this.#call("start", name, input, instanceId, startsInMs);
  }

  async getOrchestrationState(instanceId: string): Promise<OrchestrationState | undefined> {
    return (await this.#call<OrchestrationState | null>("state", instanceId)) ?? undefined;
  }

  waitForOrchestrationStart(instanceId: string): Promise<OrchestrationState> {
    return this.#call("started", instanceId);
  }

  waitForOrchestrationCompletion(instanceId: string): Promise<OrchestrationState> {
    return this.#call("completed", instanceId);
  }

  raiseOrchestrationEvent(instanceId: string, name: string, data: unknown): Promise<void> {
    return this.#call("raise_event", instanceId, name, data);
  }

  suspendOrchestration(instanceId: string): Promise<void> {
    return this.#call("suspend", instanceId);
  }

  resumeOrchestration(instanceId: string): Promise<void> {
    return this.#call("resume", instanceId);
  }

  terminateOrchestration(instanceId: string, options: TerminateInstanceOptions): Promise<void> {
    return this.#call("terminate", instanceId, options.output, options.recursive);
  }

  async getOrchestrationHistory(instanceId: string): Promise<HistoryEvent[]> {
    const events = await this.#call<Record<string, unknown>[]>("history", instanceId);
    return events.map((event) => camelCased(event) as unknown as HistoryEvent);
  }

  async #call<Answer>(name: string, ...given: readonly unknown[]): Promise<Answer> {
    const told = (await this.#program.ask(name, ...given)) as Told<Answer>;
    if ("code" in told) throw new Refused(told.code, told.details);
    return told.answer;
  }
}

function camelCased(fields: Record<string, unknown>): Record<string, unknown> {
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [camel(name), value]));
}
