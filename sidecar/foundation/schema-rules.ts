/**
 * What a JSON Schema must be before it is used: of the right form, bounded, and without references
 * that lead nowhere or in a circle. Everything that could go wrong later is found here, when
 * somebody waits for the answer.
 */
import { LIMITS } from "./limits.ts";
import { type PatternCost, PatternRefused, readPattern } from "./safe-pattern.ts";
import {
  escaped,
  inPlace,
  isObject,
  listed,
  mapped,
  nonEmpty,
  refusal,
  type SchemaObject,
  SchemaRefused,
  shapes,
  texts,
  valueProblem,
} from "./schema-keywords.ts";

export type JsonSchema = boolean | SchemaObject;

/** What a schema takes to be applied. */
export interface SchemaCosts {
  /** Of applying each schema object once, from 1. */
  readonly steps: ReadonlyMap<SchemaObject, number>;
  readonly patterns: readonly PatternCost[];
  readonly hasUniqueItems: boolean;
}

/**
 * Checks every schema that can be applied.
 *
 * @param resolve the target of a schema's `$ref`; undefined when there is none in the document
 * @throws SchemaRefused
 */
export function checkSchema(
  root: JsonSchema,
  draft: string,
  resolve: (schema: SchemaObject) => JsonSchema | undefined,
): SchemaCosts {
  const walk = new SchemaWalk(draft, resolve);
  walk.visit(root, "");
  if (typeof root === "object") walk.rejectCircles(root);
  return walk;
}

/** Nesting of the whole document, looked at before anything else walks it. @throws SchemaRefused */
export function checkNesting(value: unknown, depth = 0, ids = 0, isMap = false): void {
  if (typeof value !== "object" || value === null) return;
  if (depth >= LIMITS.schemaDepthMax) {
    throw new SchemaRefused(`it is nested deeper than ${LIMITS.schemaDepthMax} levels`);
  }
  const { $id, id } = value as SchemaObject;
  const idsHere = ids + (!isMap && ($id || id) ? 1 : 0);
  if (idsHere > LIMITS.schemaIdDepthMax) {
    throw new SchemaRefused(`more than ${LIMITS.schemaIdDepthMax} $id are within one another`);
  }
  for (const [key, child] of Object.entries(value)) {
    checkNesting(child, depth + 1, idsHere, !isMap && shapes.get(key) === "schema map");
  }
}

class SchemaWalk implements SchemaCosts {
  readonly steps = new Map<SchemaObject, number>();
  readonly patterns: PatternCost[] = [];
  hasUniqueItems = false;
  readonly #draft: string;
  readonly #resolve: (schema: SchemaObject) => JsonSchema | undefined;
  /** Schemas that are applied to the same value as the one that is the key. */
  readonly #sameValue = new Map<SchemaObject, SchemaObject[]>();
  #root: SchemaObject | undefined;

  constructor(draft: string, resolve: (schema: SchemaObject) => JsonSchema | undefined) {
    this.#draft = draft;
    this.#resolve = resolve;
  }

  visit(schema: unknown, place: string): void {
    if (typeof schema === "boolean") return;
    if (!isObject(schema)) throw refusal(place, "must be a schema: an object, true or false");
    if (this.steps.has(schema)) return;
    this.#root ??= schema;
    if (this.steps.size >= LIMITS.schemaPartsMax) {
      throw new SchemaRefused(`it has more than ${LIMITS.schemaPartsMax} subschemas`);
    }
    this.steps.set(schema, 1);
    this.#sameValue.set(schema, []);
    let ownLength = 0;
    for (const [keyword, value] of Object.entries(schema)) {
      const parts = this.#check(keyword, value, `${place}/${escaped(keyword)}`);
      if (parts === undefined) ownLength += JSON.stringify(value).length;
      else ownLength += parts.length * 8;
      for (const [part, partPlace] of parts ?? []) {
        this.visit(part, partPlace);
        if (inPlace.has(keyword)) this.#join(schema, part);
      }
    }
    this.steps.set(schema, 1 + Math.floor(ownLength / 32));
    this.#follow(schema, place);
  }

  /** A schema that is applied to a value because it is applied to it would never come to an end. */
  rejectCircles(root: SchemaObject): void {
    const done = new Set<SchemaObject>();
    const under = new Set<SchemaObject>();
    const look = (schema: SchemaObject): void => {
      if (done.has(schema)) return;
      if (under.has(schema)) {
        throw new SchemaRefused("a schema refers to itself for the same value, without an end");
      }
      under.add(schema);
      for (const next of this.#sameValue.get(schema) ?? []) look(next);
      under.delete(schema);
      done.add(schema);
    };
    look(root);
    for (const schema of this.#sameValue.keys()) look(schema);
  }

  #join(schema: SchemaObject, part: unknown): void {
    if (isObject(part)) this.#sameValue.get(schema)?.push(part);
  }

  #follow(schema: SchemaObject, place: string): void {
    if (schema.$ref !== undefined) {
      const target = this.#resolve(schema);
      if (target === undefined) {
        const reference = JSON.stringify(schema.$ref);
        throw refusal(`${place}/$ref`, `refers to ${reference}, which is not in the document`);
      }
      this.visit(target, `${place}/$ref`);
      this.#join(schema, target);
    }
    if (schema.$recursiveRef !== undefined) this.#join(schema, this.#root);
  }

  /** The schemas within a keyword's value, with their places; undefined when it has none. */
  #check(keyword: string, value: unknown, place: string): [unknown, string][] | undefined {
    if (keyword.startsWith("__absolute_")) throw refusal(place, "is a name that is not free");
    const shape = shapes.get(keyword);
    switch (shape) {
      case undefined:
        return undefined;
      case "schema":
        return [[value, place]];
      case "schemas":
        return listed(nonEmpty(value, place), place);
      case "schema or schemas":
        return Array.isArray(value) ? listed(value, place) : [[value, place]];
      case "schema map":
        if (!isObject(value)) throw refusal(place, "must be an object");
        if (keyword === "patternProperties") {
          for (const pattern of Object.keys(value)) this.#pattern(pattern, place);
        }
        return mapped(value, place);
      case "schema or text map":
        if (!isObject(value)) throw refusal(place, "must be an object");
        return mapped(value, place).filter(
          ([part, at]) => !(Array.isArray(part) && texts(part, at)),
        );
      case "pattern":
        if (typeof value !== "string") throw refusal(place, "must be a text");
        this.#pattern(value, place);
        return undefined;
      case "flag":
        this.hasUniqueItems ||= keyword === "uniqueItems" && value === true;
        break;
      default:
    }
    const problem = valueProblem(shape, value, place, this.#draft);
    if (problem !== undefined) throw refusal(place, problem);
    return undefined;
  }

  #pattern(pattern: string, place: string): void {
    try {
      this.patterns.push(readPattern(pattern));
    } catch (error) {
      if (!(error instanceof PatternRefused)) throw error;
      throw refusal(place, `has a pattern that ${error.message}: ${JSON.stringify(pattern)}`);
    }
  }
}
