import type { Option } from "commander";
import { flag, repeated } from "./client-command.ts";

/**
 * Which instances.
 *
 * @param holdFlag what a filter by the name of a hold is called: `--hold` is the hold to place or
 * release in commands that do so
 */
export function filterOptions(holdFlag: "--hold" | "--held-by"): readonly Option[] {
  const time = "a time such as 2026-11-21T10:00:00Z, or how long ago: 2h";
  return [
    repeated("--status <status>", "pending, running, suspended, completed, failed, …"),
    repeated("--name <name>", "orchestrator name"),
    repeated("--version <version>", 'version; "" is none'),
    repeated("--tag <key=value>", "tag"),
    flag("--prefix <text>", "beginning of the instance id"),
    flag("--parent <id>", "children of this instance"),
    flag("--created-after <time>", `created at this time or later: ${time}`),
    flag("--created-before <time>", "created before this time"),
    flag("--completed-after <time>", "finished at this time or later"),
    flag("--completed-before <time>", "finished before this time"),
    flag(`${holdFlag} <name>`, 'held by a hold of this name; "" is the unnamed one'),
    flag("--held", "held by something"),
    flag("--no-held", "held by nothing"),
    flag("--held-longer-than <duration>", "held for longer than this by holds of its own"),
    repeated("--where <condition>", "condition on the custom status: '/progress/percent >= 50'"),
    repeated("--filter <key=value>", "any of these by its name: --filter name=order"),
  ];
}

/** For commands that take either ids or a filter. */
export function selectionOptions(holdFlag: "--hold" | "--held-by"): readonly Option[] {
  const group = "Instead of ids, which instances:";
  return [
    ...filterOptions(holdFlag),
    flag("--limit <count>", "at most so many"),
    flag("--all", "all instances of the task hub"),
    flag("--dry-run", "show which, and change nothing"),
    flag("-y, --yes", "do not ask"),
  ].map((option) => option.helpGroup(group));
}
