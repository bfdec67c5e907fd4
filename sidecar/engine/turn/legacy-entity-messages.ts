/**
 * What an event in the older encoding of entity traffic says.
 *
 * @see PROTOCOL.md 6.8
 */
import { formatEntityId, normalEntityId } from "../../foundation/entity-id.ts";
import type { SendEventAction } from "../../wire/gen/orchestrator_service_pb.ts";
import { parseTime } from "../../wire/timestamp.ts";
import type { SentLockWish, SentOperation, SentUnlock } from "./entity-actions.ts";

export type LegacyMessage =
  | { readonly kind: "call" | "signal"; readonly sent: SentOperation }
  | { readonly kind: "lock"; readonly sent: Omit<SentLockWish, "legacy"> }
  | { readonly kind: "unlock"; readonly sent: SentUnlock };

/** Undefined for an event that is not addressed to an entity, or not in this encoding. */
export function legacyMessageIn(
  instanceId: string,
  { name, data = "" }: Pick<SendEventAction, "name" | "data">,
): LegacyMessage | undefined {
  const target = normalEntityId(instanceId);
  const message = target === undefined ? undefined : objectIn(data);
  if (target === undefined || message === undefined) return undefined;
  const id = textIn(message, "id");
  if (id === undefined) return undefined;
  const requestId = guid(id);
  if (name === "release") return { kind: "unlock", sent: { target, criticalSectionId: requestId } };
  const isOperation = name === "op" || name.startsWith("op@");
  if (!isOperation) return undefined;
  const lockSet = lockSetIn(message);
  if (lockSet !== undefined) {
    return { kind: "lock", sent: { criticalSectionId: requestId, lockSet } };
  }
  const operation = textIn(message, "op");
  if (operation === undefined) return undefined;
  const scheduledAt =
    name === "op" ? parseTime(textIn(message, "due") ?? "") : parseTime(name.slice("op@".length));
  const sent = { target, requestId, operation, input: textIn(message, "input"), scheduledAt };
  return { kind: message.signal === true ? "signal" : "call", sent };
}

type JsonObject = Readonly<Record<string, unknown>>;

function objectIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textIn(message: JsonObject, key: string): string | undefined {
  const value = Object.hasOwn(message, key) ? message[key] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** The entities to lock, in their normal spelling; undefined when the message is no lock request. */
function lockSetIn({ lockset }: JsonObject): readonly string[] | undefined {
  if (!Array.isArray(lockset)) return undefined;
  return lockset.flatMap((each: unknown) => {
    if (!isObject(each)) return [];
    const { name, key } = each;
    if (typeof name !== "string" || typeof key !== "string") return [];
    return normalEntityId(formatEntityId({ name, key })) ?? [];
  });
}

/** Answers are found by the request id in lower case with dashes; what is no GUID stays as it is. */
function guid(text: string): string {
  const digits = text.replaceAll(/[{}()-]/g, "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) return text;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
