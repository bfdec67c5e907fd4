/**
 * Counts the calls of every method where services are mounted: once, whatever transport they come
 * over. What a call of a method costs for it is two readings of a clock and an addition.
 */
import type { DescMessage } from "@bufbuild/protobuf";
import { HubError } from "../foundation/errors.ts";
import { Tally } from "../foundation/tally.ts";
import { statusNameOf } from "./error-mapping.ts";
import type {
  CallContext,
  MountedMethod,
  ServiceMount,
  StreamItem,
  UnaryMethod,
} from "./service.ts";

/** Seconds. Calls that wait have a place of their own behind the last. */
export const CALL_SECONDS_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
] as const;

/** What the calls of one method have come to. */
export class MethodFigures {
  /** `TaskHubSidecarService/StartInstance`. */
  readonly method: string;
  /** How long unary calls took, in seconds. Streams last as long as their caller likes. */
  readonly seconds = new Tally(CALL_SECONDS_BOUNDS);
  openStreams = 0;
  readonly #failed = new Map<string, number>();
  #answered = 0;

  constructor(method: string) {
    this.method = method;
  }

  /** How many calls have ended, by name of the gRPC status. */
  get codes(): ReadonlyMap<string, number> {
    const answered: [string, number][] = this.#answered === 0 ? [] : [["OK", this.#answered]];
    return new Map([...answered, ...this.#failed]);
  }

  answered(): void {
    this.#answered += 1;
  }

  failed(error: unknown): void {
    const code = statusNameOf(error);
    this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1);
  }
}

/** Of all methods that are served. */
export type CallFigures = ReadonlyMap<string, MethodFigures>;

const leftByCaller = new HubError("cancelled", "the caller has left the stream");

/** The clock that calls are measured by: milliseconds. */
export interface CallClock {
  nowMs(): number;
}

/** The same service, each of whose calls is counted in `figures`. */
export function observed(
  mount: ServiceMount,
  figures: Map<string, MethodFigures>,
  clock: CallClock,
): ServiceMount {
  const methods = new Map<string, MountedMethod>();
  for (const { localName, name } of mount.service.methods) {
    const method = mount.methods.get(localName);
    if (method === undefined) continue;
    const counted = new MethodFigures(`${mount.service.typeName}/${name}`);
    figures.set(counted.method, counted);
    methods.set(localName, observedMethod(method, counted, clock));
  }
  return { service: mount.service, methods };
}

function observedMethod(
  method: MountedMethod,
  figures: MethodFigures,
  clock: CallClock,
): MountedMethod {
  switch (method.kind) {
    case "unary":
      return { kind: "unary", invoke: observedUnary(method.invoke, figures, clock) };
    case "server_streaming":
      return { kind: "server_streaming", invoke: observedStream(method.invoke, figures) };
    case "bidi_streaming":
      return { kind: "bidi_streaming", invoke: observedStream(method.invoke, figures) };
  }
}

function observedUnary(
  invoke: UnaryMethod<DescMessage, DescMessage>,
  figures: MethodFigures,
  clock: CallClock,
): UnaryMethod<DescMessage, DescMessage> {
  return (request, context) => {
    const beganAtMs = clock.nowMs();
    const over = () => figures.seconds.add((clock.nowMs() - beganAtMs) / 1_000);
    // Without a function that awaits: it would cost as much as all the rest.
    return invoke(request, context).then(
      (answer) => {
        over();
        figures.answered();
        return answer;
      },
      (error: unknown) => {
        over();
        figures.failed(error);
        throw error;
      },
    );
  };
}

function observedStream<Request>(
  invoke: (request: Request, context: CallContext) => AsyncIterable<StreamItem<DescMessage>>,
  figures: MethodFigures,
): typeof invoke {
  return (request, context) => {
    try {
      return counted(invoke(request, context), figures, context);
    } catch (error) {
      figures.failed(error);
      throw error;
    }
  };
}

/**
 * Passes the iterator on as it is, so that an item costs nothing more: only its end is noticed. A
 * stream that its caller leaves ends by `return`.
 */
function counted(
  items: AsyncIterable<StreamItem<DescMessage>>,
  figures: MethodFigures,
  context: CallContext,
): AsyncIterable<StreamItem<DescMessage>> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      let isOver = false;
      figures.openStreams += 1;
      const over = (count: () => void) => {
        if (isOver) return;
        isOver = true;
        figures.openStreams -= 1;
        count();
      };
      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done) over(() => figures.answered());
            return result;
          } catch (error) {
            over(() => figures.failed(error));
            throw error;
          }
        },
        async return(value?: unknown) {
          const { signal } = context;
          over(() => figures.failed(signal.aborted ? signal.reason : leftByCaller));
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
      };
    },
  };
}
