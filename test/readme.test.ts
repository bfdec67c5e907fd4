/** What the README claims about the surface is what the sidecar serves. */
import { readFileSync } from "node:fs";
import {
  create,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { systemSteadyClock } from "../sidecar/foundation/clock.ts";
import { clientService } from "../sidecar/rpc/v1/service.ts";
import type { TaskHubs } from "../sidecar/scheduler/task-hubs.ts";
import { TaskHubSidecarService } from "../sidecar/wire/gen/orchestrator_service_pb.ts";
import { ClientService } from "../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { GrpcTransport } from "./support/grpc-transport.ts";
import { startSidecar } from "./support/sidecar-process.ts";

const readme = readFileSync("README.md", "utf8");

/** The part about the published service. */
const [compatibleTable = ""] = readme.split("`taskhub.v1.ClientService`");

/** Method name to what its row says. */
const rows = new Map(
  Array.from(compatibleTable.matchAll(/^\| `(\w+)` \| (.+) \|$/gm), ([, name = "", says = ""]) => [
    name,
    says,
  ]),
);

test("the table has a row for each method of the service, in their order, and no other", () => {
  expect([...rows.keys()]).toEqual(TaskHubSidecarService.methods.map(({ name }) => name));
});

test("a method says 'yes' exactly when a running sidecar knows it", async () => {
  await using sidecar = await startSidecar();
  using transport = new GrpcTransport({ host: "127.0.0.1", port: sidecar.port });
  const knows = async (method: DescMethod) =>
    (await answerTo(method, transport)) !== Code.Unimplemented;
  for (const method of TaskHubSidecarService.methods) {
    const saysYes = /^yes \|/.test(rows.get(method.name) ?? "");
    expect(saysYes, method.name).toBe(await knows(method));
  }
  const { hello } = TaskHubSidecarService.method;
  expect(await knows({ ...hello, name: "Goodbye" })).toBe(false);
});

test("the table of our own service names each of its methods once", () => {
  const [, table = ""] = readme.split("`taskhub.v1.ClientService`");
  const [before = ""] = table.split("Health (`grpc.health.v1`)");
  const lines = before.split("\n").filter((line) => line.startsWith("| `"));
  const named = lines.flatMap((line) =>
    Array.from((line.split("|")[1] ?? "").matchAll(/`(\w+)`/g), ([, name = ""]) => name),
  );
  expect(named.toSorted()).toEqual(ClientService.methods.map(({ name }) => name).toSorted());
});

test("every method of our own service is implemented", () => {
  const { methods } = clientService({} as TaskHubs, {
    version: "",
    steadyClock: systemSteadyClock,
  });
  expect([...methods.keys()].toSorted()).toEqual(
    ClientService.methods.map(({ localName }) => localName).toSorted(),
  );
});

/** How an empty request is answered; undefined when it is accepted. */
async function answerTo(method: DescMethod, transport: GrpcTransport): Promise<Code | undefined> {
  const request = create(method.input);
  const enough = new AbortController();
  try {
    if (method.methodKind === "unary") {
      await transport.unary(method as DescMethodUnary, undefined, undefined, {}, request);
      return undefined;
    }
    const requests = (async function* () {
      yield request;
    })();
    const streaming = method as DescMethodStreaming;
    const reply = await transport.stream(streaming, enough.signal, undefined, {}, requests);
    // Work items begin with headers and go on for ever: nothing else would come for a minute.
    if (method.name === "GetWorkItems") return undefined;
    for await (const _message of reply.message) break;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  } finally {
    enough.abort();
  }
}
