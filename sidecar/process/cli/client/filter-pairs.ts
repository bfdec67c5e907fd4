/** `--filter name=order`: the flags of a filter, by their names. */
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { FilterFlags } from "./filter.ts";

/** Flags with a text of their own; given twice, the second one would be lost. */
const single = {
  prefix: "prefix",
  parent: "parent",
  "created-after": "createdAfter",
  "created-before": "createdBefore",
  "completed-after": "completedAfter",
  "completed-before": "completedBefore",
  "held-longer-than": "heldLongerThan",
  hold: "holdName",
} as const;

/** Flags that may be given any number of times. */
const lists = ["status", "name", "version", "tag", "where"] as const;

type ListKey = (typeof lists)[number];
type Texts = { -readonly [Key in ListKey]?: string[] } & {
  -readonly [Key in Exclude<(typeof single)[keyof typeof single], "holdName">]?: string;
};

/** The flags with what `--filter` says in their places, and the name of a hold, if it says one. */
export interface ExpandedFilter {
  readonly flags: FilterFlags;
  readonly holdName: string | undefined;
}

/** @throws ExitError 64 */
export function expandFilter({ filter = [], ...flags }: FilterFlags): ExpandedFilter {
  const texts: Texts = {};
  let holdName: string | undefined;
  for (const pair of filter) {
    const { key, value } = split(pair);
    const list = lists.find((name) => name === key);
    if (list !== undefined) {
      texts[list] = [...(texts[list] ?? flags[list] ?? []), value];
      continue;
    }
    const name = Object.hasOwn(single, key) ? single[key as keyof typeof single] : undefined;
    if (name === undefined) {
      const known = [...lists, ...Object.keys(single)].join(", ");
      throw new ExitError(EXIT.usage, `--filter: ${JSON.stringify(key)} is not one of: ${known}`);
    }
    if (name === "holdName") holdName = once(key, holdName, value);
    else texts[name] = once(key, texts[name] ?? flags[name], value);
  }
  return { flags: { ...flags, ...texts }, holdName };
}

function split(pair: string): { readonly key: string; readonly value: string } {
  const at = pair.indexOf("=");
  if (at > 0) return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  throw new ExitError(EXIT.usage, `--filter: ${JSON.stringify(pair)} is not key=value`);
}

function once(key: string, before: string | undefined, value: string): string {
  if (before === undefined) return value;
  throw new ExitError(EXIT.usage, `--filter: ${key} is there twice`);
}
