/** Contracts of custom statuses: what is checked, what is refused, and that nothing takes long. */
import { describe, expect, test } from "vitest";
import { HubError } from "../../sidecar/foundation/errors.ts";
import { compileSchema } from "../../sidecar/foundation/json-schema.ts";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { patternSteps, readPattern } from "../../sidecar/foundation/safe-pattern.ts";

const progress = {
  type: "object",
  properties: { step: { type: "integer", minimum: 1 }, note: { type: "string", maxLength: 9 } },
  required: ["step"],
  additionalProperties: false,
};

describe("a text", () => {
  test.each(['{"step":1}', '{"step":2,"note":"ready"}'])("%s follows its schema", (text) => {
    expect(check(progress, text)).toBeUndefined();
  });

  test.each([
    ['{"step":"x"}', '/step: Instance type "string" is invalid. Expected "integer".'],
    ['{"step":0}', "/step: 0 is less than 1."],
    ["{}", 'Instance does not have required property "step".'],
    ['{"step":1,"else":1}', 'Property "else" does not match additional properties schema.'],
    ["[]", 'Instance type "array" is invalid. Expected "object".'],
    ["step 1", /^it is not JSON: /],
    ["", /^it is not JSON: /],
  ])("%s does not, and the reason names the place", (text, reason) => {
    expect(check(progress, text)).toMatch(reason);
  });

  test("of an alternative that matches none is told so, at its place", () => {
    const either = { items: { anyOf: [{ type: "string" }, { type: "null" }] } };
    expect(check(either, "[null,1]")).toBe("/1: Instance does not match any subschemas.");
  });

  test("is checked through references within the document", () => {
    const tree = {
      $id: "https://example.org/tree",
      $defs: { leaf: { $id: "leaf", type: "number" }, name: { $anchor: "name", type: "string" } },
      properties: {
        children: { items: { $ref: "#" } },
        value: { $ref: "leaf" },
        n: { $ref: "#name" },
      },
    };
    expect(check(tree, '{"children":[{"children":[{"value":1,"n":"x"}]}]}')).toBeUndefined();
    expect(check(tree, '{"children":[{"children":[{"value":""}]}]}')).toMatch(/^\/children\/0\/c/);
    expect(check(tree, '{"n":1}')).toMatch(/^\/n: /);
  });

  test("is checked through the recursive references of draft 2019-09", () => {
    const $schema = "https://json-schema.org/draft/2019-09/schema";
    const children = { items: { $recursiveRef: "#" } };
    const tree = { $schema, $recursiveAnchor: true, type: "object", properties: { children } };
    expect(check(tree, '{"children":[{"children":[{}]}]}')).toBeUndefined();
    expect(check(tree, '{"children":[{"children":[1]}]}')).toMatch(/^\/children\/0\/children\/0: /);
  });

  test("has places with names that a pointer must escape", () => {
    const schema = { properties: { "a/b ~ä": { type: "null" } } };
    expect(check(schema, '{"a/b ~ä":1}')).toMatch(/^\/a~1b ~0ä: /);
  });

  test.each([
    ["http://json-schema.org/draft-04/schema#", { minimum: 1, exclusiveMinimum: true }],
    ["http://json-schema.org/draft-07/schema#", { exclusiveMinimum: 1 }],
    ["https://json-schema.org/draft/2019-09/schema", { exclusiveMinimum: 1 }],
    ["https://json-schema.org/draft/2020-12/schema", { exclusiveMinimum: 1 }],
  ])("is checked by the rules of %s", ($schema, rules) => {
    expect(check({ $schema, ...rules }, "1")).toBeDefined();
    expect(check({ $schema, ...rules }, "2")).toBeUndefined();
  });

  test("of a schema that is only true or false is accepted, or not", () => {
    expect(compileSchema("true").check("1")).toBeUndefined();
    expect(compileSchema("false").check("1")).toBe("False boolean schema.");
  });

  test("is told the reason in at most so many bytes, whole characters all of them", () => {
    const reason = check({ enum: new Array(2_000).fill("ä€😀") }, "1") ?? "";
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(LIMITS.schemaViolationBytesMax);
    expect(Buffer.byteLength(reason)).toBeGreaterThan(LIMITS.schemaViolationBytesMax - 8);
    expect(reason).toMatch(/…$/);
    expect(reason.isWellFormed()).toBe(true);
  });
});

describe("a schema is refused when", () => {
  test.each<[string, unknown, RegExp]>([
    ["it is no schema", 5, /neither an object/],
    ["it is a list", [], /neither an object/],
    ["its draft is unknown", { $schema: "http://json-schema.org/draft-06/schema#" }, /draft/],
    ["it refers to another document", { $ref: "https://example.com/a" }, /not in the document/],
    ["a reference leads nowhere", { items: { $ref: "#/$defs/a" } }, /"#\/\$defs\/a"/],
    ["it refers to itself", { $ref: "#" }, /itself/],
    [
      "it refers to itself on a way round",
      { $defs: { a: { not: { $ref: "#/$defs/b" } }, b: { anyOf: [{ $ref: "#/$defs/a" }] } } },
      /itself/,
    ],
    [
      "it refers to itself for a property that no probe has",
      { properties: { deep: { allOf: [{ $ref: "#/properties/deep" }] } } },
      /itself/,
    ],
    [
      "it refers to itself by the reference of draft 2019-09",
      { $schema: "https://json-schema.org/draft/2019-09/schema", not: { $recursiveRef: "#" } },
      /itself/,
    ],
    ["it uses dynamic references", { $dynamicRef: "#a" }, /\$dynamicRef is not supported/],
    ["an $id is there twice", { $defs: { a: { $id: "x" }, b: { $id: "x" } } }, /twice/],
    ["a keyword is of the wrong type", { required: 5 }, /\/required must be a list of texts/],
    ["a list of schemas is none", { anyOf: {} }, /\/anyOf must be a list/],
    ["a property is no schema", { properties: { a: 5 } }, /\/properties\/a must be a schema/],
    ["a type is unknown", { type: "strng" }, /\/type is not a type/],
    ["a format is no name", { format: "__proto__" }, /\/format/],
    ["a format cannot be bounded", { format: "url" }, /use "uri"/],
    ["a pattern is no expression", { pattern: "(" }, /\/pattern has a pattern that is not/],
    ["a pattern of names is none", { patternProperties: { "[": {} } }, /patternProperties/],
    ["a pattern can take for ever", { pattern: "(a+)+b" }, /several ways/],
    ["a pattern is too long", { pattern: "a".repeat(513) }, /longer than 512/],
    ["it has too many parts", { allOf: new Array(5_001).fill({}) }, /more than 5000/],
    ["it is too large", { title: "a".repeat(LIMITS.schemaBytesMax) }, /larger than 65536/],
    ["it uses a name of the library's", { __absolute_ref__: "#" }, /not free/],
  ])("%s", (_why, schema, words) => {
    expect(refusalOf(JSON.stringify(schema))).toMatch(words);
  });

  test("it is not JSON", () => {
    expect(refusalOf("{")).toMatch(/not JSON/);
  });

  test("it is nested too deeply", () => {
    const nested = (levels: number) => `${'{"not":'.repeat(levels)}{}${"}".repeat(levels)}`;
    expect(compileSchema(nested(63)).check("1")).toBeDefined();
    expect(refusalOf(nested(64))).toMatch(/deeper than 64/);
    expect(refusalOf(nested(5_000))).toMatch(/deeper than 64/);
  });

  test("too many $id are within one another: each doubles the work", () => {
    let schema: object = { $id: "last" };
    for (let level = 0; level < 30; level += 1) schema = { $id: `l${level}`, not: schema };
    expect(refusalOf(JSON.stringify(schema))).toMatch(/\$id/);
  });
});

describe("a check comes to an end", () => {
  /** Each level applies the next one twice. */
  function doubling(levels: number, rest: object) {
    const $defs: Record<string, object> = { [`d${levels}`]: {} };
    for (let level = 0; level < levels; level += 1) {
      const $ref = `#/$defs/d${level + 1}`;
      $defs[`d${level}`] = { allOf: [{ $ref }, { $ref }] };
    }
    return { $defs, ...rest };
  }

  test("when a schema doubles the work with every level", () => {
    const bomb = doubling(60, { properties: { a: { $ref: "#/$defs/d0" } } });
    expect(refusalOf(JSON.stringify(bomb))).toMatch(/too many schemas/);
    const hidden = doubling(60, { properties: { b: { $ref: "#/$defs/d0" } } });
    expect(check(hidden, '{"b":1}')).toMatch(/more than 100000 steps/);
    expect(check(hidden, '{"c":1}')).toBeUndefined();
  });

  test("when a text doubles the work with every level", () => {
    const schema = { properties: { b: { allOf: [{ $ref: "#" }, { $ref: "#" }] } } };
    expect(check(schema, nestedText(90))).toMatch(/more than 100000 steps/);
    expect(check(schema, nestedText(5))).toBeUndefined();
  });

  test("when a text is nested more deeply than anybody reads", () => {
    const tree = { properties: { b: { $ref: "#" } } };
    expect(check(tree, nestedText(100))).toBeUndefined();
    expect(check(tree, nestedText(101))).toMatch(/deeper than 100/);
    expect(check(true, "[".repeat(20_000) + "]".repeat(20_000))).toMatch(/deeper than 100/);
  });

  test("when the reason would be long for each of many items", () => {
    const values = Array.from({ length: 5_000 }, (_, n) => `value ${n}`);
    expect(
      check({ contains: { enum: values } }, JSON.stringify(new Array(30_000).fill(0))),
    ).toMatch(/steps/);
  });

  test("when many items are compared with each other", () => {
    const items = Array.from({ length: 1_001 }, (_, n) => ({ n }));
    expect(check({ uniqueItems: true }, JSON.stringify(items))).toMatch(/more than 1000 items/);
    expect(check({ uniqueItems: true }, JSON.stringify(items.slice(1)))).toBeUndefined();
  });

  test("when a long text meets a pattern that looks back", () => {
    const schema = { pattern: "^a*a*b" };
    expect(check(schema, JSON.stringify(`${"a".repeat(1_000)}b`))).toBeUndefined();
    expect(check(schema, JSON.stringify("a".repeat(50_000)))).toMatch(/too long for the patterns/);
  });

  test("when names in the text cannot be shown", () => {
    expect(check({ additionalProperties: false }, '{"\\ud800":1}')).toMatch(/well-formed/);
    expect(check(true, JSON.stringify({ ["a".repeat(1_025)]: 1 }))).toMatch(/longer than 1024/);
  });

  test("and the same text gets the same answer, whatever was checked before", () => {
    const { check: again } = compileSchema(JSON.stringify({ items: { type: "number" } }));
    const long = JSON.stringify(new Array(30_000).fill(1));
    for (let n = 0; n < 10; n += 1) expect(again(long)).toBeUndefined();
  });
});

describe("a pattern", () => {
  test.each([
    ["^ab$", 0],
    ["ab", 1],
    ["^[A-Z]{2}\\d+$", 1],
    ["^(\\d{1,3}\\.){3}\\d{1,3}$", 0],
    ["^[a-z]+(-[a-z]+)*$", 2],
    ["^\\w+( \\w+)*$", 2],
    ["^([a-z]+,)*$", 1],
    ["^\\p{L}+$", 1],
    ["^a*a*a*$", 3],
    ["^a|b*", 2],
  ])("%s looks back to the power of %i at most", (pattern, order) => {
    expect(readPattern(pattern).order).toBe(order);
  });

  test.each([
    ["(a+)+b"],
    ["(a|a)*b"],
    ["(a?a?)*b"],
    ["(.*)*"],
    ["((a)*)*"],
    ["(x+x+)+y"],
    ["([a-z]+-?)*x"],
    // Divided by a character, but each part can still match in several ways.
    ["(-a?a?)*b"],
    // What divides is also matched by the rest.
    ["(-[^a]*)*b"],
    ["(\\W\\w+)*"],
    ["a{1,70000}b{1,70000}"],
    ["(?:a{1000}){1000}"],
    ["(a)\\1"],
    ["(?<n>a)\\k<n>"],
    ["["],
    ["\\Z"],
  ])("%s is refused", (pattern) => {
    expect(() => readPattern(pattern)).toThrow();
  });

  test("takes as many steps as its worst text, and never less than the text is long", () => {
    expect(patternSteps(readPattern("^a$"), 100)).toBe(100);
    expect(patternSteps(readPattern("^a*$"), 100)).toBe(100);
    expect(patternSteps(readPattern("^a*a*$"), 100)).toBe(5_000);
    expect(patternSteps(readPattern("^(a?b?){2}$"), 10)).toBe(16);
  });
});

function check(schema: unknown, text: string): string | undefined {
  return compileSchema(JSON.stringify(schema)).check(text);
}

function refusalOf(text: string): string {
  try {
    compileSchema(text);
  } catch (error) {
    if (error instanceof HubError && error.code === "invalid-argument") return error.message;
    throw error;
  }
  return expect.unreachable("the schema was taken");
}

function nestedText(levels: number): string {
  return `${'{"b":'.repeat(levels)}1${"}".repeat(levels)}`;
}
