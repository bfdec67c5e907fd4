/** Calls are counted where services are mounted: by status, with how long they took, and open streams. */
import { expect, it } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { type MethodFigures, observed } from "../../sidecar/rpc/observed.ts";
import type { CallContext, MountedMethod } from "../../sidecar/rpc/service.ts";
import { mountService } from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { FakeSteadyClock } from "../support/fake-clock.ts";

/** A service whose calls end as the test says. */
function open(outcome: () => void) {
  const figures = new Map<string, MethodFigures>();
  const clock = new FakeSteadyClock();
  const abort = new AbortController();
  const mount = mountService(TaskHubSidecarService, {
    hello: async () => {
      clock.advance(20);
      outcome();
      return {};
    },
    async *getWorkItems() {
      yield {};
      outcome();
    },
  });
  const { methods } = observed(mount, figures, clock);
  const context = { signal: abort.signal } as unknown as CallContext;
  const of = (name: string) => figures.get(`TaskHubSidecarService/${name}`);
  const call = () => invoke(methods.get("hello"), context);
  const stream = () => {
    const method = methods.get("getWorkItems");
    if (method?.kind !== "server_streaming") throw new Error("it is a stream");
    return method.invoke({} as never, context)[Symbol.asyncIterator]();
  };
  return { of, call, stream, abort };
}

function invoke(method: MountedMethod | undefined, context: CallContext): Promise<unknown> {
  if (method?.kind !== "unary") throw new Error("it is unary");
  return method.invoke({} as never, context);
}

it("a call is counted with its status and how long it took", async () => {
  const outcomes: (Error | undefined)[] = [
    undefined,
    new HubError("instance-not-found", "no"),
    new Error("a bug"),
    new HubError("limit-exceeded", "no"),
  ];
  const { of, call } = open(() => {
    const error = outcomes.shift();
    if (error !== undefined) throw error;
  });
  for (let at = 0; at < 4; at += 1) await call().catch(() => {});
  expect(Object.fromEntries(of("Hello")?.codes ?? [])).toEqual({
    OK: 1,
    NOT_FOUND: 1,
    INTERNAL: 1,
    RESOURCE_EXHAUSTED: 1,
  });
  expect(of("Hello")?.seconds.count).toBe(4);
  expect(of("Hello")?.seconds.sum).toBeCloseTo(0.08);
  expect(of("GetInstance")).toBeUndefined();
});

it("a stream is open until it ends, in whatever way", async () => {
  const { of, stream, abort } = open(() => {});
  const [ended, left, aborted] = [stream(), stream(), stream()];
  for (const items of [ended, left, aborted]) await items.next();
  expect(of("GetWorkItems")?.openStreams).toBe(3);
  await ended.next();
  await left.return?.();
  abort.abort(new HubError("unavailable", "the server stops"));
  await aborted.return?.();
  await aborted.return?.();
  expect(of("GetWorkItems")?.openStreams).toBe(0);
  expect(Object.fromEntries(of("GetWorkItems")?.codes ?? [])).toEqual({
    OK: 1,
    CANCELLED: 1,
    UNAVAILABLE: 1,
  });
});

it("a stream that breaks says how", async () => {
  const { of, stream } = open(() => {
    throw new HubError("deadline-exceeded", "late");
  });
  const items = stream();
  await items.next();
  await expect(items.next()).rejects.toThrow("late");
  expect(Object.fromEntries(of("GetWorkItems")?.codes ?? [])).toEqual({ DEADLINE_EXCEEDED: 1 });
});
