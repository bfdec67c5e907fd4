import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import {
  type CallContext,
  mountService,
  type ServiceImplementation,
} from "../../sidecar/rpc/service.ts";
import {
  TaskHubSidecarService,
  WorkItemSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { httpTransports } from "../support/http-harness.ts";
import { transports } from "../support/rpc-harness.ts";

function hub(implementation: ServiceImplementation<typeof TaskHubSidecarService>) {
  return mountService(TaskHubSidecarService, implementation);
}

/** The failure of a call. */
async function failureOf(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await call.then(
    () => expect.fail("the call was answered"),
    (reason: unknown) => ConnectError.from(reason),
  );
  return { code: Code[error.code] ?? "", message: error.rawMessage };
}

async function tokensOf(items: AsyncIterable<{ completionToken: string }>): Promise<string[]> {
  const tokens: string[] = [];
  for await (const item of items) tokens.push(item.completionToken);
  return tokens;
}

/** Resolves with the signal's reason. */
async function aborted({ signal }: CallContext): Promise<unknown> {
  if (!signal.aborted) await once(signal, "abort");
  return signal.reason;
}

describe.each([...transports, ...httpTransports])("a unary method over $name", ({ serve }) => {
  it("gets the request and its answer goes back", async () => {
    await using served = await serve(
      hub({ startInstance: async (request) => ({ instanceId: `${request.name}-1` }) }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    const answer = await client.startInstance({ name: "Order" });
    expect(answer.instanceId).toBe("Order-1");
  });

  it("is called as a method of its implementation", async () => {
    class Hub {
      readonly prefix = "own";
      async startInstance() {
        return { instanceId: this.prefix };
      }
    }
    await using served = await serve(hub(new Hub()));
    const client = createClient(TaskHubSidecarService, served.transport);
    expect((await client.startInstance({})).instanceId).toBe("own");
  });

  it("fails with the code and the words of a HubError", async () => {
    await using served = await serve(
      hub({
        startInstance: async () => {
          throw new HubError("instance-exists", "instance “a” exists (100 %)");
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    expect(await failureOf(client.startInstance({}))).toEqual({
      code: "AlreadyExists",
      message: "instance “a” exists (100 %)",
    });
    expect(served.internalErrors).toEqual([]);
  });

  it.each([
    ["rejects", () => Promise.reject(new TypeError("secret"))],
    [
      "throws before it returns a promise",
      () => {
        throw new TypeError("secret");
      },
    ],
  ])("with a bug that %s is INTERNAL, reported, and says nothing", async (_how, startInstance) => {
    await using served = await serve(hub({ startInstance }));
    const client = createClient(TaskHubSidecarService, served.transport);
    const { code, message } = await failureOf(client.startInstance({}));
    expect(code).toBe("Internal");
    expect(message).toMatch(/^internal error [0-9a-f]{8}$/);
    expect(served.internalErrors).toEqual([
      {
        error: new TypeError("secret"),
        correlationId: message.slice(-8),
        method: "/TaskHubSidecarService/StartInstance",
      },
    ]);
  });

  it("is UNIMPLEMENTED if it is missing", async () => {
    await using served = await serve(hub({ hello: async () => ({}) }));
    const client = createClient(TaskHubSidecarService, served.transport);
    expect((await failureOf(client.startInstance({}))).code).toBe("Unimplemented");
    await client.hello({});
  });

  it("learns that its caller cancelled", async () => {
    const started = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    await using served = await serve(
      hub({
        waitForInstanceStart: async (_request, context) => {
          const cancelled = aborted(context);
          started.resolve();
          reason.resolve(await cancelled);
          throw context.signal.reason;
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    const caller = new AbortController();
    const failure = failureOf(client.waitForInstanceStart({}, { signal: caller.signal }));
    await started.promise;
    caller.abort();
    expect(await failure).toMatchObject({ code: "Canceled" });
    expect(await reason.promise).toMatchObject({ name: "HubError", code: "cancelled" });
    expect(served.internalErrors).toEqual([]);
  });

  it("ends with DEADLINE_EXCEEDED when the deadline passes while it waits", async () => {
    let calls = 0;
    const reason = Promise.withResolvers<unknown>();
    await using served = await serve(
      hub({
        waitForInstanceStart: async (_request, context) => {
          calls += 1;
          reason.resolve(await aborted(context));
          throw context.signal.reason;
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    // A slow machine may take a short time for a deadline that passed before the call began.
    for (let timeoutMs = 20; calls === 0; timeoutMs *= 2) {
      const failure = await failureOf(client.waitForInstanceStart({}, { timeoutMs }));
      expect(failure.code).toBe("DeadlineExceeded");
    }
    expect(await reason.promise).toMatchObject({ name: "HubError", code: "deadline-exceeded" });
    expect(served.internalErrors).toEqual([]);
  });

  it("has a signal that is not aborted by its own answer", async () => {
    const signals: AbortSignal[] = [];
    await using served = await serve(
      hub({
        hello: async (_request, { signal }) => {
          signals.push(signal);
          return {};
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    await client.hello({});
    await client.hello({});
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });
});

describe.each([...transports, ...httpTransports])("a streaming method over $name", ({ serve }) => {
  it("sends messages and finished encodings in order", async () => {
    const finished = toBinary(WorkItemSchema, create(WorkItemSchema, { completionToken: "b" }));
    await using served = await serve(
      hub({
        async *getWorkItems() {
          yield { completionToken: "a" };
          yield finished;
          yield Buffer.from(finished);
          yield new Uint8Array();
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    expect(await tokensOf(client.getWorkItems({}))).toEqual(["a", "b", "b", ""]);
  });

  it("delivers what came before a failure", async () => {
    await using served = await serve(
      hub({
        async *getWorkItems() {
          yield { completionToken: "a" };
          throw new HubError("unavailable", "draining");
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    const tokens: string[] = [];
    const reading = (async () => {
      for await (const item of client.getWorkItems({})) tokens.push(item.completionToken);
    })();
    expect(await failureOf(reading)).toEqual({ code: "Unavailable", message: "draining" });
    expect(tokens).toEqual(["a"]);
  });

  it("with a bug is INTERNAL, reported, and says nothing", async () => {
    await using served = await serve(
      hub({
        async *getWorkItems() {
          yield { completionToken: (undefined as unknown as { secret: string }).secret };
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    const { code, message } = await failureOf(tokensOf(client.getWorkItems({})));
    expect(code).toBe("Internal");
    expect(message).toMatch(/^internal error [0-9a-f]{8}$/);
    expect(served.internalErrors).toMatchObject([{ error: { name: "TypeError" } }]);
  });

  it("is UNIMPLEMENTED if it is missing", async () => {
    await using served = await serve(hub({ hello: async () => ({}) }));
    const client = createClient(TaskHubSidecarService, served.transport);
    expect((await failureOf(tokensOf(client.getWorkItems({})))).code).toBe("Unimplemented");
  });

  it("learns that its caller cancelled, and cleans up", async () => {
    const cleanedUp = Promise.withResolvers<unknown>();
    await using served = await serve(
      hub({
        async *getWorkItems(_request, context) {
          try {
            yield { completionToken: "a" };
            throw await aborted(context);
          } finally {
            cleanedUp.resolve(context.signal.reason);
          }
        },
      }),
    );
    const client = createClient(TaskHubSidecarService, served.transport);
    const caller = new AbortController();
    const reading = (async () => {
      for await (const _item of client.getWorkItems({}, { signal: caller.signal })) caller.abort();
    })();
    expect((await failureOf(reading)).code).toBe("Canceled");
    expect(await cleanedUp.promise).toMatchObject({ name: "HubError", code: "cancelled" });
    expect(served.internalErrors).toEqual([]);
  });
});
