/**
 * Checks of single fields, before any work is done. Each throws "invalid-argument" for what is
 * malformed and "limit-exceeded" for what is only too large, in words that the caller can act on.
 * The bounds are in LIMITS.
 */
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { instanceIdProblem, nameProblem } from "../foundation/text-rules.ts";
import { isTime } from "../wire/timestamp.ts";

/** An instance id that a client names: any text, but not the form `@name@key` of an entity id. */
export function checkInstanceId(instanceId: string, field = "instanceId"): string {
  const problem = instanceIdProblem(instanceId);
  if (problem !== undefined) throw invalid(`${field} ${problem}`);
  return instanceId;
}

export function checkNewInstanceId(instanceId: string): string {
  checkInstanceId(instanceId);
  if (/^@[^@]*@/.test(instanceId)) {
    throw invalid(`instanceId ${JSON.stringify(instanceId)} has the form of an entity id`);
  }
  return instanceId;
}

/** A name that must be there: of an orchestrator, an event. */
export function checkName(field: string, name: string): string {
  if (name === "") throw invalid(`${field} is empty`);
  return checkText(field, name, LIMITS.nameBytesMax);
}

export function checkVersion(version: string | undefined): void {
  if (version !== undefined) checkText("version", version, LIMITS.versionBytesMax);
}

/** The id of one execution, if the client names one. */
export function checkExecutionId(executionId: string | undefined): void {
  if (executionId !== undefined) checkText("executionId", executionId, LIMITS.instanceIdBytesMax);
}

export function checkTimestamp(field: string, time: Timestamp | undefined): void {
  if (time === undefined || isTime(time)) return;
  throw invalid(`${field} is not a time between the years 1 and 9999`);
}

/** A message that is carried as it is: only its size is looked at. */
export function checkMessage<M extends DescMessage>(
  field: string,
  schema: M,
  message: MessageShape<M> | undefined,
): void {
  if (message === undefined) return;
  if (toBinary(schema, message).byteLength <= LIMITS.payloadBytesMax) return;
  throw new HubError("limit-exceeded", `${field} is larger than ${LIMITS.payloadBytesMax} bytes`);
}

export function checkReason(reason: string | undefined, field = "reason"): void {
  if (reason === undefined || Buffer.byteLength(reason) <= LIMITS.reasonBytesMax) return;
  throw invalid(`${field} is longer than ${LIMITS.reasonBytesMax} bytes`);
}

/** Payloads are opaque: only their size is looked at. */
export function checkPayload(field: string, payload: string | undefined): void {
  if (payload === undefined || payload.length * 3 <= LIMITS.payloadBytesMax) return;
  if (Buffer.byteLength(payload) <= LIMITS.payloadBytesMax) return;
  throw new HubError("limit-exceeded", `${field} is larger than ${LIMITS.payloadBytesMax} bytes`);
}

export function checkTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags);
  if (entries.length > LIMITS.tagsMax) {
    throw invalid(`there are ${entries.length} tags; the limit is ${LIMITS.tagsMax}`);
  }
  for (const [key, value] of entries) {
    if (key === "") throw invalid("a tag has an empty key");
    checkText("a tag key", key, LIMITS.tagKeyBytesMax);
    if (Buffer.byteLength(value) > LIMITS.tagValueBytesMax) {
      const limit = LIMITS.tagValueBytesMax;
      throw invalid(`the value of tag ${JSON.stringify(key)} is longer than ${limit} bytes`);
    }
  }
}

/** A number of items in flight: 0 means "not stated". */
export function checkConcurrency(field: string, value: number): void {
  if (value < 0) throw invalid(`${field} is negative`);
}

/** A text without control characters; may be empty. */
export function checkText(field: string, text: string, bytesMax: number): string {
  const problem = nameProblem(text, bytesMax);
  if (problem !== undefined) throw invalid(`${field} ${problem}`);
  return text;
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
