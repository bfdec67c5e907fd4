import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  type CallContext,
  mountService,
  type ServiceImplementation,
} from "../../sidecar/rpc/service.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
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

describe.each([...transports, ...httpTransports])("the context over $name", ({ name, serve }) => {
  async function contextOf(headers: Record<string, string>) {
    const seen = Promise.withResolvers<CallContext>();
    await using served = await serve(
      hub({
        hello: async (_request, context) => {
          const { taskHub, connection, peer, userAgent, library, workerId, signal } = context;
          seen.resolve({ taskHub, connection, peer, userAgent, library, workerId, signal });
          return {};
        },
      }),
    );
    await createClient(TaskHubSidecarService, served.transport).hello({}, { headers });
    return await seen.promise;
  }

  it("names the default hub when the caller names none", async () => {
    expect(await contextOf({})).toMatchObject({ taskHub: "default", workerId: undefined });
  });

  it("has what the caller says of itself", async () => {
    const headers = {
      taskhub: "orders/2 eu",
      workerid: "host,1,2",
      "x-user-agent": "durabletask-python/1.9.0",
    };
    expect(await contextOf(headers)).toMatchObject({
      taskHub: "orders/2 eu",
      workerId: "host,1,2",
      userAgent: "durabletask-python/1.9.0",
    });
  });

  // gRPC-web has no other place for what a library says of itself.
  it.skipIf(name === "gRPC-web")("tells the library of the caller from its SDK", async () => {
    const { userAgent, library } = await contextOf({ "x-user-agent": "durabletask-java/1.9.0" });
    expect(userAgent).toBe("durabletask-java/1.9.0");
    expect(library).not.toBe(userAgent);
    const silent = await contextOf({});
    expect(silent.userAgent).toBe(silent.library);
  });

  it("cuts labels to a bounded length", async () => {
    expect((await contextOf({ workerid: "w".repeat(5_000) })).workerId).toHaveLength(256);
  });

  const refused: [string, string][] = [
    ["an empty hub", ""],
    ["a hub of 129 bytes", "h".repeat(129)],
    ["two hubs", "a, b"],
  ];

  it.each(refused)("is refused with %s, and no method runs", async (_what, taskhub) => {
    let calls = 0;
    const called = async () => {
      calls += 1;
      return {};
    };
    async function* calledStream() {
      yield await called();
    }
    await using served = await serve(hub({ hello: called, getWorkItems: calledStream }));
    const client = createClient(TaskHubSidecarService, served.transport);
    const headers = { taskhub };
    const failures = [
      await failureOf(client.hello({}, { headers })),
      await failureOf(tokensOf(client.getWorkItems({}, { headers }))),
    ];
    expect(failures.map(({ code }) => code)).toEqual(["InvalidArgument", "InvalidArgument"]);
    expect(calls).toBe(0);
    await client.hello({});
    expect(calls).toBe(1);
  });
});
