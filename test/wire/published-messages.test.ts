/**
 * Our contract against the published one: the message classes inside the JavaScript SDK.
 *
 * Those classes were generated from the original definition, so they are an independent witness of
 * every name, number and type. Messages are compared, not bytes, since the order of map entries on
 * the wire is free.
 */
import { inspect } from "node:util";
import {
  create,
  createRegistry,
  type DescField,
  type DescMessage,
  equals,
  fromBinary,
  isFieldSet,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import publishedServices from "@microsoft/durabletask-js/dist/proto/orchestrator_service_grpc_pb.js";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ActivityRequestSchema,
  file_orchestrator_service as contract,
  OrchestrationIdReusePolicySchema,
  OrchestrationStatus,
  TaskHubSidecarService,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { arbitraryMessage } from "../support/arbitrary-message.ts";
import {
  publishedCases,
  publishedClass,
  publishedClassNames,
  publishedEnum,
  publishedItems,
  publishedMessage,
  publishedObject,
} from "../support/published-classes.ts";

/** Fixed, so that a failure repeats. */
const SEED = 20_260_601;
const RUNS_PER_MESSAGE = 20;
const DEPTH_MAX = 3;

const registry = createRegistry(contract);

describe("the contract as a whole", () => {
  test("has 118 messages, 2 enums and 29 methods", () => {
    expect(contract.messages).toHaveLength(118);
    expect(contract.enums).toHaveLength(2);
    expect(TaskHubSidecarService.methods).toHaveLength(29);
  });

  test("has the published messages and no others", () => {
    // The published module exports the well-known types beside its own classes.
    const imported = contract.dependencies.flatMap((file) => file.messages.map(({ name }) => name));
    const published = publishedClassNames().filter((name) => !imported.includes(name));
    const ours = contract.messages.map(({ name }) => name);
    expect(ours.toSorted()).toStrictEqual(published.toSorted());
  });

  test.each(contract.enums)("has the published values of $name", ({ name, values }) => {
    const ours = Object.fromEntries(values.map((value) => [value.name, value.number]));
    expect(ours).toStrictEqual(publishedEnum(name));
  });

  test.each(contract.messages.flatMap(({ oneofs }) => oneofs))("has the published %s", (oneof) => {
    const notSet = [`${oneof.name.toUpperCase()}_NOT_SET`, 0];
    const cases = oneof.fields.map((field) => [field.name.toUpperCase(), field.number]);
    expect(Object.fromEntries([notSet, ...cases])).toStrictEqual(publishedCases(oneof));
  });

  test("has the published methods: path, streams, request and response", () => {
    const ours = TaskHubSidecarService.methods.map((method) => [
      method.localName,
      expect.objectContaining({
        path: `/${method.parent.typeName}/${method.name}`,
        requestStream: ["client_streaming", "bidi_streaming"].includes(method.methodKind),
        responseStream: ["server_streaming", "bidi_streaming"].includes(method.methodKind),
        requestType: publishedClass(method.input),
        responseType: publishedClass(method.output),
      }),
    ]);
    expect({ ...publishedServices.TaskHubSidecarServiceService }).toStrictEqual(
      Object.fromEntries(ours),
    );
  });
});

describe.each(contract.messages)("$name", (desc) => {
  test("is read by the published class, each field under its own name", async () => {
    await checkMessages(desc, (ours) => {
      const theirs = publishedClass(desc).deserializeBinary(toBinary(desc, ours));
      const expected = publishedObject(reflect(desc, ours), isUnknownToPublished);
      expect(theirs.toObject()).toStrictEqual(expected);
    });
  });

  test("holds messages of the published types", async () => {
    // Not seen on the wire: a Duration has the shape of a Timestamp, and many messages have twins.
    await checkMessages(desc, (ours) => {
      const theirs = publishedClass(desc).deserializeBinary(toBinary(desc, ours));
      for (const field of desc.fields.filter((candidate) => isFieldSet(ours, candidate))) {
        if (field.message !== undefined) {
          const itemClass = publishedClass(field.message);
          expect(publishedItems(theirs, field)).toSatisfy((items: unknown[]) =>
            items.every((item) => item instanceof itemClass),
          );
        }
      }
    });
  });

  test("is read by us as the published class wrote it", async () => {
    await checkMessages(desc, (ours) => {
      const theirs = publishedMessage(reflect(desc, ours));
      expectEqual(desc, fromBinary(desc, theirs.serializeBinary()), ours);
    });
  });

  test("survives the way to the published class and back", async () => {
    await checkMessages(desc, (ours) => {
      const theirs = publishedClass(desc).deserializeBinary(toBinary(desc, ours));
      expectEqual(desc, fromBinary(desc, theirs.serializeBinary()), ours);
    });
  });
});

describe("legacyAction, field 2 of OrchestrationIdReusePolicy", () => {
  const policy = create(OrchestrationIdReusePolicySchema, {
    replaceableStatus: [OrchestrationStatus.FAILED],
    legacyAction: 2,
  });
  const bytes = toBinary(OrchestrationIdReusePolicySchema, policy);

  test("is kept by us", () => {
    expect(fromBinary(OrchestrationIdReusePolicySchema, bytes)).toStrictEqual(policy);
  });

  test("is the one field that the published class does not know and drops", () => {
    const theirs = publishedClass(OrchestrationIdReusePolicySchema).deserializeBinary(bytes);
    const back = fromBinary(OrchestrationIdReusePolicySchema, theirs.serializeBinary());
    expect(back).toStrictEqual({ ...policy, legacyAction: 0 });
  });
});

describe("a map key that is called __proto__", () => {
  const tags = Object.fromEntries([["__proto__", "kept"]]);
  const bytes = toBinary(ActivityRequestSchema, create(ActivityRequestSchema, { tags }));

  test("is kept by us", () => {
    expect(Object.entries(fromBinary(ActivityRequestSchema, bytes).tags)).toStrictEqual([
      ["__proto__", "kept"],
    ]);
  });

  test("is lost by the published class, which is why the messages above have none", async () => {
    const theirs = publishedClass(ActivityRequestSchema).deserializeBinary(bytes);
    expect(theirs.toObject()).toMatchObject({ tagsMap: [] });
  });
});

function isUnknownToPublished(field: DescField): boolean {
  return field.parent === OrchestrationIdReusePolicySchema && field.name === "legacyAction";
}

/** Run a check on random messages, and on one message for each field that has this field set. */
async function checkMessages(desc: DescMessage, check: (ours: Message) => void): Promise<void> {
  const messages = arbitraryMessage(desc, { depthMax: DEPTH_MAX, omit: isUnknownToPublished });
  const examples = desc.fields
    .filter((field) => !isUnknownToPublished(field))
    .map((field) => messages.filter((message) => isFieldSet(message, field)))
    .flatMap((messagesWithField) => fc.sample(messagesWithField, { seed: SEED, numRuns: 1 }));
  await fc.assert(fc.property(messages, check), {
    seed: SEED,
    numRuns: examples.length + RUNS_PER_MESSAGE,
    examples: examples.map((message) => [message]),
  });
}

function expectEqual(desc: DescMessage, actual: Message, expected: Message): void {
  // Unknown fields count: they would be fields that the published class has and ours lacks.
  const isEqual = equals(desc, actual, expected, { unknown: true, registry });
  expect(isEqual, `read back: ${inspect(actual, { depth: null })}`).toBe(true);
}
