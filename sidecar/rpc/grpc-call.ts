import type { ServerUnaryCall } from "@grpc/grpc-js";
import { HubError } from "../foundation/errors.ts";
import { labelValue, taskHubName } from "./call-metadata.ts";
import { type Connection, DEADLINE_TOLERANCE_MS, type RunningCall } from "./connection.ts";
import type { CallContext } from "./service.ts";

/** What calls of every kind have in grpc-js. */
export type SurfaceCall = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  "cancelled" | "metadata" | "getDeadline" | "getPeer"
> & {
  on(event: "cancelled", listener: () => void): unknown;
};

/**
 * One running call of grpc-js: its context for the method, and the one place that knows whether it
 * is over.
 *
 * A call is over once: by its answer (`finish`), by its caller (`abort`: cancel, deadline, lost
 * connection) or by the server (`end`). The signal and its listener exist only if a method asks:
 * most calls are answered without them.
 */
export class GrpcCall implements CallContext, RunningCall {
  readonly kind: "unary" | "stream";
  readonly taskHub: string;
  readonly connection: string;
  readonly peer: string;
  readonly #call: SurfaceCall;
  readonly #calls: Set<RunningCall>;
  readonly #refuse: (reason: HubError) => void;
  #controller: AbortController | undefined;
  #reason: HubError | undefined;
  #finished = false;

  /**
   * @param refuse sends the status of an error to the caller
   * @throws HubError "invalid-argument", "deadline-exceeded": the method must not run
   */
  constructor(
    kind: "unary" | "stream",
    call: SurfaceCall,
    connection: Connection,
    refuse: (reason: HubError) => void,
  ) {
    // grpc-js hands over calls whose time is up already, and ends them only when its timer comes
    // round.
    if (Number(call.getDeadline()) <= Date.now()) {
      throw new HubError("deadline-exceeded", "the deadline passed before the call began");
    }
    this.taskHub = taskHubName(call.metadata.get("taskhub"));
    this.kind = kind;
    this.connection = connection.id;
    this.peer = connection.peer;
    this.#call = call;
    this.#calls = connection.calls;
    this.#refuse = refuse;
    this.#calls.add(this);
  }

  get userAgent(): string {
    return labelValue(this.#call.metadata.get("x-user-agent")) ?? this.library;
  }

  get library(): string {
    return labelValue(this.#call.metadata.get("user-agent")) ?? "";
  }

  get workerId(): string | undefined {
    return labelValue(this.#call.metadata.get("workerid"));
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
      else if (this.#call.cancelled) this.abort(this.#whyCancelled());
      else this.#call.on("cancelled", () => this.abort(this.#whyCancelled()));
    }
    return this.#controller.signal;
  }

  /**
   * The answer is known, and nothing can end the call any more. False if it was over before: then
   * nobody is told.
   */
  finish(): boolean {
    this.#calls.delete(this);
    if (this.#finished || this.#reason !== undefined || this.#call.cancelled) return false;
    this.#finished = true;
    return true;
  }

  /** Nobody waits for the answer any more. */
  abort(reason: HubError): void {
    if (this.#finished || this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  /** End the call by the server's will: the caller is told at once, whatever the method does. */
  end(reason: HubError): void {
    if (this.#finished || this.#reason !== undefined) return;
    this.abort(reason);
    this.#refuse(reason);
  }

  #whyCancelled(): HubError {
    // grpc-js reports a passed deadline as a cancel, and a caller whose clock is first does cancel.
    return Number(this.#call.getDeadline()) <= Date.now() + DEADLINE_TOLERANCE_MS
      ? new HubError("deadline-exceeded", "the deadline of the call has passed")
      : new HubError("cancelled", "the caller has cancelled the call or is gone");
  }
}
