/** Which instances a command is about: ids, or a filter with a preview and a question. */
import { toJson } from "@bufbuild/protobuf";
import {
  type Instance,
  type InstanceFilter,
  InstanceSchema,
} from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { ClientContext } from "./context.ts";
import { type FilterFlags, hasFilter } from "./filter.ts";
import { instanceColumns } from "./instance-columns.ts";
import { errorStyle, Listing } from "./output.ts";
import { instancePages, parseLimit } from "./query.ts";
import { TableWriter } from "./table.ts";
import { plural } from "./words.ts";

export interface SelectionFlags extends FilterFlags {
  readonly heldBy?: string;
  readonly limit?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What is asked before something is done to all that a filter finds. */
export interface SelectionOptions {
  /** The command: `suspend`. */
  readonly verb: string;
  /** Made from the same flags, narrowed to what the command can do something to. */
  readonly filter: InstanceFilter;
  /** What no filter can say and the command can only do something to: absent means all. */
  readonly only?: (instance: Instance) => boolean;
  /** Filters that are not among `FilterFlags`: by the name of a hold. */
  readonly filteredByHold: boolean;
}

const previewRows = 10;

/**
 * The ids as given, or those that the filter finds once somebody has agreed; undefined when there
 * is nothing to do any more: a dry run, or nothing was found.
 *
 * @throws ExitError 64 for flags that do not go together; 1 when the answer was no
 */
export async function selectedIds(
  context: ClientContext,
  operands: readonly string[],
  flags: SelectionFlags,
  options: SelectionOptions,
): Promise<readonly string[] | undefined> {
  const { verb } = options;
  const filtered = hasFilter(flags) || options.filteredByHold;
  const bulk = filtered || flags.all === true;
  const bulkOnly = flags.dryRun === true || flags.limit !== undefined;
  if (operands.length > 0) {
    if (!bulk && !bulkOnly) return [...new Set(operands)];
    throw new ExitError(EXIT.usage, "instance ids and a filter do not go together");
  }
  if (!bulk) {
    throw new ExitError(
      EXIT.usage,
      `which instances? Give ids, or a filter such as --name or --prefix, or --all; ` +
        `see taskhub ${verb} --help`,
    );
  }
  const { ask } = context.surroundings.terminal;
  const confirmed = flags.yes === true || flags.dryRun === true;
  if (!confirmed && ask === undefined) {
    throw new ExitError(EXIT.usage, "without a terminal to ask at, --yes is needed");
  }
  const limit = parseLimit(flags.limit);
  if (flags.dryRun === true) {
    await showAll(context, options, limit);
    return undefined;
  }
  const found: Instance[] = [];
  for await (const page of matchingPages(context, options, limit)) found.push(...page);
  if (found.length === 0) {
    showNothing(context, verb);
    return undefined;
  }
  if (!confirmed && ask !== undefined) await confirm(context, ask, verb, found);
  return found.map(({ instanceId }) => instanceId);
}

async function* matchingPages(
  context: ClientContext,
  { filter, only = () => true }: SelectionOptions,
  limit = Infinity,
): AsyncGenerator<readonly Instance[]> {
  let left = limit;
  for await (const page of instancePages(context, filter)) {
    const matching = page.filter(only).slice(0, left);
    left -= matching.length;
    yield matching;
    if (left === 0) return;
  }
}

async function showAll(
  context: ClientContext,
  options: SelectionOptions,
  limit: number | undefined,
): Promise<void> {
  const listing = new Listing<Instance>(context, {
    json: (instance) => toJson(InstanceSchema, instance),
    columns: instanceColumns,
  });
  let found = 0;
  for await (const page of matchingPages(context, options, limit)) {
    for (const instance of page) listing.add(instance);
    listing.flush();
    found += page.length;
  }
  listing.end();
  if (context.config.output !== "table") return;
  context.surroundings.out(
    `\nwould ${options.verb} ${plural(found, "instance")}; nothing was changed\n`,
  );
}

function showNothing({ config, surroundings: { out } }: ClientContext, verb: string): void {
  if (config.output === "table") out(`nothing to ${verb}: no instance is like that\n`);
  if (config.output === "json") out("[]\n");
}

async function confirm(
  context: ClientContext,
  ask: (question: string, signal: AbortSignal) => Promise<string>,
  verb: string,
  found: readonly Instance[],
): Promise<void> {
  const { err } = context.surroundings;
  const preview = found.slice(0, previewRows);
  err(new TableWriter(instanceColumns).lines(preview, errorStyle(context)));
  if (found.length > preview.length) err(`… and ${found.length - preview.length} more\n`);
  const verbAtStart = verb.charAt(0).toUpperCase() + verb.slice(1);
  const question = `${verbAtStart} ${plural(found.length, "instance")}? [y/N] `;
  const answer = await ask(question, context.quick.signal ?? new AbortController().signal);
  if (/^\s*y(es)?\s*$/i.test(answer)) return;
  throw new ExitError(EXIT.failure, "not confirmed; nothing was changed");
}
