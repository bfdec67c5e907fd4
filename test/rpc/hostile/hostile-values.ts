/** What a hostile, careless or merely unusual client may put into one field, and what must come of it. */
import type { DescField } from "@bufbuild/protobuf";
import { broken, type Expected, either, type HostileCase, taken } from "./hostile-case.ts";
import { texts } from "./hostile-texts.ts";
import { isWrapped, type RequestField, valueKindOf } from "./request-fields.ts";
import type { TextRule } from "./text-rules.ts";
import {
  doubleField,
  I32,
  I64,
  LEN,
  lengthDelimited,
  nested,
  tag,
  VARINT,
  varint,
  varintField,
} from "./wire.ts";

/** What the tables say of a field. Undefined: what is usual. */
export interface FieldRules {
  readonly text: TextRule | undefined;
  readonly key: TextRule | undefined;
  /** Numbers below zero, unknown enum values, impossible times and spans. */
  readonly takesAnyValue: boolean;
  /** Numbers above all reason. */
  readonly takesHuge: boolean;
  /** 100,001 elements. */
  readonly manyElements: Expected;
  /** What an element of a list on the way to the field needs besides. */
  readonly elementBase: (list: DescField) => Uint8Array;
}

/** All cases of one field. */
export function casesOf(at: RequestField, rules: FieldRules): HostileCase[] {
  // What nobody looks at is only decoded, and that one field is as good as another.
  const bytes = rules.text?.isOpaque ? malformed(at.field).slice(0, 5) : malformed(at.field);
  return [...inPlace(at, bytes, rules), ...valuesOf(at, rules)];
}

/** Those that every decoder takes. */
export function valuesOf(at: RequestField, rules: FieldRules): HostileCase[] {
  const { field } = at;
  return inPlace(at, [...values(field, rules), ...many(at, rules)], rules);
}

function inPlace(
  { path }: RequestField,
  cases: readonly HostileCase[],
  { elementBase }: FieldRules,
): HostileCase[] {
  return cases.map((each) => ({ ...each, bytes: nested(path, each.bytes, elementBase) }));
}

/** Bytes that are no field of any message, or not the field that they should be. */
function malformed(field: DescField): HostileCase[] {
  const { number } = field;
  // The decoder reads a field as what it should be, whatever its bytes say.
  const isVarint = field.fieldKind === "enum" || field.scalar === 8 || (field.scalar ?? 9) % 9 > 1;
  const asLength = isVarint && field.fieldKind !== "list" ? either : broken;
  return [
    broken("nothing behind the tag", tag(number, LEN)),
    asLength("a length beyond the end", Buffer.concat([tag(number, LEN), varint(1_000)])),
    asLength("a length of 4 GiB", Buffer.concat([tag(number, LEN), varint(0xffff_ffff)])),
    broken("a varint without end", Buffer.concat([tag(number, VARINT), Buffer.alloc(11, 0xff)])),
    broken("the end of a group", tag(number, 4)),
    broken("wire type 6", tag(number, 6)),
    broken("wire type 7", tag(number, 7)),
    broken("field number 0", Buffer.from([0, 0])),
    broken("half a tag", Buffer.from([0x80])),
    either("a varint", varintField(number, 1)),
    either("eight bytes", Buffer.concat([tag(number, I64), Buffer.alloc(8, 0x41)])),
    either("four bytes", Buffer.concat([tag(number, I32), Buffer.alloc(4, 0x41)])),
    either("a text where a number is due", lengthDelimited(number, Buffer.from("AAAA"))),
    either("a group", Buffer.concat([tag(number, 3), tag(number, 4)])),
    {
      ...either(
        "a field that nobody knows",
        lengthDelimited(536_870_911, Buffer.alloc(1_000, 0xff)),
      ),
      isElsewhere: true,
    },
    broken("groups in groups without end", endlessGroups),
  ];
}

function unknownGroups(depth: number): Buffer {
  const open = Array.from({ length: depth }, () => tag(19_999, 3));
  const close = Array.from({ length: depth }, () => tag(19_999, 4));
  return Buffer.concat([...open, ...close]);
}

const endlessGroups = unknownGroups(1_000);

function values(field: DescField, rules: FieldRules): HostileCase[] {
  if (field.fieldKind === "map") {
    const key = (text: Uint8Array) => lengthDelimited(field.number, lengthDelimited(1, text));
    const value = (text: Uint8Array) =>
      lengthDelimited(
        field.number,
        Buffer.concat([lengthDelimited(1, Buffer.from("k")), lengthDelimited(2, text)]),
      );
    const ofKeys = texts(key, rules.key, "as a key");
    const hasText = field.mapKind === "scalar";
    return hasText ? [...ofKeys, ...texts(value, rules.text, "as a value")] : ofKeys;
  }
  const { number } = field;
  const wrap = (bytes: Buffer) => (isWrapped(field) ? lengthDelimited(number, bytes) : bytes);
  const own = isWrapped(field) ? 1 : number;
  const oddly: Expected = rules.takesAnyValue ? "taken" : "refused";
  switch (valueKindOf(field)) {
    case "text":
      return texts((text) => wrap(lengthDelimited(own, text)), rules.text);
    case "bytes":
      return [0, 1, 100_000].map((count) =>
        either(`${count} bytes of noise`, lengthDelimited(number, Buffer.alloc(count, 0xd9))),
      );
    case "integer":
      return [
        { what: "-1", bytes: wrap(varintField(own, -1)), expected: signed(field, rules) },
        {
          what: "-2^31",
          bytes: wrap(varintField(own, -(2 ** 31))),
          expected: signed(field, rules),
        },
        {
          what: "2^31 - 1",
          bytes: wrap(varintField(own, 2 ** 31 - 1)),
          expected: rules.takesHuge ? "taken" : "refused",
        },
        either("2^63", wrap(varintField(own, 2n ** 63n))),
      ];
    case "number":
      return [NaN, Infinity, -Infinity, -1, 1e308, 5e-324].map((value) => ({
        what: String(value),
        bytes: doubleField(number, value),
        expected: (Number.isFinite(value) ? rules.takesHuge : rules.takesAnyValue)
          ? "taken"
          : "refused",
      }));
    case "boolean":
      return [taken("2^64 - 1", wrap(varintField(own, 2n ** 64n - 1n)))];
    case "enum":
      return [99, -1, 2 ** 31 - 1, -(2 ** 31)].map((value) => ({
        what: `the unknown value ${value}`,
        bytes: varintField(number, value),
        expected: oddly,
      }));
    case "time":
      return pairs(number, impossibleTimes, oddly, "seconds");
    case "span":
      return pairs(number, impossibleSpans, oddly, "seconds");
    case "message":
      return [either("an empty message", lengthDelimited(number, Buffer.alloc(0)))];
  }
}

/** Below zero there is nothing in an unsigned number: it is huge. */
function signed({ scalar }: DescField, rules: FieldRules): Expected {
  const isUnsigned = scalar === 4 || scalar === 13;
  const takes = isUnsigned ? rules.takesHuge : rules.takesAnyValue;
  return takes ? "taken" : "refused";
}

type Pair = readonly [seconds: bigint, nanos: number];

const impossibleTimes: readonly Pair[] = [
  [253_402_300_800n, 0],
  [-62_135_596_801n, 0],
  [2n ** 63n - 1n, 0],
  [-(2n ** 63n), 0],
  [4_000_000_000n, -1],
  [4_000_000_000n, 1_000_000_000],
];

const impossibleSpans: readonly Pair[] = [
  [-1n, 0],
  [0n, -1],
  [2n ** 63n - 1n, 0],
  [-(2n ** 63n), 0],
  [1n, 1_000_000_000],
  [1n, -1],
];

function pairs(number: number, of: readonly Pair[], expected: Expected, unit: string) {
  return of.map(([seconds, nanos]) => ({
    what: `${seconds} ${unit} and ${nanos} ns`,
    // The other fields of the message may be there already: zeros are written too.
    bytes: lengthDelimited(number, Buffer.concat([varintField(1, seconds), varintField(2, nanos)])),
    expected,
  }));
}

const MANY = 100_001;

/** A field that may come often comes very often, and one that may contain itself does so without end. */
function many({ path, field }: RequestField, rules: FieldRules): HostileCase[] {
  const cases: HostileCase[] = [];
  if (field.fieldKind === "list" || field.fieldKind === "map") {
    const bytes = manyElementsOf(field);
    cases.push({ what: `${MANY} elements`, bytes, expected: rules.manyElements });
  }
  const loop = loopOf(field);
  if (loop !== undefined) {
    // Decoders stop at a depth of about 100, counted from the outside of what they are given.
    const nearly = Math.floor((99 - path.length) / loop.length);
    cases.push(either(`itself, ${nearly} deep`, inItself(loop, nearly)));
    cases.push(broken("itself, 120 deep", inItself(loop, 120)));
  }
  return cases;
}

function inItself(loop: readonly DescField[], depth: number): Buffer {
  let bytes: Buffer = Buffer.alloc(0);
  for (let at = 0; at < depth; at += 1) bytes = nested(loop, bytes);
  return bytes;
}

/** Empty messages, the same value of an enum, or texts and keys that all differ. */
function manyElementsOf(field: DescField): Buffer {
  const { number } = field;
  if (field.enum !== undefined) return repeated(varintField(number, 1));
  const isMessage = field.fieldKind === "list" && valueKindOf(field) === "message";
  if (isMessage) return repeated(lengthDelimited(number, Buffer.alloc(0)));
  const isNested = field.fieldKind === "map" || isWrapped(field);
  // Bytes as characters: one text for all is made much faster than so many buffers.
  const start = recordStarts(number);
  const innerStart = isNested ? recordStarts(1) : [];
  const elements = Array.from({ length: MANY }, (_, at) => {
    const text = `k${at}`;
    const value = (innerStart[text.length] ?? "") + text;
    return start[value.length] + value;
  });
  return Buffer.from(elements.join(""), "latin1");
}

function repeated(element: Buffer): Buffer {
  return Buffer.alloc(MANY * element.byteLength, element);
}

/** Tags and lengths of short records, by length. */
function recordStarts(number: number): string[] {
  return Array.from({ length: 16 }, (_, length) =>
    Buffer.concat([tag(number, LEN), varint(length)]).toString("latin1"),
  );
}

/** The shortest way from a field to the same field again; undefined when there is none. */
function loopOf(field: DescField): readonly DescField[] | undefined {
  const entered = new Set<string>();
  let ways: DescField[][] = [[field]];
  while (ways.length > 0) {
    const next: DescField[][] = [];
    for (const way of ways) {
      const message = way.at(-1)?.message;
      if (message === undefined || entered.has(message.typeName)) continue;
      entered.add(message.typeName);
      for (const each of message.fields) {
        if (each === field) return way;
        next.push([...way, each]);
      }
    }
    ways = next;
  }
  return undefined;
}
