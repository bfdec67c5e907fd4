/** Conditions on custom statuses: RFC 6901 pointers, comparisons, and hostile input. */
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileCondition, parseStatus } from "../../sidecar/scheduler/custom-status-condition.ts";
import {
  Comparison,
  CustomStatusConditionSchema,
} from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";

function matches(text: string, pointer: string, comparison: Comparison, value?: JsonValue) {
  return matchesValue(
    text,
    pointer,
    comparison,
    value === undefined ? undefined : fromJson(ValueSchema, value),
  );
}

function matchesValue(text: string, pointer: string, comparison: Comparison, value?: Value) {
  const given = value === undefined ? {} : { value };
  const test = compileCondition(
    create(CustomStatusConditionSchema, { pointer, comparison, ...given }),
  );
  const status = parseStatus(text);
  return status !== undefined && test(status);
}

const exists = (text: string, pointer: string) => matches(text, pointer, Comparison.EXISTS);

describe("a pointer", () => {
  // The document and the pointers of RFC 6901, section 5.
  const document = JSON.stringify({
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
  });

  it.each<[string, JsonValue]>([
    ["", JSON.parse(document)],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("%j leads to its value in the example of the RFC", (pointer, value) => {
    expect(matches(document, pointer, Comparison.EQUAL, value)).toBe(true);
  });

  it.each([
    ["[1,2]", "/2"],
    ["[1,2]", "/-"],
    ["[1,2]", "/01"],
    ["[1,2]", "/+1"],
    ["[1,2]", "/1.0"],
    ["[1,2]", "/1e0"],
    ["[1,2]", "/ 1"],
    ["[1,2]", "/length"],
    ["[1,2]", "/99999999999999999999"],
    ['"text"', "/0"],
    ['"text"', "/length"],
    ["null", "/a"],
    ["{}", "/toString"],
    ["{}", "/__proto__"],
    ["{}", "/constructor"],
    ['{"a":{}}', "/a/b/c"],
    ['{"a":1}', "/"],
  ])("into %s, %s leads nowhere", (text, pointer) => {
    expect(exists(text, pointer)).toBe(false);
    expect(matches(text, pointer, Comparison.NOT_EXISTS)).toBe(true);
  });

  it("takes any key as a name, also those that mean something to JavaScript", () => {
    expect(matches('{"__proto__":{"a":1}}', "/__proto__/a", Comparison.EQUAL, 1)).toBe(true);
    expect(exists('{"constructor":null}', "/constructor")).toBe(true);
    expect(exists('{"0":1}', "/0")).toBe(true);
  });

  it("decodes ~01 as ~1, and not as a slash", () => {
    expect(exists('{"~1":0}', "/~01")).toBe(true);
    expect(exists('{"/":0}', "/~01")).toBe(false);
  });

  it("finds every value of any document by the path that leads to it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        for (const [pointer, value] of allPaths(document, "")) {
          const text = JSON.stringify(document);
          expect(matches(text, pointer, Comparison.EQUAL, value as JsonValue)).toBe(true);
        }
      }),
    );
  });

  it.each(["a", "a/b", "/~", "/~2", "/a~", "#/a", `/${"x".repeat(1_024)}`])(
    "%j is refused",
    (pointer) => {
      expect(() => exists("{}", pointer)).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    },
  );
});

function* allPaths(value: unknown, at: string): Generator<[string, unknown]> {
  yield [at, value];
  if (typeof value !== "object" || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    yield* allPaths(child, `${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
  }
}

describe("a comparison", () => {
  const { LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL, EQUAL, NOT_EQUAL } = Comparison;

  it.each([
    [1, 2, [LESS, LESS_OR_EQUAL]],
    [2, 2, [LESS_OR_EQUAL, GREATER_OR_EQUAL]],
    [3, 2, [GREATER, GREATER_OR_EQUAL]],
    [-0, 0, [LESS_OR_EQUAL, GREATER_OR_EQUAL]],
    ["a", "b", [LESS, LESS_OR_EQUAL]],
    ["b", "b", [LESS_OR_EQUAL, GREATER_OR_EQUAL]],
    ["c", "b", [GREATER, GREATER_OR_EQUAL]],
    ["10", "9", [LESS, LESS_OR_EQUAL]],
    [1, "2", []],
    ["1", 2, []],
    [null, 2, []],
    [true, 0, []],
    [[1], 1, []],
  ] as const)("of %j with %j holds in its orders alone", (found, wanted, expected) => {
    const orders = [LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL] as const;
    const text = JSON.stringify({ a: found });
    expect(orders.filter((order) => matches(text, "/a", order, wanted))).toEqual(expected);
  });

  it("is never true of a value that is not there, but for NOT_EXISTS", () => {
    for (const each of [
      EQUAL,
      NOT_EQUAL,
      LESS,
      LESS_OR_EQUAL,
      GREATER,
      GREATER_OR_EQUAL,
    ] as const) {
      expect(matches("{}", "/a", each, 1)).toBe(false);
    }
    expect(matches("{}", "/a", Comparison.NOT_EXISTS)).toBe(true);
    expect(matches('{"a":null}', "/a", Comparison.NOT_EXISTS)).toBe(false);
  });

  it("is EXISTS when none is given", () => {
    expect(matches('{"a":null}', "/a", Comparison.UNSPECIFIED)).toBe(true);
    expect(matches("{}", "/a", Comparison.UNSPECIFIED)).toBe(false);
  });

  it("takes values as equal exactly when their JSON is, whatever the order of keys", () => {
    const canonical = (value: unknown): string =>
      JSON.stringify(value, (_, each: unknown) =>
        typeof each === "object" && each !== null && !Array.isArray(each)
          ? { object: Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)) }
          : each,
      );
    const reversed = (_: string, each: unknown) =>
      typeof each === "object" && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).toReversed())
        : each;
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.boolean(), (left, right, same) => {
        const other = same ? left : right;
        const isEqual = canonical(left) === canonical(other);
        const text = JSON.stringify(left, reversed);
        expect(matches(text, "", EQUAL, other as JsonValue)).toBe(isEqual);
        expect(matches(text, "", NOT_EQUAL, other as JsonValue)).toBe(!isEqual);
      }),
    );
  });

  it.each([
    ['{"a":1}', { a: 1, b: 2 }],
    ['{"a":1,"b":2}', { a: 1 }],
    ['{"a":1,"__proto__":{}}', { a: 1, b: {} }],
    ["[1,2]", [1]],
    ["[1]", [1, 2]],
    ["[]", {}],
    ["{}", []],
    ['{"0":1}', [1]],
    ["[1]", { "0": 1 }],
    ["null", {}],
    ["0", false],
    ['""', null],
  ] as const)("%s is not equal to %j", (text, value) => {
    expect(matches(text, "", EQUAL, value as JsonValue)).toBe(false);
    expect(matches(text, "", NOT_EQUAL, value as JsonValue)).toBe(true);
  });

  it.each([
    ["no value to be equal to", EQUAL, undefined],
    ["an empty value", EQUAL, create(ValueSchema)],
    ["no value to be less than", LESS, undefined],
    ["an order of truths", LESS, fromJson(ValueSchema, true)],
    ["an order of nothing", GREATER, fromJson(ValueSchema, null)],
    ["an order of lists", GREATER, fromJson(ValueSchema, [1])],
    ["no number", EQUAL, create(ValueSchema, { kind: { case: "numberValue", value: NaN } })],
    ["no comparison", 99 as Comparison, fromJson(ValueSchema, 1)],
    ["a value too deep", EQUAL, fromJson(ValueSchema, JSON.parse("[".repeat(80) + "]".repeat(80)))],
  ])("with %s is refused", (_, comparison, value) => {
    expect(() => matchesValue("{}", "", comparison, value)).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

describe("a custom status", () => {
  it.each(["", " ", "x", "{", "undefined", "NaN", "{'a':1}"])(
    "that is no JSON, %j, matches nothing",
    (text) => {
      expect(exists(text, "")).toBe(false);
      expect(matches(text, "/a", Comparison.NOT_EXISTS)).toBe(false);
    },
  );

  it("may be as deep and as wide as its size allows", () => {
    const depth = 32_000;
    const deep = "[".repeat(depth) + "]".repeat(depth);
    expect(exists(deep, "/0/0/0")).toBe(true);
    expect(matches(deep, "", Comparison.EQUAL, [[[]]])).toBe(false);
    expect(matches(deep, "", Comparison.EQUAL, [])).toBe(false);
    const wide = JSON.stringify(new Array(30_000).fill(0));
    expect(exists(wide, "/29999")).toBe(true);
    expect(matches(wide, "", Comparison.EQUAL, [0])).toBe(false);
  });
});
