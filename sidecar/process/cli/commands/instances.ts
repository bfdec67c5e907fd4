/** Commands that find, show, watch and start instances. */
import type { Command } from "commander";
import { addClientCommand, type CommandHost, flag, repeated } from "./client-command.ts";
import { filterOptions } from "./filter-options.ts";

const group = "Instances:";

export function addInstanceCommands(program: Command, host: CommandHost): void {
  addFindingCommands(program, host);
  addShowingCommands(program, host);
  addStartingCommands(program, host);
}

function addFindingCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "list",
    description: "list instances",
    group,
    options: [
      ...filterOptions("--hold"),
      flag("--order <order>", "created, or held-since: only held ones, the longest held first"),
      flag("--limit <count>", "at most so many"),
    ],
    more: WHERE_HELP,
    load: async () => (await import("../client/list.ts")).list,
  });
  addClientCommand(program, host, {
    syntax: "count",
    description: "count instances",
    group,
    options: [
      ...filterOptions("--hold"),
      flag("--by <what>", "one count for each of these: status, name, version, hold (with commas)"),
    ],
    more: WHERE_HELP,
    load: async () => (await import("../client/count.ts")).count,
  });
}

const WHERE_HELP = `Conditions on the custom status, which has to be JSON: a JSON pointer, one of
= != < <= > >= exists missing, and a JSON value; what is not JSON is a text:
  --where '/progress/percent >= 50'  --where '/phase = baking'  --where '/error missing'`;

function addShowingCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "get <id>",
    description: "show an instance with input, output, custom status and what holds it",
    group,
    options: [],
    load: async () => (await import("../client/get.ts")).get,
  });
  addClientCommand(program, host, {
    syntax: "status <id>",
    description: "show the custom status of an instance",
    group,
    options: [flag("--revisions", "its last revisions, the oldest first")],
    load: async () => (await import("../client/status.ts")).status,
  });
  addClientCommand(program, host, {
    syntax: "explain <id>",
    description: "tell why an instance is where it is",
    group,
    options: [],
    load: async () => (await import("../client/explain.ts")).explain,
  });
  addClientCommand(program, host, {
    syntax: "history <id>",
    description: "show the history of an instance",
    group,
    options: [],
    load: async () => (await import("../client/history.ts")).history,
  });
  addClientCommand(program, host, {
    syntax: "watch [id]",
    description: "watch an instance until it ends (0 if it has completed), or the whole hub",
    group,
    options: [
      flag("--wait", "wait for an instance that does not exist yet"),
      flag("--interval <duration>", "at least so much time between two changes"),
      ...filterOptions("--hold").map((option) => option.helpGroup("Without an id, which ones:")),
    ],
    more: "With -o json or jsonl: one JSON document a line, as it comes.",
    load: async () => (await import("../client/watch.ts")).watch,
  });
}

function addStartingCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "start <name>",
    description: "start an instance of an orchestrator, and print its id",
    group,
    options: [
      flag("--id <id>", "instance id (default: the sidecar chooses one)"),
      flag("--input <json>", "input, JSON; @file reads it from a file"),
      flag("--version <version>", "version"),
      repeated("--tag <key=value>", "tag"),
      flag("--at <time>", "start it then: 2026-11-21T10:00:00Z, or 10m from now"),
      flag("--wait", "wait for the result; 0 if it has completed"),
    ],
    load: async () => (await import("../client/start.ts")).start,
  });
  addClientCommand(program, host, {
    syntax: "raise-event <id> <name>",
    description: "raise an external event for an instance",
    group,
    options: [
      flag("--data <json>", "data, JSON; @file reads it from a file"),
      flag("--request-id <text>", "raises it once, however often this is repeated"),
    ],
    load: async () => (await import("../client/raise-event.ts")).raiseEvent,
  });
}
