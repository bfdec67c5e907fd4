/**
 * Tokens of pages: good for one question only, and for any page size.
 *
 * A token is a place and a keyed digest of it. The text of the place is readable in it, because there
 * are clients that look for the last instance id of a page in the key of ListInstanceIds. The key follows from the identity of the task hub,
 * which nobody outside knows, and from the question, so that a token survives a restart, and one
 * that was made up, damaged or got for another question is refused.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { create, toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { HubError } from "../foundation/errors.ts";
import type { InstanceCursor, StorageNumber } from "../store/store.ts";
import { isTime } from "../wire/timestamp.ts";

/** Parts of a place: a time, a storage number where the order has one, and a text. */
export interface TokenPlace {
  readonly time: Timestamp;
  readonly number: bigint;
  readonly text: string;
}

/** Makes and reads the tokens of one question. */
export interface PageTokens {
  /** The empty text for no place: there is no further page. */
  seal(place: TokenPlace | undefined): string;
  /** Undefined for the empty text. @throws HubError "invalid-argument" */
  open(token: string): TokenPlace | undefined;
}

const VERSION = 1;
const DIGEST_BYTES = 16;
const PLACE_AT = 1 + DIGEST_BYTES;
const LENGTH = PLACE_AT + 8 + 4 + 8;
/** Between the coded part and the text of the place. */
const SEPARATOR = ":";
/** An instance id of 512 bytes fits; nothing longer is looked at. */
const TOKEN_LENGTH_MAX = 1_024;

/** @param question all that a page depends on, but for its place and its size */
export function pageTokens(hubIdentity: string, ...question: readonly string[]): PageTokens {
  const key = createHash("sha256")
    .update(JSON.stringify([hubIdentity, ...question]))
    .digest();
  return {
    seal(place) {
      if (place === undefined) return "";
      const { time, number, text } = place;
      const bytes = Buffer.alloc(LENGTH);
      bytes[0] = VERSION;
      bytes.writeBigInt64BE(time.seconds, PLACE_AT);
      bytes.writeUInt32BE(time.nanos, PLACE_AT + 8);
      bytes.writeBigUInt64BE(number, PLACE_AT + 12);
      bytes.set(digestOf(key, bytes.subarray(PLACE_AT), text), 1);
      return `${bytes.toString("base64url")}${SEPARATOR}${text}`;
    },
    open(token) {
      if (token === "") return undefined;
      if (token.length > TOKEN_LENGTH_MAX) throw malformed();
      const end = token.indexOf(SEPARATOR);
      const coded = token.slice(0, Math.max(0, end));
      const text = token.slice(end + 1);
      const bytes = Buffer.from(coded, "base64url");
      if (bytes.length !== LENGTH || bytes[0] !== VERSION) throw malformed();
      // Not every text is the encoding of what it decodes to.
      if (bytes.toString("base64url") !== coded) throw malformed();
      const digest = digestOf(key, bytes.subarray(PLACE_AT), text);
      if (!timingSafeEqual(digest, bytes.subarray(1, PLACE_AT))) throw foreign();
      const seconds = bytes.readBigInt64BE(PLACE_AT);
      const nanos = bytes.readUInt32BE(PLACE_AT + 8);
      const time = create(TimestampSchema, { seconds, nanos });
      if (!isTime(time)) throw malformed();
      const number = bytes.readBigUInt64BE(PLACE_AT + 12);
      return { time, number, text };
    },
  };
}

/** What tells one creation of a hub from others. A hub that does not exist gives out no tokens. */
export function hubIdentity({
  incarnation,
  number,
}: {
  readonly incarnation: string | undefined;
  readonly number: StorageNumber | undefined;
}): string {
  return `${incarnation ?? ""} ${number ?? ""}`;
}

/** The token of a place in an order of instances. */
export function sealInstance(tokens: PageTokens, place: InstanceCursor | undefined): string {
  return tokens.seal(place && { time: place.time, number: 0n, text: place.instanceId });
}

/** @throws HubError "invalid-argument" */
export function openInstance(tokens: PageTokens, token: string): InstanceCursor | undefined {
  const place = tokens.open(token);
  return place && { time: place.time, instanceId: place.text };
}

/** A message as text, the same however its maps were ordered. It must have been checked. */
export function canonicalText<M extends DescMessage>(schema: M, message: MessageShape<M>): string {
  return JSON.stringify(toJson(schema, message), (_key, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
    return Object.assign(Object.create(null), Object.fromEntries(entries));
  });
}

function digestOf(key: Buffer, place: Buffer, text: string): Buffer {
  const whole = createHmac("sha256", key).update(place).update(text).digest();
  return whole.subarray(0, DIGEST_BYTES);
}

function malformed(): HubError {
  return new HubError("invalid-argument", "the page token is not one that this service gave out");
}

function foreign(): HubError {
  return new HubError(
    "invalid-argument",
    "the page token belongs to another request: filter, order and grouping must be the same",
  );
}
