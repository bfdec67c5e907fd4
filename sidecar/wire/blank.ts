/**
 * Empty messages, as `create` makes them: what a kind of message begins with is found out once. For the
 * few kinds that are made again and again.
 */
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

/** What all empty messages of a kind share, and the names of what each needs for itself. */
interface Template {
  readonly message: Readonly<Record<string, unknown>>;
  readonly lists: readonly string[];
  readonly maps: readonly string[];
  readonly oneofs: readonly string[];
}

const templates = new WeakMap<DescMessage, Template>();

export function blank<Schema extends DescMessage>(schema: Schema): MessageShape<Schema> {
  const { message, lists, maps, oneofs } = templateOf(schema);
  const copy: Record<string, unknown> = { ...message };
  for (let index = 0; index < lists.length; index += 1) copy[lists[index] as string] = [];
  for (let index = 0; index < maps.length; index += 1) copy[maps[index] as string] = {};
  for (let index = 0; index < oneofs.length; index += 1) {
    copy[oneofs[index] as string] = { case: undefined };
  }
  return copy as unknown as MessageShape<Schema>;
}

function templateOf(schema: DescMessage): Template {
  const known = templates.get(schema);
  if (known !== undefined) return known;
  const namesOf = (kind: string) =>
    schema.fields.filter(({ fieldKind }) => fieldKind === kind).map(({ localName }) => localName);
  const template: Template = {
    message: { ...create(schema) },
    lists: namesOf("list"),
    maps: namesOf("map"),
    oneofs: schema.oneofs.map(({ localName }) => localName),
  };
  templates.set(schema, template);
  return template;
}
