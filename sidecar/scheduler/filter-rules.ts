/** What a filter may ask for, and how much of it. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { nameProblem } from "../foundation/text-rules.ts";
import { type InstanceFilter, InstanceStatusSchema } from "../wire/gen/taskhub/v1/instance_pb.ts";
import { addNanoseconds, isTime } from "../wire/timestamp.ts";

/** @throws HubError "invalid-argument" */
export function checkFilter(filter: InstanceFilter): void {
  for (const status of filter.statuses) {
    if (status === 0 || InstanceStatusSchema.value[status] === undefined) {
      throw invalid("statuses has an unknown status");
    }
  }
  checkCount("statuses", filter.statuses.length, LIMITS.selectorValuesMax);
  checkCount("names", filter.names.length, LIMITS.selectorValuesMax);
  checkCount("versions", filter.versions.length, LIMITS.selectorValuesMax);
  checkCount("tags", Object.keys(filter.tags).length, LIMITS.tagsMax);
  checkCount("custom_status", filter.customStatus.length, LIMITS.statusConditionsMax);
  const { names, versions, tags, instanceIdPrefix, parentInstanceId, holdName = "" } = filter;
  // Watches keep their filter for as long as they last.
  for (const name of names) checkText("names", name, LIMITS.nameBytesMax);
  for (const version of versions) checkText("versions", version, LIMITS.versionBytesMax);
  for (const [key, value] of Object.entries(tags)) {
    checkText("tags", key, LIMITS.tagKeyBytesMax);
    if (key === "") throw invalid("tags has an empty key");
    if (Buffer.byteLength(value) > LIMITS.tagValueBytesMax) {
      throw invalid(`tags has a value longer than ${LIMITS.tagValueBytesMax} bytes`);
    }
  }
  checkText("instance_id_prefix", instanceIdPrefix, LIMITS.instanceIdBytesMax);
  checkText("parent_instance_id", parentInstanceId, LIMITS.instanceIdBytesMax);
  checkText("hold_name", holdName, LIMITS.nameBytesMax);
  checkTime("created_from", filter.createdFrom);
  checkTime("created_to", filter.createdTo);
  checkTime("completed_from", filter.completedFrom);
  checkTime("completed_to", filter.completedTo);
  checkAge("held_longer_than", filter.heldLongerThan);
}

/** A span of time that lies behind us. @throws HubError "invalid-argument" */
export function checkAge(field: string, age: Duration | undefined): void {
  if (age === undefined) return;
  const { seconds, nanos } = age;
  const isPositive = seconds >= 0n && nanos >= 0;
  if (isPositive && seconds <= DURATION_SECONDS_MAX && nanos < 1_000_000_000) return;
  throw invalid(`${field} is not a duration between 0 and 10,000 years`);
}

/** The time so long before another one. */
export function timeBefore(time: Timestamp, { seconds, nanos }: Duration): Timestamp {
  return addNanoseconds(time, -(seconds * 1_000_000_000n + BigInt(nanos)));
}

const DURATION_SECONDS_MAX = 315_576_000_000n;

function checkText(field: string, text: string, bytesMax: number): void {
  const problem = nameProblem(text, bytesMax);
  if (problem !== undefined) throw invalid(`${field} ${problem}`);
}

function checkCount(field: string, count: number, max: number): void {
  if (count > max) throw invalid(`${field} has ${count} elements; the limit is ${max}`);
}

function checkTime(field: string, time: Timestamp | undefined): void {
  if (time === undefined || isTime(time)) return;
  throw invalid(`${field} is not a time between the years 1 and 9999`);
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
