/** From flags to a filter over instances. */
import { create } from "@bufbuild/protobuf";
import {
  type InstanceFilter,
  InstanceFilterSchema,
  type InstanceStatus,
  InstanceStatusSchema,
} from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { present } from "../../../wire/history-event.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { parseCondition } from "./conditions.ts";
import { expandFilter } from "./filter-pairs.ts";
import { parseDuration, parseTimeAgo } from "./times.ts";
import { commaSeparated, parseEnum } from "./words.ts";

/** As written on the command line. */
export interface FilterFlags {
  readonly status?: readonly string[];
  readonly name?: readonly string[];
  readonly version?: readonly string[];
  readonly tag?: readonly string[];
  readonly prefix?: string;
  readonly parent?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  readonly completedAfter?: string;
  readonly completedBefore?: string;
  readonly held?: boolean;
  readonly heldLongerThan?: string;
  readonly where?: readonly string[];
  /** Any of these, as `key=value`. */
  readonly filter?: readonly string[];
}

const filterKeys = [
  "status",
  "name",
  "version",
  "tag",
  "prefix",
  "parent",
  "createdAfter",
  "createdBefore",
  "completedAfter",
  "completedBefore",
  "held",
  "heldLongerThan",
  "where",
  "filter",
] as const satisfies readonly (keyof FilterFlags)[];

/** Whether any of these flags was given. */
export function hasFilter(flags: FilterFlags): boolean {
  return filterKeys.some((key) => flags[key] !== undefined);
}

/**
 * @param holdFlag the filter by the name of a hold, whose flag differs from command to command
 * @throws ExitError 64
 */
export function parseFilter(
  given: FilterFlags,
  holdFlag: string | undefined,
  nowMs: number,
): InstanceFilter {
  const { flags, holdName = holdFlag } = expandFilter(given);
  const time = (text: string | undefined, flag: string) =>
    text === undefined ? undefined : parseTimeAgo(text, flag, nowMs);
  const { prefix = "", parent = "", heldLongerThan } = flags;
  return create(InstanceFilterSchema, {
    statuses: (flags.status ?? []).flatMap(parseStatuses),
    names: [...(flags.name ?? [])],
    versions: [...(flags.version ?? [])],
    tags: parseTags(flags.tag),
    instanceIdPrefix: prefix,
    parentInstanceId: parent,
    customStatus: (flags.where ?? []).map(parseCondition),
    ...present("createdFrom", time(flags.createdAfter, "--created-after")),
    ...present("createdTo", time(flags.createdBefore, "--created-before")),
    ...present("completedFrom", time(flags.completedAfter, "--completed-after")),
    ...present("completedTo", time(flags.completedBefore, "--completed-before")),
    ...present("holdName", holdName),
    ...present("held", flags.held),
    ...(heldLongerThan === undefined
      ? {}
      : { heldLongerThan: parseDuration(heldLongerThan, "--held-longer-than") }),
  });
}

function parseStatuses(text: string): readonly InstanceStatus[] {
  return commaSeparated(text).map(
    (part) => parseEnum(InstanceStatusSchema, part, "--status") as InstanceStatus,
  );
}

/** @throws ExitError 64 when one is not `key=value`, or a key comes twice */
export function parseTags(
  tags: readonly string[] | undefined,
  flag = "--tag",
): Record<string, string> {
  const pairs = (tags ?? []).map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new ExitError(EXIT.usage, `${flag}: ${JSON.stringify(text)} is not key=value`);
  });
  const keys = new Set(pairs.map(([key]) => key));
  if (keys.size === pairs.length) return Object.fromEntries(pairs);
  throw new ExitError(EXIT.usage, `${flag}: a key is there twice`);
}
