/** `--where`: conditions on the custom status, as people write them. */
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  Comparison,
  type CustomStatusCondition,
  CustomStatusConditionSchema,
} from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";

const comparisons: ReadonlyMap<string, Comparison> = new Map([
  ["=", Comparison.EQUAL],
  ["==", Comparison.EQUAL],
  ["!=", Comparison.NOT_EQUAL],
  ["<", Comparison.LESS],
  ["<=", Comparison.LESS_OR_EQUAL],
  [">", Comparison.GREATER],
  [">=", Comparison.GREATER_OR_EQUAL],
]);

/** A pointer, in quotes when it has blanks or signs of comparison in it, and what follows. */
const conditionPattern = /^\s*("(?:[^"\\]|\\.)*"|\/[^\s=<>!]*)\s*(.*?)\s*$/s;

const comparisonPattern = /^(==|=|!=|<=|<|>=|>)\s*([^\s=<>!].*)$/s;

/**
 * `/progress/percent >= 50`, `/phase = baking`, `/error exists`, `/error missing`, `"" = "done"`.
 * What is compared with is JSON; what is not JSON is taken as a text.
 *
 * @throws ExitError 64
 */
export function parseCondition(text: string): CustomStatusCondition {
  const [, written = "", rest = ""] = conditionPattern.exec(text) ?? [];
  if (written === "") throw malformed(text);
  const pointer = written.startsWith('"') ? quoted(written, text) : written;
  if (pointer !== "" && !pointer.startsWith("/")) throw malformed(text);
  if (rest === "" || rest === "exists") return condition(pointer, Comparison.EXISTS);
  if (rest === "missing") return condition(pointer, Comparison.NOT_EXISTS);
  const [, sign = "", operand = ""] = comparisonPattern.exec(rest) ?? [];
  const comparison = comparisons.get(sign);
  if (comparison === undefined) throw malformed(text);
  return condition(pointer, comparison, jsonOrText(operand));
}

function condition(
  pointer: string,
  comparison: Comparison,
  value?: JsonValue,
): CustomStatusCondition {
  return create(CustomStatusConditionSchema, {
    pointer,
    comparison,
    ...(value === undefined ? {} : { value: fromJson(ValueSchema, value) }),
  });
}

function quoted(written: string, whole: string): string {
  try {
    return String(JSON.parse(written));
  } catch {
    throw malformed(whole);
  }
}

function jsonOrText(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function malformed(text: string): ExitError {
  return new ExitError(
    EXIT.usage,
    `--where: ${JSON.stringify(text)} is not a condition such as '/progress/percent >= 50', ` +
      "'/phase = baking', '/error exists' or '/error missing'",
  );
}
