/** The keywords of JSON Schema that say what is valid, and what their values must look like. */

export interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** The message names the place and what is wrong with it. */
export class SchemaRefused extends Error {
  override readonly name = "SchemaRefused";
}

/** @param place JSON pointer into the document; empty for the document itself */
export function refusal(place: string, problem: string): SchemaRefused {
  return new SchemaRefused(`${place === "" ? "the schema" : place} ${problem}`);
}

const keywords = {
  schema: [
    ...["not", "if", "then", "else", "contains", "propertyNames"],
    ...["additionalItems", "unevaluatedItems", "additionalProperties", "unevaluatedProperties"],
  ],
  schemas: ["allOf", "anyOf", "oneOf", "prefixItems"],
  "schema or schemas": ["items"],
  "schema map": ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"],
  "schema or text map": ["dependencies"],
  count: [
    ...["minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"],
    ...["minProperties", "maxProperties"],
  ],
  number: ["minimum", "maximum"],
  limit: ["exclusiveMinimum", "exclusiveMaximum"],
  positive: ["multipleOf"],
  flag: ["uniqueItems", "$recursiveAnchor"],
  texts: ["required"],
  "texts map": ["dependentRequired"],
  type: ["type"],
  values: ["enum"],
  pattern: ["pattern"],
  format: ["format"],
  text: ["$id", "$anchor", "$ref", "$schema"],
  root: ["$recursiveRef"],
  unsupported: ["$dynamicRef"],
} as const;

export type Shape = keyof typeof keywords;

/** Keywords that are looked at. All others say nothing about what is valid. */
export const shapes: ReadonlyMap<string, Shape> = new Map(
  Object.entries(keywords).flatMap(([shape, names]) =>
    names.map((name) => [name, shape as Shape] as const),
  ),
);

/** Keywords that apply their schemas to the same value. */
export const inPlace: ReadonlySet<string> = new Set([
  ...["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"],
]);

const types: ReadonlySet<unknown> = new Set([
  ...["array", "boolean", "integer", "null", "number", "object", "string"],
]);

export function valueProblem(
  shape: Shape,
  value: unknown,
  place: string,
  draft: string,
): string | undefined {
  switch (shape) {
    case "count":
      return Number.isSafeInteger(value) && (value as number) >= 0
        ? undefined
        : "must be a whole number from 0";
    case "number":
      return typeof value === "number" ? undefined : "must be a number";
    case "limit":
      return typeof value === (draft === "4" ? "boolean" : "number")
        ? undefined
        : `must be a ${draft === "4" ? "boolean" : "number"}`;
    case "positive":
      return typeof value === "number" && value > 0 ? undefined : "must be a number above 0";
    case "flag":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "text":
      return typeof value === "string" && value !== "" ? undefined : "must be a text";
    case "texts":
      return Array.isArray(value) && texts(value, place) ? undefined : "must be a list of texts";
    case "texts map":
      if (!isObject(value)) return "must be an object";
      for (const [part, at] of mapped(value, place)) {
        if (!Array.isArray(part)) throw refusal(at, "must be a list of texts");
        texts(part, at);
      }
      return undefined;
    case "type":
      return [value].flat().every((type) => types.has(type)) ? undefined : "is not a type";
    case "values":
      return Array.isArray(value) ? undefined : "must be a list";
    case "format":
      return formatProblem(value);
    case "root":
      return value === "#" ? undefined : 'must be "#"';
    default:
      return "is not supported";
  }
}

/** A name that is unknown is no error: it says what the text is for, and is not checked. */
function formatProblem(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^[a-z][a-z0-9-]*$/.test(value)) return "is not a format";
  // Its expression backtracks without a bound, and no draft has it.
  return value === "url" ? 'cannot be "url": use "uri"' : undefined;
}

export function listed(parts: readonly unknown[], place: string): [unknown, string][] {
  return parts.map((part, index) => [part, `${place}/${index}`]);
}

export function mapped(parts: SchemaObject, place: string): [unknown, string][] {
  return Object.entries(parts).map(([key, part]) => [part, `${place}/${escaped(key)}`]);
}

export function nonEmpty(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw refusal(place, "must be a list of schemas");
}

export function texts(parts: readonly unknown[], place: string): true {
  if (parts.every((part) => typeof part === "string")) return true;
  throw refusal(place, "must be a list of texts");
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function escaped(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
