/**
 * Requests that are repeated: the first result is kept with the instance, or with the hub, and
 * answered again. What was refused has changed nothing and is decided anew.
 */
import { create } from "@bufbuild/protobuf";
import {
  type RememberedRequest,
  RememberedRequestSchema,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";

/** How the outcome of a request is told to its caller, and kept for when it is repeated. */
export interface Reply<Outcome, Result> {
  /** The method and the caller's key, or undefined when it gave none. */
  readonly key: string | undefined;
  result(outcome: Outcome): Result;
  encode(result: Result): Uint8Array;
  decode(bytes: Uint8Array): Result;
}

/** For callers that are told nothing and give no key. */
export const noReply: Reply<unknown, undefined> = {
  key: undefined,
  result: () => undefined,
  encode: () => new Uint8Array(),
  decode: () => undefined,
};

/** The result of the same request, as it was given first. */
export function earlierResult<Result>(
  remembered: readonly RememberedRequest[],
  { key, decode }: Pick<Reply<never, Result>, "key" | "decode">,
): { readonly result: Result } | undefined {
  if (key === undefined) return undefined;
  const found = remembered.find(({ requestId }) => requestId === key);
  return found && { result: decode(found.result) };
}

/** What is to be kept of a request, or undefined when the caller gave no key. */
export function toRemember<Result>(
  result: Result,
  { key, encode }: Pick<Reply<never, Result>, "key" | "encode">,
): RememberedRequest | undefined {
  if (key === undefined) return undefined;
  return create(RememberedRequestSchema, { requestId: key, result: encode(result) });
}
