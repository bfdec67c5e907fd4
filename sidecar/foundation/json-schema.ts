/**
 * JSON Schema, drafts 4, 7, 2019-09 and 2020-12 without `$dynamicRef`. The library interprets a
 * schema: nothing is compiled to code. What it does with one text is bounded, whatever the schema
 * and the text are, and depends on nothing else, so that the same text always gets the same answer.
 */
import { dereference, type OutputUnit, type Schema, validate } from "@cfworker/json-schema";
import { HubError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { patternSteps } from "./safe-pattern.ts";
import { isObject, type SchemaObject, SchemaRefused } from "./schema-keywords.ts";
import { checkNesting, checkSchema, type JsonSchema, type SchemaCosts } from "./schema-rules.ts";

export interface CompiledSchema {
  /**
   * Why the text does not follow the schema, in words that begin with the place in it, at most
   * LIMITS.schemaViolationBytesMax bytes; undefined when it does. Never throws.
   */
  check(text: string): string | undefined;
}

/** @throws HubError "invalid-argument" for a text that is no schema, or none that can be bounded */
export function compileSchema(text: string): CompiledSchema {
  try {
    return compile(text);
  } catch (error) {
    throw new HubError("invalid-argument", `schema: ${compileProblem(error)}`, { cause: error });
  }
}

type Draft = "4" | "7" | "2019-09" | "2020-12";

const drafts: ReadonlyMap<unknown, Draft> = new Map([
  [undefined, "2020-12"],
  ["json-schema.org/draft-04/schema", "4"],
  ["json-schema.org/draft-07/schema", "7"],
  ["json-schema.org/draft/2019-09/schema", "2019-09"],
  ["json-schema.org/draft/2020-12/schema", "2020-12"],
]);

function compile(text: string): CompiledSchema {
  const { schemaBytesMax } = LIMITS;
  if (Buffer.byteLength(text) > schemaBytesMax) {
    throw new SchemaRefused(`it is larger than ${schemaBytesMax} bytes`);
  }
  const root = parsed(text);
  checkNesting(root);
  if (typeof root !== "boolean" && !isObject(root)) {
    throw new SchemaRefused("it is neither an object nor true or false");
  }
  const draft = draftOf(root);
  const known = dereference(root as Schema | boolean);
  const costs = checkSchema(root, draft, (schema) => {
    // The library has left the address of what it refers to on every schema that it knows.
    const { __absolute_ref__: address } = schema as { __absolute_ref__?: string };
    return address === undefined ? undefined : (known[address] as JsonSchema | undefined);
  });
  const steps = new Steps();
  for (const [schema, cost] of costs.steps) steps.countIn(schema, cost);
  const apply = (value: unknown) => {
    steps.left = LIMITS.checkedStepsMax;
    return validate(value, root as Schema, draft, known);
  };
  // Whatever else could be wrong with it comes to light before anybody relies on it.
  for (const value of [null, true, 0, "", [], {}, [0, ""], { a: 0 }]) apply(value);
  return { check: (given) => shortened(violationOf(given, costs, apply)) };
}

function draftOf(root: JsonSchema): Draft {
  const named = typeof root === "object" ? root.$schema : undefined;
  const name = typeof named === "string" ? named.replace(/^https?:\/\/|#$/g, "") : named;
  const draft = drafts.get(name);
  if (draft !== undefined) return draft;
  throw new SchemaRefused(`its $schema ${JSON.stringify(named)} is none of the known drafts`);
}

/** Counts the schemas that are applied to one text. */
class Steps {
  left = Number.POSITIVE_INFINITY;

  /**
   * The library has no such count, but it reads this keyword once whenever it applies a schema. All
   * work beyond the text itself is done in such steps: a schema can multiply them without an end.
   */
  countIn(schema: SchemaObject, cost: number): void {
    const { $recursiveAnchor } = schema;
    Object.defineProperty(schema, "$recursiveAnchor", {
      get: () => {
        this.left -= cost;
        if (this.left < 0) throw new TooManySteps();
        return $recursiveAnchor;
      },
    });
  }
}

class TooManySteps extends Error {
  override readonly name = "TooManySteps";
}

function violationOf(
  text: string,
  costs: SchemaCosts,
  apply: (value: unknown) => { readonly valid: boolean; readonly errors: readonly OutputUnit[] },
): string | undefined {
  try {
    const value = parsed(text);
    const lengths: number[] = [];
    const problem = valueProblem(value, costs, lengths) ?? patternProblem(costs, lengths);
    if (problem !== undefined) return problem;
    const { valid, errors } = apply(value);
    return valid ? undefined : described(errors);
  } catch (error) {
    if (error instanceof SchemaRefused) return error.message;
    if (error instanceof TooManySteps) {
      return `checking it takes more than ${LIMITS.checkedStepsMax} steps`;
    }
    // The stack has a bound too. A turn must not hang on any of this.
    return error instanceof RangeError ? "the schema is too deep for it" : "it cannot be checked";
  }
}

/** What is wrong with the value, whatever the schema says. Collects the lengths of its texts. */
function valueProblem(
  value: unknown,
  costs: SchemaCosts,
  lengths: number[],
  depth = 0,
): string | undefined {
  if (typeof value === "string") lengths.push(value.length);
  if (typeof value !== "object" || value === null) return undefined;
  if (depth >= LIMITS.checkedDepthMax) {
    return `it is nested deeper than ${LIMITS.checkedDepthMax} levels`;
  }
  // Each is compared with each.
  if (costs.hasUniqueItems && Array.isArray(value) && value.length > LIMITS.checkedUniqueItemsMax) {
    return `a list of more than ${LIMITS.checkedUniqueItemsMax} items cannot be checked for equals`;
  }
  for (const [name, part] of Object.entries(value)) {
    if (!Array.isArray(value)) {
      if (name.length > LIMITS.checkedNameLengthMax) {
        return `a name in it is longer than ${LIMITS.checkedNameLengthMax} characters`;
      }
      if (!name.isWellFormed()) return "a name in it is not well-formed Unicode";
      lengths.push(name.length);
    }
    const problem = valueProblem(part, costs, lengths, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Any text may meet any pattern. */
function patternProblem({ patterns }: SchemaCosts, lengths: readonly number[]): string | undefined {
  let steps = 0;
  for (const pattern of patterns) {
    for (const length of lengths) steps += patternSteps(pattern, length);
    if (steps > LIMITS.checkedPatternStepsMax) return "its texts are too long for the patterns";
  }
  return undefined;
}

/** Errors of the whole come before those of its parts; these say only where to look further. */
const leading: ReadonlySet<string> = new Set([
  ...["$ref", "$recursiveRef", "allOf", "if", "dependentSchemas", "dependencies", "properties"],
  ...["patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"],
  ...["items", "prefixItems", "additionalItems", "unevaluatedItems"],
]);

function described(errors: readonly OutputUnit[]): string {
  let at = 0;
  // "The value is not allowed" is said better by the one before: it names what is not allowed.
  while (leading.has(errors[at]?.keyword ?? "") && errors[at + 1]?.keyword !== "false") {
    if (errors[at + 1] === undefined) break;
    at += 1;
  }
  const { instanceLocation = "#", error = "it does not follow the schema" } = errors[at] ?? {};
  const pointer = decodeURIComponent(instanceLocation.slice(1));
  return pointer === "" ? error : `${pointer}: ${error}`;
}

function shortened(violation: string | undefined): string | undefined {
  if (violation === undefined) return undefined;
  const text = violation.toWellFormed();
  const bytesMax = LIMITS.schemaViolationBytesMax;
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const end = "…";
  const room = new Uint8Array(bytesMax - Buffer.byteLength(end));
  return text.slice(0, new TextEncoder().encodeInto(text, room).read) + end;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new SchemaRefused(`it is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

function compileProblem(error: unknown): string {
  if (error instanceof SchemaRefused) return error.message;
  if (error instanceof TooManySteps) return "it applies too many schemas to one value";
  if (error instanceof RangeError) return "it is too deep";
  // What is left is what the library says of addresses.
  return "an $id in it is there twice, or is not an address";
}
