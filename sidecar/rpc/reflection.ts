import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { assert, assertNever } from "../foundation/assert.ts";
import { ServerReflection } from "../wire/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../wire/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { mountService, type ServiceMount } from "./service.ts";

/**
 * Reflection over the given services and itself, in both published versions: lets `buf curl` and
 * grpcurl list, describe and call services with no proto file at hand.
 *
 * @see proto/grpc/grpc/reflection/v1/reflection.proto
 */
export function reflectionServices(mounts: readonly ServiceMount[]): readonly ServiceMount[] {
  const services = [
    ...mounts.map(({ service }) => service),
    ServerReflection,
    ServerReflectionAlpha,
  ];
  const index = indexFiles(services.map(({ file }) => file));
  const names = services.map(({ typeName }) => ({ name: typeName }));
  return [
    mountService(ServerReflection, {
      serverReflectionInfo: (requests) => answers(index, names, requests),
    }),
    mountService(ServerReflectionAlpha, {
      serverReflectionInfo: (requests) => answers(index, names, requests),
    }),
  ];
}

/** What both versions ask. */
type Question =
  | { case: "fileByFilename" | "fileContainingSymbol"; value: string }
  | { case: "allExtensionNumbersOfType" | "listServices"; value: string }
  | {
      case: "fileContainingExtension";
      value: { containingType: string; extensionNumber: number };
    }
  | { case: undefined };

type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: "allExtensionNumbersResponse";
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

interface FileIndex {
  /** Encoded, by import path. */
  readonly files: Map<string, { readonly file: DescFile; readonly bytes: Uint8Array }>;
  /**
   * The file of every full name: services, methods, messages, fields, oneofs, enums, enum values,
   * extensions.
   */
  readonly symbols: Map<string, DescFile>;
  /**
   * By full name of the message: the file of each extension number. Empty for a message that has
   * none.
   */
  readonly extensions: Map<string, Map<number, DescFile>>;
}

function indexFiles(roots: readonly DescFile[]): FileIndex {
  const index: FileIndex = { files: new Map(), symbols: new Map(), extensions: new Map() };
  for (const file of roots.flatMap((root) => [...withDependencies(root)])) {
    if (index.files.has(file.proto.name)) continue;
    index.files.set(file.proto.name, {
      file,
      bytes: toBinary(FileDescriptorProtoSchema, file.proto),
    });
    for (const type of nestedTypes(file)) {
      index.symbols.set(type.typeName, file);
      switch (type.kind) {
        case "service":
          for (const { name } of type.methods) index.symbols.set(`${type.typeName}.${name}`, file);
          break;
        case "message":
          extensionsOf(index, type.typeName);
          for (const { name } of [...type.fields, ...type.oneofs]) {
            index.symbols.set(`${type.typeName}.${name}`, file);
          }
          break;
        case "enum": {
          // Enum values are siblings of their enum, not its children.
          const scope = type.typeName.slice(0, -type.name.length);
          for (const { name } of type.values) index.symbols.set(scope + name, file);
          break;
        }
        case "extension":
          extensionsOf(index, type.extendee.typeName).set(type.number, file);
          break;
      }
    }
  }
  return index;
}

function extensionsOf(index: FileIndex, typeName: string): Map<number, DescFile> {
  const known = index.extensions.get(typeName) ?? new Map<number, DescFile>();
  index.extensions.set(typeName, known);
  return known;
}

/** The file first, then everything that it imports, each once. */
function withDependencies(root: DescFile): Set<DescFile> {
  const files = new Set([root]);
  for (const file of files) for (const imported of file.dependencies) files.add(imported);
  return files;
}

/** The versions differ in names only, so one function serves both. */
async function* answers<Request extends { host: string; messageRequest: Question }>(
  index: FileIndex,
  services: { name: string }[],
  requests: AsyncIterable<Request>,
) {
  for await (const request of requests) {
    const messageResponse = answer(index, services, request.messageRequest);
    yield { validHost: request.host, originalRequest: request, messageResponse };
  }
}

function answer(index: FileIndex, services: { name: string }[], question: Question): Answer {
  switch (question.case) {
    case "fileByFilename":
      return fileAnswer(index, index.files.get(question.value)?.file, question.value);
    case "fileContainingSymbol":
      return fileAnswer(index, index.symbols.get(question.value), question.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = index.extensions.get(containingType)?.get(extensionNumber);
      return fileAnswer(index, file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const extensions = index.extensions.get(question.value);
      if (extensions === undefined) return notFound(question.value);
      const value = { baseTypeName: question.value, extensionNumber: [...extensions.keys()] };
      return { case: "allExtensionNumbersResponse", value };
    }
    case "listServices":
      return { case: "listServicesResponse", value: { service: services } };
    case undefined: {
      const value = { errorCode: status.INVALID_ARGUMENT, errorMessage: "nothing was asked" };
      return { case: "errorResponse", value };
    }
    default:
      return assertNever(question, "reflection request");
  }
}

function fileAnswer(index: FileIndex, file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return notFound(asked);
  const fileDescriptorProto: Uint8Array[] = [];
  for (const { proto } of withDependencies(file)) {
    const indexed = index.files.get(proto.name);
    assert(indexed !== undefined, `${proto.name} is imported but not indexed`);
    fileDescriptorProto.push(indexed.bytes);
  }
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(asked: string): Answer {
  const value = { errorCode: status.NOT_FOUND, errorMessage: `not found: ${asked}` };
  return { case: "errorResponse", value };
}
