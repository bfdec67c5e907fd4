/** The message classes inside the published JavaScript SDK, as far as our tests use them. */
import type { DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMap, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import publishedModule from "@microsoft/durabletask-js/dist/proto/orchestrator_service_pb.js";

interface PublishedMessage {
  serializeBinary(): Uint8Array;
  toObject(): object;
}

interface PublishedClass {
  new (): PublishedMessage;
  deserializeBinary(bytes: Uint8Array): PublishedMessage;
}

/** The class for a message type of ours, well-known types included. */
export function publishedClass(desc: DescMessage): PublishedClass {
  const value: unknown = Reflect.get(publishedModule, desc.name);
  if (!isPublishedClass(value)) {
    throw new Error(`the published module has no class ${desc.name}`);
  }
  return value;
}

/** Names of all message classes in the published module, well-known types included. */
export function publishedClassNames(): string[] {
  return Object.entries(publishedModule)
    .filter(([, value]) => isPublishedClass(value))
    .map(([name]) => name);
}

/** The published enum of this name: its numbers by name. */
export function publishedEnum(name: string): unknown {
  return Reflect.get(publishedModule, name);
}

/** The cases of a oneof in the published class: their numbers by name, and 0 for "not set". */
export function publishedCases(oneof: DescOneof): unknown {
  return Reflect.get(publishedClass(oneof.parent), `${capitalized(oneof.name.toLowerCase())}Case`);
}

/** A message with the content of ours, built with the setters of the published class. */
export function publishedMessage(ours: ReflectMessage): PublishedMessage {
  const theirs = new (publishedClass(ours.desc))();
  for (const field of ours.fields.filter((candidate) => ours.isSet(candidate))) {
    if (field.fieldKind === "map") {
      // Maps have no setter; the getter returns the live map.
      const map = callByName(theirs, accessorName("get", field), []);
      for (const [key, item] of ours.get(field)) {
        callByName(map, "set", [key, publishedValue(item)]);
      }
    } else if (field.fieldKind === "list") {
      const items = Array.from(ours.get(field), publishedValue);
      callByName(theirs, accessorName("set", field), [items]);
    } else {
      callByName(theirs, accessorName("set", field), [publishedValue(ours.get(field))]);
    }
  }
  return theirs;
}

/** What a field of the published class holds: one value, the items of a list or those of a map. */
export function publishedItems(theirs: PublishedMessage, field: DescField): unknown[] {
  const value = callByName(theirs, accessorName("get", field), []);
  if (field.fieldKind === "map") {
    const items: unknown[] = [];
    callByName(value, "forEach", [(item: unknown) => items.push(item)]);
    return items;
  }
  return Array.isArray(value) ? value : [value];
}

/**
 * What `toObject()` of the published class answers for a message with the content of ours. Every
 * field has its key, also when it is not set.
 */
export function publishedObject(
  ours: ReflectMessage,
  omit: (field: DescField) => boolean,
): Readonly<Record<string, unknown>> {
  const plain = (value: unknown) =>
    isReflectMessage(value) ? publishedObject(value, omit) : publishedScalar(value);
  const entries = ours.fields
    .filter((field) => !omit(field))
    .map((field) => {
      const name = publishedName(field);
      switch (field.fieldKind) {
        case "list":
          return [name, Array.from(ours.get(field), plain)];
        case "map":
          return [name, sortedEntries(ours.get(field)).map(([key, item]) => [key, plain(item)])];
        default:
          return [
            name,
            hasDefault(field) || ours.isSet(field) ? plain(ours.get(field)) : undefined,
          ];
      }
    });
  return Object.fromEntries(entries);
}

/** Whether a field that is not set reads as a default value rather than as undefined. */
function hasDefault(field: DescField): boolean {
  // The well-known classes come from a newer generator, which leaves the other cases of a oneof
  // out.
  const isLeftOut = field.oneof !== undefined && field.parent.typeName.startsWith("google.");
  return field.message === undefined && !isLeftOut;
}

/** The classes list map entries in the order of their keys. All our maps have keys of text. */
function sortedEntries(map: ReflectMap): [string, unknown][] {
  return Array.from(map, ([key, item]): [string, unknown] => [String(key), item]).sort(
    ([a], [b]) => (a < b ? -1 : 1),
  );
}

function isPublishedClass(value: unknown): value is PublishedClass {
  return typeof value === "function" && "deserializeBinary" in value;
}

/**
 * The classes have names in lower case, join words at underscores, and append the kind of field.
 */
function publishedName(field: DescField): string {
  const name = field.name
    .toLowerCase()
    .replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  switch (field.fieldKind) {
    case "list":
      return `${name}List`;
    case "map":
      return `${name}Map`;
    default:
      return name;
  }
}

function accessorName(prefix: "get" | "set", field: DescField): string {
  return prefix + capitalized(publishedName(field));
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function publishedValue(value: unknown): unknown {
  return isReflectMessage(value) ? publishedMessage(value) : publishedScalar(value);
}

/** The classes hold 64-bit numbers as doubles, which are exact for all seconds of a timestamp. */
function publishedScalar(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function callByName(target: unknown, name: string, args: readonly unknown[]): unknown {
  const method: unknown = target instanceof Object ? Reflect.get(target, name) : undefined;
  if (typeof method !== "function") {
    throw new Error(`the published class has no method ${name}`);
  }
  return Reflect.apply(method, target, args);
}
