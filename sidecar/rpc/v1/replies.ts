/** How outcomes become answers that are kept for a repeat of the request. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Reply } from "../../engine/repeat.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { checkText } from "../validation.ts";

/**
 * @param method name of the RPC: the same key in two methods means two requests
 * @param requestId the caller's idempotency key; empty when it gave none
 */
export function replyWith<Outcome, Schema extends DescMessage>(
  method: string,
  requestId: string,
  schema: Schema,
  answer: (outcome: Outcome) => MessageInitShape<Schema>,
): Reply<Outcome, MessageShape<Schema>> {
  checkText("request_id", requestId, LIMITS.requestIdBytesMax);
  return {
    key: requestId === "" ? undefined : `${method}/${requestId}`,
    result: (outcome) => create(schema, answer(outcome)),
    encode: (message) => toBinary(schema, message),
    decode: (bytes) => fromBinary(schema, bytes),
  };
}
