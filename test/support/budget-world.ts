/** A server with little memory for requests and streams, and a service that does what it is told. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import type { GrpcServerOptions } from "../../sidecar/rpc/grpc-server.ts";
import { reflectionServices } from "../../sidecar/rpc/reflection.ts";
import { RequestBudget, type RequestBudgetLimits } from "../../sidecar/rpc/request-budget.ts";
import { type CallContext, mountService } from "../../sidecar/rpc/service.ts";
import { MemoryBudget } from "../../sidecar/scheduler/memory-budget.ts";
import {
  CreateInstanceRequestSchema,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { framed, RawHttp2 } from "./raw-http2.ts";
import { openTestServer, type TestServer } from "./rpc-harness.ts";

export const KIB = 1024;

export const PATHS = {
  hello: "/TaskHubSidecarService/Hello",
  start: "/TaskHubSidecarService/StartInstance",
  wait: "/TaskHubSidecarService/WaitForInstanceStart",
  complete: "/TaskHubSidecarService/CompleteActivityTask",
  abandon: "/TaskHubSidecarService/AbandonTaskOrchestratorWorkItem",
  workItems: "/TaskHubSidecarService/GetWorkItems",
  reflection: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
} as const;

export const EMPTY = framed(new Uint8Array());

const limits: RequestBudgetLimits = {
  bytesMax: 1024 * KIB,
  smallBytes: 4 * KIB,
  smallReserveBytes: 64 * KIB,
};

/** `StartInstance` answers, fails or waits by the name that it is given; waits until the call ends. */
class ToldHub {
  readonly #budget: RequestBudget;
  /** What was taken when `StartInstance` ran last. */
  seen = 0;
  entered = Promise.withResolvers<CallContext>();

  constructor(budget: RequestBudget) {
    this.#budget = budget;
  }

  async hello() {
    return {};
  }

  async startInstance({ name }: { name: string }, context: CallContext) {
    this.seen = this.#budget.bytes;
    if (name.startsWith("fail")) throw new HubError("instance-exists", "there is one");
    if (name.startsWith("wait")) await this.#wait(context);
    return { instanceId: "a" };
  }

  async waitForInstanceStart(_request: unknown, context: CallContext) {
    await this.#wait(context);
    return {};
  }

  async completeActivityTask() {
    return {};
  }

  async abandonTaskOrchestratorWorkItem() {
    return {};
  }

  async *getWorkItems(_request: unknown, context: CallContext) {
    await this.#wait(context);
    yield {};
  }

  async #wait(context: CallContext) {
    const aborted = context.signal.aborted ? undefined : once(context.signal, "abort");
    this.entered.resolve(context);
    await aborted;
    throw context.signal.reason;
  }
}

export class BudgetWorld implements AsyncDisposable {
  readonly requests: RequestBudget;
  readonly hub: ToldHub;
  readonly served: TestServer;
  readonly raw: RawHttp2;

  static async open(
    options: Partial<GrpcServerOptions & RequestBudgetLimits> = {},
  ): Promise<BudgetWorld> {
    const requests = new RequestBudget({ ...limits, ...options });
    const hub = new ToldHub(requests);
    const mounts = [mountService(TaskHubSidecarService, hub), ...reflectionServices([])];
    const budgets = { requests, outbound: new MemoryBudget(KIB) };
    const served = await openTestServer(mounts, { budgets, ...options });
    return new BudgetWorld(requests, hub, served);
  }

  constructor(requests: RequestBudget, hub: ToldHub, served: TestServer) {
    this.requests = requests;
    this.hub = hub;
    this.served = served;
    this.raw = new RawHttp2(served.address);
  }

  /** A call that has sent its headers and the beginning of a request of so many bytes. */
  half(path: string, bytes: number, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.raw.open(path, headers);
    const message = framed(startRequest("half", bytes));
    stream.write(message.subarray(0, 16));
    return stream;
  }

  /** Everything that was sent on the first connection has arrived. */
  async arrived(): Promise<void> {
    await this.raw.call(PATHS.hello, EMPTY);
  }

  /** Looks again behind each of some round trips, on a connection of its own. */
  async expectTaken(bytes: number): Promise<void> {
    await using other = new RawHttp2(this.served.address);
    for (let trips = 0; trips < 200 && this.requests.bytes !== bytes; trips += 1) {
      await other.call(PATHS.hello, EMPTY);
    }
    expect(this.requests.bytes).toBe(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.raw[Symbol.asyncDispose]();
    await this.served[Symbol.asyncDispose]();
  }
}

/** A request of exactly so many bytes, which are not to be compressed if `noise` is set. */
export function startRequest(name: string, bytes: number, { noise = false } = {}): Uint8Array {
  const sized = (padding: number) =>
    toBinary(
      CreateInstanceRequestSchema,
      create(CreateInstanceRequestSchema, { name, input: fill(padding, noise) }),
    );
  let padding = bytes;
  while (sized(padding).byteLength > bytes) padding -= sized(padding).byteLength - bytes;
  const message = sized(padding);
  expect(message.byteLength).toBe(bytes);
  return message;
}

function fill(length: number, noise: boolean): string {
  if (!noise) return "x".repeat(length);
  let text = "";
  while (text.length < length) text += randomUUID();
  return text.slice(0, length);
}
