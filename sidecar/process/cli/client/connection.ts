/** The client of a command: one connection, closed at the end, and its failures in words. */
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { TaskHubSidecarService } from "../../../wire/gen/orchestrator_service_pb.ts";
import { AdminService } from "../../../wire/gen/taskhub/v1/admin_service_pb.ts";
import { ClientService } from "../../../wire/gen/taskhub/v1/client_service_pb.ts";
import type { ClientConfig } from "../../config.ts";
import { EXIT, type ExitCode, ExitError } from "../../exit-codes.ts";
import type { ProgramSurroundings } from "../surroundings.ts";
import type { ClientWork } from "./context.ts";

const quickMs = 30_000;

/**
 * Runs a command to its end.
 *
 * @throws ExitError that says how a call failed
 */
export async function runClient<Flags>(
  config: ClientConfig,
  surroundings: ProgramSurroundings,
  work: ClientWork<Flags>,
  flags: Flags,
  operands: readonly string[],
): Promise<ExitCode> {
  const interrupted = surroundings.interrupts();
  const timedOut =
    config.timeoutMs === undefined ? undefined : AbortSignal.timeout(config.timeoutMs);
  const signal = timedOut === undefined ? interrupted : AbortSignal.any([interrupted, timedOut]);
  const baseUrl = `http://${config.address}`;
  const connections = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: connections,
    interceptors: [inTaskHub(config.taskHub)],
  });
  try {
    return await work(
      {
        v1: createClient(ClientService, transport),
        admin: createClient(AdminService, transport),
        compat: createClient(TaskHubSidecarService, transport),
        quick: timedOut === undefined ? { signal, timeoutMs: quickMs } : { signal },
        patient: { signal },
        config,
        surroundings,
        nowMs: Date.now,
      },
      flags,
      operands,
    );
  } catch (error) {
    const { code, message } = exitOf(error, { config, interrupted, timedOut });
    const howFar = error instanceof Unfinished ? `; ${error.message}` : "";
    throw new ExitError(code, message + howFar, { cause: error });
  } finally {
    connections.abort();
  }
}

/** The key by which both services know the hub that is meant. */
function inTaskHub(taskHub: string): Interceptor {
  return (next) => (request) => {
    request.header.set("taskhub", taskHub);
    return next(request);
  };
}

/** Work on several instances has ended before all of them were done. The message says how far. */
export class Unfinished extends Error {
  override readonly name = "Unfinished";

  /** @param cause what ended it */
  constructor(message: string, cause: unknown) {
    super(message, { cause });
  }
}

interface CommandEnds {
  readonly config: ClientConfig;
  readonly interrupted: AbortSignal;
  readonly timedOut: AbortSignal | undefined;
}

/** A call that was cancelled fails in many ways; why it was cancelled is known here. */
function exitOf(thrown: unknown, { config, interrupted, timedOut }: CommandEnds) {
  const error = thrown instanceof Unfinished ? thrown.cause : thrown;
  if (interrupted.aborted) return { code: EXIT.interrupted, message: "interrupted" };
  if (error instanceof ExitError) return { code: error.exitCode, message: error.message };
  if (timedOut?.aborted) {
    return { code: EXIT.timedOut, message: `the time is up: ${config.timeoutMs} ms` };
  }
  if (!(error instanceof ConnectError)) throw error;
  const { exitCode, message } = callFailure(error, config.address);
  return { code: exitCode, message };
}

/** What a failed call means, in the table of exit codes. Whatever is not here is 1. */
const exitCodes: ReadonlyMap<Code, ExitCode> = new Map([
  [Code.NotFound, EXIT.notFound],
  [Code.AlreadyExists, EXIT.failedPrecondition],
  [Code.FailedPrecondition, EXIT.failedPrecondition],
  [Code.InvalidArgument, EXIT.refused],
  [Code.OutOfRange, EXIT.refused],
  [Code.Unavailable, EXIT.unreachable],
  [Code.Canceled, EXIT.unreachable],
  [Code.Aborted, EXIT.unreachable],
  [Code.DeadlineExceeded, EXIT.timedOut],
]);

/** @param address where it was sent to */
export function callFailure(error: ConnectError, address: string): ExitError {
  const exitCode = exitCodes.get(error.code) ?? EXIT.failure;
  return new ExitError(exitCode, messageOf(error, address), { cause: error });
}

/** Whether the connection failed, and not the call: the next call will fail as well. */
export function isConnectionFailure(error: ConnectError): boolean {
  return isNobodyThere(error) || isConnectionLost(error);
}

function isNobodyThere({ code, cause }: ConnectError): boolean {
  return code === Code.Unavailable && cause instanceof Error && "code" in cause;
}

/** Whether it broke while the call was under way: a sidecar answers with neither of these codes. */
export function isConnectionLost({ code }: ConnectError): boolean {
  return code === Code.Canceled || code === Code.Aborted;
}

function messageOf(error: ConnectError, address: string): string {
  const { code, rawMessage } = error;
  if (isConnectionLost(error)) {
    return `the connection to ${address} was lost (${rawMessage}): what was asked for may be done`;
  }
  if (isNobodyThere(error)) {
    const start = "start one with taskhub serve, or name another with --address";
    return `no sidecar answers at ${address} (${rawMessage}): ${start}`;
  }
  if (code === Code.DeadlineExceeded) return `no answer in time: ${rawMessage}`;
  return rawMessage === "" ? `the sidecar answered ${Code[code]}` : rawMessage;
}
