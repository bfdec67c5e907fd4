import { execFile } from "node:child_process";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { HealthStatuses, healthService } from "../../sidecar/rpc/health.ts";
import { reflectionServices } from "../../sidecar/rpc/reflection.ts";
import { mountService, type ServiceMount } from "../../sidecar/rpc/service.ts";
import { ServerReflection } from "../../sidecar/wire/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../sidecar/wire/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { TaskHubSidecarService } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { openTestServer, transports } from "../support/rpc-harness.ts";

const COMPAT = "orchestrator_service.proto";
const HEALTH = "grpc/health/v1/health.proto";
const SERVICES = [
  "TaskHubSidecarService",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

type Version = { readonly name: string; readonly alpha: boolean; readonly serve: Serve };
type Serve = (typeof transports)[number]["serve"];

const versions: Version[] = transports.flatMap(({ name, serve }) => [
  { name: `v1 over ${name}`, alpha: false, serve },
  { name: `v1alpha over ${name}`, alpha: true, serve },
]);

type Question =
  | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType"; value: string }
  | { case: "listServices"; value: string }
  | {
      case: "fileContainingExtension";
      value: { containingType: string; extensionNumber: number };
    }
  | { case: undefined };

function sidecar(): ServiceMount[] {
  const statuses = new HealthStatuses();
  statuses.set("", "SERVING");
  const services = [
    mountService(TaskHubSidecarService, {
      hello: async () => ({}),
      startInstance: async ({ name, input }) => ({ instanceId: `${name} ${input}` }),
      async *getWorkItems() {
        yield { completionToken: "a" };
        yield { completionToken: "b" };
      },
    }),
    healthService(statuses),
  ];
  return [...services, ...reflectionServices(services)];
}

/** A service in a proto2 file with an extension, of which we have none ourselves. */
function serviceWithExtension(): ServiceMount[] {
  const { MESSAGE, INT32 } = FieldDescriptorProto_Type;
  const label = FieldDescriptorProto_Label.OPTIONAL;
  const file = create(FileDescriptorProtoSchema, {
    name: "test/extended.proto",
    package: "test",
    syntax: "proto2",
    messageType: [
      {
        name: "Extended",
        field: [
          { name: "self", number: 1, type: MESSAGE, typeName: ".test.Extended", label },
          { name: "one", number: 2, type: INT32, label, oneofIndex: 0 },
        ],
        oneofDecl: [{ name: "choice" }],
        extensionRange: [{ start: 100, end: 200 }],
        nestedType: [{ name: "Inner" }],
        enumType: [{ name: "Level", value: [{ name: "LOW", number: 0 }] }],
      },
    ],
    enumType: [{ name: "Colour", value: [{ name: "RED", number: 0 }] }],
    extension: [
      { name: "more", number: 150, type: INT32, extendee: ".test.Extended", label },
      { name: "most", number: 151, type: INT32, extendee: ".test.Extended", label },
    ],
    service: [
      {
        name: "Service",
        method: [{ name: "Call", inputType: ".test.Extended", outputType: ".test.Extended" }],
      },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const service = registry.getService("test.Service");
  if (service === undefined) throw new Error("the descriptor has no service");
  return [...reflectionServices([mountService(service, {})])];
}

/** Asks each question in one call, in the given version, over the given transport. */
async function ask(mounts: ServiceMount[], version: Version, questions: Question[]) {
  const answers: unknown[] = [];
  await using served = await version.serve(...mounts);
  async function* requests() {
    for (const messageRequest of questions) yield { host: "h", messageRequest };
  }
  const responses = version.alpha
    ? createClient(ServerReflectionAlpha, served.transport).serverReflectionInfo(requests())
    : createClient(ServerReflection, served.transport).serverReflectionInfo(requests());
  for await (const { validHost, originalRequest, messageResponse } of responses) {
    expect(validHost).toBe("h");
    expect(originalRequest?.messageRequest).toMatchObject(questions[answers.length] ?? {});
    answers.push(simplified(messageResponse));
  }
  expect(served.internalErrors).toEqual([]);
  return answers;
}

function simplified(answer: { case?: string | undefined; value?: unknown }): unknown {
  const value = answer.value as {
    fileDescriptorProto?: Uint8Array[];
    extensionNumber?: number[];
    service?: { name: string }[];
    errorCode?: number;
  };
  if (value.fileDescriptorProto !== undefined) return value.fileDescriptorProto.map(fileName);
  if (value.service !== undefined) return value.service.map(({ name }) => name);
  return value.extensionNumber ?? status[value.errorCode ?? 0];
}

function fileName(bytes: Uint8Array): string {
  const file: FileDescriptorProto = fromBinary(FileDescriptorProtoSchema, bytes);
  return file.name;
}

describe.each(versions)("reflection $name", (version) => {
  it("lists services without a leading dot, itself among them", async () => {
    const question: Question = { case: "listServices", value: "*" };
    expect(await ask(sidecar(), version, [question])).toEqual([SERVICES]);
  });

  it("answers with a file and all that it imports", async () => {
    const [compat, health] = (await ask(sidecar(), version, [
      { case: "fileByFilename", value: COMPAT },
      { case: "fileByFilename", value: HEALTH },
    ])) as string[][];
    expect(compat?.[0]).toBe(COMPAT);
    expect(compat?.slice(1).sort()).toEqual(
      expect.arrayContaining(["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"]),
    );
    expect(health).toEqual([HEALTH]);
  });

  it.each([
    "TaskHubSidecarService",
    "TaskHubSidecarService.StartInstance",
    "CreateInstanceRequest",
    "CreateInstanceRequest.instanceId",
    "WorkItem.request",
    "OrchestrationStatus",
    "ORCHESTRATION_STATUS_RUNNING",
  ])("finds %s", async (symbol) => {
    const [files] = await ask(sidecar(), version, [
      { case: "fileContainingSymbol", value: symbol },
    ]);
    expect(files).toEqual(expect.arrayContaining([COMPAT]));
  });

  it.each([
    "test.Service.Call",
    "test.Extended.Inner",
    "test.Extended.choice",
    "test.Extended.Level",
    "test.Extended.LOW",
    "test.RED",
    "test.more",
  ])("finds %s in a file with a package", async (symbol) => {
    const question: Question = { case: "fileContainingSymbol", value: symbol };
    const answers = await ask(serviceWithExtension(), version, [question]);
    expect(answers).toEqual([["test/extended.proto"]]);
  });

  it("finds extensions", async () => {
    const answers = await ask(serviceWithExtension(), version, [
      { case: "allExtensionNumbersOfType", value: "test.Extended" },
      { case: "allExtensionNumbersOfType", value: "test.Extended.Inner" },
      {
        case: "fileContainingExtension",
        value: { containingType: "test.Extended", extensionNumber: 150 },
      },
    ]);
    expect(answers).toEqual([[150, 151], [], ["test/extended.proto"]]);
  });

  it("answers what it does not have with NOT_FOUND, and goes on", async () => {
    const extension = { containingType: "CreateInstanceRequest", extensionNumber: 1 };
    const answers = await ask(sidecar(), version, [
      { case: "fileByFilename", value: "nope.proto" },
      { case: "fileContainingSymbol", value: "Nope" },
      { case: "fileContainingSymbol", value: ".TaskHubSidecarService" },
      { case: "fileContainingSymbol", value: "OrchestrationStatus.ORCHESTRATION_STATUS_RUNNING" },
      { case: "fileContainingExtension", value: extension },
      { case: "allExtensionNumbersOfType", value: "Nope" },
      { case: undefined },
      { case: "fileByFilename", value: HEALTH },
    ]);
    expect(answers).toEqual([...Array(6).fill("NOT_FOUND"), "INVALID_ARGUMENT", [HEALTH]]);
  });
});

describe("buf curl, knowing nothing but the address,", () => {
  async function bufCurl(path: string, ...options: string[]): Promise<string> {
    await using served = await openTestServer(sidecar());
    const url = `http://${served.address.host}:${served.address.port}${path}`;
    const arguments_ = ["curl", "--http2-prior-knowledge", "--protocol", "grpc", ...options, url];
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile("node_modules/.bin/buf", arguments_, (error, stdout, stderr) => {
      resolve(error === null ? stdout.trim() : `exit ${error.code}: ${stderr}`);
    });
    const output = await promise;
    expect(served.internalErrors).toEqual([]);
    return output;
  }

  it("lists services", async () => {
    expect((await bufCurl("", "--list-services")).split("\n")).toEqual(SERVICES);
  });

  it("lists methods", async () => {
    const methods = (await bufCurl("", "--list-methods")).split("\n");
    expect(methods).toContain("TaskHubSidecarService/StartInstance");
    expect(methods).toContain("grpc.health.v1.Health/Watch");
  });

  it("calls a unary method", async () => {
    const data = '{"name":"Order","input":"7"}';
    const output = await bufCurl("/TaskHubSidecarService/StartInstance", "-d", data);
    expect(JSON.parse(output)).toEqual({ instanceId: "Order 7" });
  });

  it("calls a streaming method", async () => {
    const output = await bufCurl("/TaskHubSidecarService/GetWorkItems", "-d", "{}");
    expect(output.match(/"completionToken": "[ab]"/g)).toHaveLength(2);
  });

  it.each(["grpc-v1", "grpc-v1alpha"])("checks health by %s", async (protocol) => {
    const path = "/grpc.health.v1.Health/Check";
    const output = await bufCurl(path, "--reflect-protocol", protocol, "-d", "{}");
    expect(JSON.parse(output)).toEqual({ status: "SERVING" });
  });

  it("is told the code of a failure", async () => {
    const data = '{"service":"Nope"}';
    // buf exits with eight times the code of gRPC: 5 is NOT_FOUND.
    expect(await bufCurl("/grpc.health.v1.Health/Check", "-d", data)).toMatch(/^exit 40: /);
  });
});
