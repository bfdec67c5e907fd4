/** Random messages of any type, from its descriptor. */
import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect, reflectList, reflectMap } from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";

interface ArbitraryMessageOptions {
  /** How many messages deep a message is filled in: recursive types have no end of their own. */
  readonly depthMax: number;
  /** Fields that are never set. */
  readonly omit: (field: DescField) => boolean;
}

/**
 * Messages of a type, in which every field may be absent, present with its default, or anything
 * else that is valid. Numbers of enums need not have a name, since a newer peer may send such.
 */
export function arbitraryMessage(
  desc: DescMessage,
  options: ArbitraryMessageOptions,
): fc.Arbitrary<Message> {
  const scope: Scope = { omit: options.omit, built: new Map() };
  return messageAtDepth(desc, options.depthMax, scope).map(({ message }) => message);
}

interface Scope {
  readonly omit: (field: DescField) => boolean;
  /**
   * Arbitraries by type and depth. Each is built once: unfolded as a tree they would be too many.
   */
  readonly built: Map<string, fc.Arbitrary<ReflectMessage>>;
}

interface FieldSetting {
  readonly field: DescField;
  readonly value: unknown;
}

function messageAtDepth(
  desc: DescMessage,
  depth: number,
  scope: Scope,
): fc.Arbitrary<ReflectMessage> {
  if (desc.typeName === TimestampSchema.typeName) {
    return arbitraryTimestamp;
  }
  if (desc.typeName === DurationSchema.typeName) {
    return arbitraryDuration;
  }
  const key = `${desc.typeName} ${depth}`;
  const arbitrary = scope.built.get(key) ?? buildMessage(desc, depth, scope);
  scope.built.set(key, arbitrary);
  return arbitrary;
}

function buildMessage(
  desc: DescMessage,
  depth: number,
  scope: Scope,
): fc.Arbitrary<ReflectMessage> {
  const members = desc.members.map((member) => arbitraryMember(member, depth, scope));
  return fc.tuple(...members).map((settings) => {
    const message = reflect(desc);
    for (const setting of settings) {
      if (setting !== undefined) {
        message.set(setting.field, setting.value);
      }
    }
    return message;
  });
}

/** A field, or one field of a oneof, with a value; undefined leaves it out. */
function arbitraryMember(
  member: DescField | DescOneof,
  depth: number,
  scope: Scope,
): fc.Arbitrary<FieldSetting | undefined> {
  const settings = (member.kind === "oneof" ? member.fields : [member])
    .filter((field) => !scope.omit(field) && (depth > 0 || !isNesting(field)))
    .map((field) => arbitraryValue(field, depth, scope).map((value) => ({ field, value })));
  return settings.length === 0
    ? fc.constant(undefined)
    : fc.option(fc.oneof(...settings), { nil: undefined });
}

/**
 * Whether the field holds messages that hold messages in turn. A wrapper or a timestamp does not.
 */
function isNesting(field: DescField): boolean {
  return field.message?.fields.some((inner) => inner.message !== undefined) ?? false;
}

function arbitraryValue(field: DescField, depth: number, scope: Scope): fc.Arbitrary<unknown> {
  const item = arbitraryItem(field, depth, scope);
  switch (field.fieldKind) {
    case "list":
      return fc.array(item, { maxLength: 3 }).map((items) => {
        const list = reflectList(field);
        for (const value of items) {
          list.add(value);
        }
        return list;
      });
    case "map":
      return fc.array(fc.tuple(arbitraryMapKey, item), { maxLength: 3 }).map((entries) => {
        const map = reflectMap(field);
        for (const [key, value] of entries) {
          map.set(key, value);
        }
        return map;
      });
    default:
      return item;
  }
}

function arbitraryItem(field: DescField, depth: number, scope: Scope): fc.Arbitrary<unknown> {
  if (field.message !== undefined) {
    return messageAtDepth(field.message, depth - 1, scope);
  }
  if (field.enum !== undefined) {
    const named = field.enum.values.map((value) => value.number);
    return fc.oneof(fc.constantFrom(...named), fc.integer());
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return arbitraryText;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat({ max: 2 ** 32 - 1 });
    case ScalarType.INT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 200 });
    case ScalarType.DOUBLE:
      // NaN is left out because it is not equal to itself.
      return fc.double({ noNaN: true });
    default:
      throw new Error(`no values for ${field}: add its scalar type here`);
  }
}

/** Any Unicode text. Lone surrogates are left out: a protobuf string cannot hold them. */
const arbitraryText = fc.string({ unit: "binary", maxLength: 20 });

/** Without the one key that google-protobuf loses, because it keeps maps in plain objects. */
const arbitraryMapKey = arbitraryText.filter((key) => key !== "__proto__");

/** From 0001-01-01 to 9999-12-31, the range that a Timestamp may hold. */
const arbitraryTimestamp = fc
  .record({
    seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    nanos: fc.nat(999_999_999),
  })
  .map((init) => reflect(TimestampSchema, create(TimestampSchema, init)));

/** Up to 10,000 years in either direction; seconds and nanoseconds have the same sign. */
const arbitraryDuration = fc
  .record({
    seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }),
    nanos: fc.nat(999_999_999),
    isNegative: fc.boolean(),
  })
  .map(({ seconds, nanos, isNegative }) =>
    // Subtracted from zero, since a negated zero would be -0.
    isNegative ? { seconds: 0n - seconds, nanos: 0 - nanos } : { seconds, nanos },
  )
  .map((init) => reflect(DurationSchema, create(DurationSchema, init)));
