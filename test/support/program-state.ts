/** What programs with a published SDK tell in JSON, and what the sidecar tells of the same. */
import { createClient } from "@connectrpc/connect";
import {
  type HistoryEvent,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { GrpcTransport } from "./grpc-transport.ts";

export interface Failure {
  readonly type: string;
  readonly message: string;
}

/** An orchestration's state as the SDK gives it: see `facts` of the program's hub. */
export interface ProgramState {
  readonly instanceId: string;
  readonly name: string;
  readonly status: string;
  readonly input: string | null;
  readonly output: string | null;
  readonly customStatus: string | null;
  readonly failure: Failure | null;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
}

/** An event of a history as the Python SDK gives it: its fields under their names in Python. */
export interface PythonEvent {
  readonly type: string;
  readonly event_id: number;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

/** The value of a JSON text that has to be there. */
export function parsed(text: string | null): unknown {
  return JSON.parse(present(text));
}

/** @throws without a value */
export function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("it is not there");
  return value;
}

/** What the sidecar tells of an instance. */
export async function historyOf(
  port: number,
  taskHub: string,
  instanceId: string,
): Promise<readonly HistoryEvent[]> {
  using transport = new GrpcTransport({ host: "127.0.0.1", port });
  const service = createClient(TaskHubSidecarService, transport);
  const chunks = service.streamInstanceHistory({ instanceId }, { headers: { taskhub: taskHub } });
  const events: HistoryEvent[] = [];
  for await (const chunk of chunks) events.push(...chunk.events);
  return events;
}
