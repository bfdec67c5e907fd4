/**
 * Conditions on one value inside a custom status that is JSON text. Both sides come from strangers:
 * how deep it is looked is bounded by the value in the condition, whose depth is checked.
 *
 * @see proto/api/taskhub/v1/instance.proto, message CustomStatusCondition; RFC 6901
 */
import type { Value } from "@bufbuild/protobuf/wkt";
import { HubError } from "../foundation/errors.ts";
import { LIMITS } from "../foundation/limits.ts";
import { Comparison, type CustomStatusCondition } from "../wire/gen/taskhub/v1/instance_pb.ts";

/** A JSON value. Objects of ours have no prototype; those of `JSON.parse` keep all keys as own. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Whether a custom status, parsed, fulfils a condition. */
export type StatusTest = (status: Json) => boolean;

/** @throws HubError "invalid-argument" */
export function compileCondition({
  pointer,
  comparison,
  value,
}: CustomStatusCondition): StatusTest {
  const path = parsePointer(pointer);
  const test = compileComparison(comparison, value);
  return (status) => test(valueAt(status, path));
}

/** A custom status as JSON; undefined when it is no JSON text, or when there is none. */
export function parseStatus(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws HubError "invalid-argument" */
function parsePointer(pointer: string): readonly string[] {
  if (Buffer.byteLength(pointer) > LIMITS.statusPointerBytesMax) {
    throw invalid(`is longer than ${LIMITS.statusPointerBytesMax} bytes`);
  }
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw invalid('does not begin with "/"');
  if (/~(?![01])/.test(pointer)) throw invalid('has a "~" that is neither "~0" nor "~1"');
  const tokens = pointer.slice(1).split("/");
  // In this order, so that "~01" is "~1" and not "/".
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(status: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = status;
  for (const token of path) {
    value = childOf(value, token);
    if (value === undefined) return undefined;
  }
  return value;
}

function childOf(value: Json, token: string): Json | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  // "-" means the element behind the last one, which is not there.
  if (Array.isArray(value)) return /^(0|[1-9]\d*)$/.test(token) ? value[Number(token)] : undefined;
  const members = value as { readonly [key: string]: Json };
  return Object.hasOwn(members, token) ? members[token] : undefined;
}

type Test = (found: Json | undefined) => boolean;

function compileComparison(comparison: Comparison, value: Value | undefined): Test {
  switch (comparison) {
    case Comparison.UNSPECIFIED:
    case Comparison.EXISTS:
      return (found) => found !== undefined;
    case Comparison.NOT_EXISTS:
      return (found) => found === undefined;
    case Comparison.EQUAL: {
      const wanted = jsonOf(value);
      return (found) => found !== undefined && isEqual(found, wanted);
    }
    case Comparison.NOT_EQUAL: {
      const wanted = jsonOf(value);
      return (found) => found !== undefined && !isEqual(found, wanted);
    }
    case Comparison.LESS:
      return ordered(value, (order) => order < 0);
    case Comparison.LESS_OR_EQUAL:
      return ordered(value, (order) => order <= 0);
    case Comparison.GREATER:
      return ordered(value, (order) => order > 0);
    case Comparison.GREATER_OR_EQUAL:
      return ordered(value, (order) => order >= 0);
    default:
      throw new HubError("invalid-argument", "a condition has an unknown comparison");
  }
}

/** Numbers by value, texts by code units: times in one format and zone come in order. */
function ordered(value: Value | undefined, isWanted: (order: number) => boolean): Test {
  const wanted = jsonOf(value);
  if (typeof wanted === "number") {
    return (found) => typeof found === "number" && isWanted(found - wanted);
  }
  if (typeof wanted === "string") {
    return (found) =>
      typeof found === "string" && isWanted(found < wanted ? -1 : found > wanted ? 1 : 0);
  }
  throw new HubError("invalid-argument", "an order compares only with a number or a text");
}

/** Goes no deeper than `wanted`. */
function isEqual(found: Json, wanted: Json): boolean {
  if (typeof wanted !== "object" || wanted === null) return found === wanted;
  if (typeof found !== "object" || found === null) return false;
  if (Array.isArray(wanted) || Array.isArray(found)) {
    return (
      Array.isArray(wanted) &&
      Array.isArray(found) &&
      wanted.length === found.length &&
      wanted.every((each, index) => isEqual(found[index], each))
    );
  }
  const left = found as { readonly [key: string]: Json };
  const entries = Object.entries(wanted as { readonly [key: string]: Json });
  return (
    Object.keys(left).length === entries.length &&
    entries.every(([key, each]) => {
      const other = Object.hasOwn(left, key) ? left[key] : undefined;
      return other !== undefined && isEqual(other, each);
    })
  );
}

const DEPTH_MAX = 64;

/** @throws HubError "invalid-argument" */
function jsonOf(value: Value | undefined, depth = 0): Json {
  if (depth > DEPTH_MAX) throw new HubError("invalid-argument", "a value is nested too deeply");
  switch (value?.kind.case) {
    case "nullValue":
      return null;
    case "numberValue":
      if (Number.isFinite(value.kind.value)) return value.kind.value;
      throw new HubError("invalid-argument", "a value to compare with is no JSON number");
    case "boolValue":
    case "stringValue":
      return value.kind.value;
    case "listValue":
      return value.kind.value.values.map((each) => jsonOf(each, depth + 1));
    case "structValue": {
      const object: { [key: string]: Json } = Object.create(null);
      for (const [key, each] of Object.entries(value.kind.value.fields)) {
        object[key] = jsonOf(each, depth + 1);
      }
      return object;
    }
    default:
      throw new HubError("invalid-argument", "a condition has no value to compare with");
  }
}

function invalid(problem: string): HubError {
  return new HubError("invalid-argument", `the pointer of a condition ${problem}`);
}
