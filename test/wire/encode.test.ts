/** The encoder against the general one: the same bytes, for every kind of message that we have. */
import {
  create,
  type DescFile,
  type DescMessage,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encode } from "../../sidecar/wire/encode.ts";
import {
  file_orchestrator_service,
  HistoryEventSchema,
  TaskScheduledEventSchema,
} from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { file_taskhub_internal_v1_log } from "../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import { file_taskhub_internal_v1_state } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { file_taskhub_internal_v1_store } from "../../sidecar/wire/gen/taskhub/internal/v1/store_pb.ts";
import { arbitraryMessage } from "../support/arbitrary-message.ts";

const files: readonly DescFile[] = [
  file_orchestrator_service,
  file_taskhub_internal_v1_log,
  file_taskhub_internal_v1_state,
  file_taskhub_internal_v1_store,
];

describe.each(files.map((file) => [file.name, file] as const))("%s", (_name, file) => {
  test.each(file.messages.map((schema) => [schema.typeName, schema] as const))(
    "%s is encoded as the general encoder does",
    (_typeName, schema) => {
      const message = arbitraryMessage(schema, { depthMax: 3, omit: () => false });
      fc.assert(
        fc.property(message, (given) => {
          expect(hex(encode(schema, given))).toBe(hex(toBinary(schema, given)));
        }),
        { seed: 20_261_122, numRuns: 25 },
      );
    },
  );
});

describe("an encoded message", () => {
  test.each([
    ["no text", ""],
    ["text that fills its short form", "x".repeat(40)],
    ["a character more", "x".repeat(41)],
    ["127 bytes", "x".repeat(127)],
    ["128 bytes", "x".repeat(128)],
    ["16,384 bytes", "x".repeat(16_384)],
    ["more than the buffer has at first", "é".repeat(100_000)],
    ["short text that is not ASCII", "naïve 🙂"],
    ["half a character", "\ud83d"],
  ])("with %s is the same", (_what, input) => {
    const value = create(TaskScheduledEventSchema, { name: "A", input });
    const event = create(HistoryEventSchema, {
      eventId: -1,
      eventType: { case: "taskScheduled", value },
    });
    same(HistoryEventSchema, event);
  });

  test("keeps fields that nobody here knows", () => {
    const event = create(HistoryEventSchema, { eventId: 7 });
    event.$unknown = [{ no: 4_000, wireType: 2, data: Uint8Array.of(2, 1, 2) }];
    same(HistoryEventSchema, event);
  });

  test("is not touched by the next one", () => {
    const first = encode(HistoryEventSchema, create(HistoryEventSchema, { eventId: 1 }));
    encode(HistoryEventSchema, create(HistoryEventSchema, { eventId: 2 }));
    expect(hex(first)).toBe("0801");
  });
});

function same(schema: DescMessage, message: Message): void {
  expect(hex(encode(schema, message))).toBe(hex(toBinary(schema, message)));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
