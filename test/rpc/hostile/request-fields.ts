/** Every field that a request can have, from the descriptors. */
import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** A field, and the fields that lead to it from the request. */
export interface RequestField {
  readonly path: readonly DescField[];
  readonly field: DescField;
}

/** Types that are values, and whose own fields are looked at as a whole. */
const VALUES = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.StringValue",
  "google.protobuf.Int32Value",
  "google.protobuf.BoolValue",
]);

/** Each type is entered once for each request: the first way that leads to it is as good as others. */
export function requestFields(request: DescMessage): RequestField[] {
  const found: RequestField[] = [];
  const entered = new Set<string>();
  const enter = (message: DescMessage, path: readonly DescField[]) => {
    if (entered.has(message.typeName)) return;
    entered.add(message.typeName);
    for (const field of message.fields) {
      found.push({ path, field });
      if (isEntered(field)) enter(field.message, [...path, field]);
    }
  };
  enter(request, []);
  return found;
}

export function isEntered(
  field: DescField,
): field is DescField & { readonly message: DescMessage } {
  return field.message !== undefined && !VALUES.has(field.message.typeName);
}

/** What a field holds, whether once, many times or as the value of a map. */
export type ValueKind =
  | "text"
  | "bytes"
  | "integer"
  | "number"
  | "boolean"
  | "enum"
  | "time"
  | "span"
  | "message";

export function valueKindOf(field: DescField): ValueKind {
  if (field.enum !== undefined) return "enum";
  switch (field.message?.typeName) {
    case undefined:
      return scalarKindOf(field);
    case "google.protobuf.Timestamp":
      return "time";
    case "google.protobuf.Duration":
      return "span";
    case "google.protobuf.StringValue":
      return "text";
    case "google.protobuf.Int32Value":
      return "integer";
    case "google.protobuf.BoolValue":
      return "boolean";
    default:
      return "message";
  }
}

function scalarKindOf({ scalar, name }: DescField): ValueKind {
  // Numbers of `ScalarType`, which are those of descriptor.proto.
  switch (scalar) {
    case 9:
      return "text";
    case 12:
      return "bytes";
    case 8:
      return "boolean";
    case 1:
      return "number";
    case 3:
    case 4:
    case 5:
    case 13:
      return "integer";
    default:
      throw new Error(`say here what the scalar type ${scalar} of ${name} is`);
  }
}

/** Whether the value is one field deeper: wrappers hold theirs in field 1. */
export function isWrapped({ message }: DescField): boolean {
  return message?.typeName.endsWith("Value") === true && VALUES.has(message.typeName);
}
