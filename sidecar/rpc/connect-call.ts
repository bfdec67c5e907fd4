import type { HandlerContext } from "@connectrpc/connect";
import { HubError } from "../foundation/errors.ts";
import { labelValue, taskHubName } from "./call-metadata.ts";
import { type Connection, DEADLINE_TOLERANCE_MS, type RunningCall } from "./connection.ts";
import type { CallContext } from "./service.ts";

/**
 * One running call of the HTTP/1.1 side: its context for the method, and the one place that knows
 * whether it is over.
 *
 * A call is over once: by its answer (`finish`), or by its caller or the server (`abort`, `end`).
 * Those interrupt the step that the answer is waiting for, so that the caller is told whatever the
 * method does.
 */
export class ConnectCall implements CallContext, RunningCall {
  readonly kind: "unary" | "stream";
  readonly taskHub: string;
  readonly connection: string;
  readonly peer: string;
  readonly #calls: Set<RunningCall>;
  readonly #context: HandlerContext;
  readonly #controller = new AbortController();
  #entered = false;
  #finished = false;
  #interrupt: ((reason: HubError) => void) | undefined;

  /** @throws HubError "invalid-argument", "deadline-exceeded": the method must not run */
  constructor(context: HandlerContext, connection: Connection) {
    if (timeLeftMs(context) <= 0) throw deadlinePassed();
    this.taskHub = taskHubName(valuesOf(context, "taskhub"));
    this.kind = context.method.methodKind === "unary" ? "unary" : "stream";
    this.connection = connection.id;
    this.peer = connection.peer;
    this.#calls = connection.calls;
    this.#context = context;
    this.#calls.add(this);
  }

  get userAgent(): string {
    return labelValue(valuesOf(this.#context, "x-user-agent")) ?? this.library;
  }

  get library(): string {
    return labelValue(valuesOf(this.#context, "user-agent")) ?? "";
  }

  get workerId(): string | undefined {
    return labelValue(valuesOf(this.#context, "workerid"));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the request was read, and its method called. */
  get entered(): boolean {
    return this.#entered;
  }

  /**
   * The request is there.
   *
   * @throws the signal's reason: the call was over before, and the method must not run
   */
  enter(): void {
    this.signal.throwIfAborted();
    this.#entered = true;
  }

  /**
   * What one step of the method gives, unless the call is over before. One step at a time.
   *
   * @param late gets what the step throws when nobody waits for it any more
   * @throws the signal's reason; whatever the step throws
   */
  untilOver<T>(step: Promise<T>, late: (error: unknown) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) reject(this.signal.reason);
      this.#interrupt = reject;
      step.then(resolve, (error: unknown) => {
        if (this.signal.aborted) late(error);
        else reject(error);
      });
    });
  }

  /** The answer is known, and nothing can end the call any more. False if it was over before. */
  finish(): boolean {
    this.#calls.delete(this);
    if (this.#finished || this.signal.aborted) return false;
    this.#finished = true;
    return true;
  }

  abort(reason: HubError): void {
    this.#calls.delete(this);
    if (this.#finished || this.signal.aborted) return;
    // A passed deadline looks like a cancel when the clock of the caller is first.
    const late = timeLeftMs(this.#context) <= DEADLINE_TOLERANCE_MS;
    const why = late && reason.code === "cancelled" ? deadlinePassed() : reason;
    this.#controller.abort(why);
    this.#interrupt?.(why);
  }

  end(reason: HubError): void {
    this.abort(reason);
  }
}

function timeLeftMs(context: HandlerContext): number {
  return context.timeoutMs() ?? Number.POSITIVE_INFINITY;
}

function deadlinePassed(): HubError {
  return new HubError("deadline-exceeded", "the deadline of the call has passed");
}

/** A repeated header is one value with commas. */
function valuesOf({ requestHeader }: HandlerContext, name: string): string[] {
  const value = requestHeader.get(name);
  return value === null ? [] : [value];
}
