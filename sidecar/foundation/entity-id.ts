/** The text form of an entity id: `@name@key`. Names are compared in lower case, keys as they are. */

export interface EntityId {
  /** In lower case. */
  readonly name: string;
  readonly key: string;
}

const FORM = /^@([^@]+)@(.*)$/s;

/** Ids of this form are never those of orchestrations; others, such as `@counter`, may be. */
export function isEntityId(instanceId: string): boolean {
  return FORM.test(instanceId);
}

export function parseEntityId(text: string): EntityId | undefined {
  const [, name, key] = FORM.exec(text) ?? [];
  if (name === undefined || key === undefined) return undefined;
  return { name: name.toLowerCase(), key };
}

export function formatEntityId({ name, key }: EntityId): string {
  return `@${name}@${key}`;
}

/** The one spelling under which an entity is stored; undefined when it is no entity id. */
export function normalEntityId(text: string): string | undefined {
  const id = parseEntityId(text);
  return id && formatEntityId(id);
}
