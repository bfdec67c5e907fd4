/** Commands about a whole task hub: its workers, its maintenance windows, its contracts. */
import type { Command } from "commander";
import { addClientCommand, type CommandHost, flag, repeated } from "./client-command.ts";
import { holdOptions, paceOptions } from "./suspension.ts";

const group = "Task hub:";

export function addHubCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "workers",
    description: "list the connected workers and what they have",
    group,
    options: [],
    load: async () => (await import("../client/workers.ts")).workers,
  });
  const hub = program
    .command("hub")
    .description("a task hub as a whole: info, suspend, resume")
    .helpGroup(group);
  addClientCommand(hub, host, {
    syntax: "info",
    description: "tell about the task hub: windows, workers, what is held back",
    options: [],
    load: async () => (await import("../client/hub.ts")).hubInfo,
  });
  addWindowCommands(hub, host);
  const schema = program
    .command("schema")
    .description("JSON Schemas of the custom status: put, get, list, delete")
    .helpGroup(group);
  addSchemaCommands(schema, host);
}

function addWindowCommands(hub: Command, host: CommandHost): void {
  addClientCommand(hub, host, {
    syntax: "suspend [name]",
    description: 'place a maintenance window (its name: "maintenance")',
    options: [
      repeated("--select-name <name>", "only instances of this orchestrator"),
      flag("--select-prefix <text>", "only instances whose id begins so"),
      repeated("--select-tag <key=value>", "only instances with this tag"),
      repeated("--select-version <version>", 'only instances of this version; "" is none'),
      flag("--starts <time>", "when it begins: 2026-11-21T10:00:00Z, or 10m from now"),
      ...holdOptions("resume, keep"),
      flag("--refuse-starts", "refuse starts by clients, instead of accepting and holding them"),
      flag("--include-entities", "with --select-…: hold matching entities too"),
      flag("--wait", "wait until nothing that it covers is with a worker any more"),
    ],
    load: async () => (await import("../client/hub.ts")).hubSuspend,
  });
  addClientCommand(hub, host, {
    syntax: "resume [name]",
    description: 'end a maintenance window (its name: "maintenance")',
    options: [
      flag("--all-holds", "all windows of the hub"),
      flag("--by <who>", "who asks for it (default: the user of this process)"),
      ...paceOptions(),
    ],
    load: async () => (await import("../client/hub.ts")).hubResume,
  });
}

function addSchemaCommands(schema: Command, host: CommandHost): void {
  addClientCommand(schema, host, {
    syntax: "put <name> <file>",
    description: "set the schema of an orchestrator",
    options: [flag("--warn", "accept and mark what does not follow it, instead of failing")],
    load: async () => (await import("../client/schemas.ts")).schemaPut,
  });
  addClientCommand(schema, host, {
    syntax: "get <name>",
    description: "show the schema of an orchestrator",
    options: [],
    load: async () => (await import("../client/schemas.ts")).schemaGet,
  });
  addClientCommand(schema, host, {
    syntax: "list",
    description: "list all schemas",
    options: [],
    load: async () => (await import("../client/schemas.ts")).schemaList,
  });
  addClientCommand(schema, host, {
    syntax: "delete <name>",
    description: "take the schema of an orchestrator away",
    options: [],
    load: async () => (await import("../client/schemas.ts")).schemaDelete,
  });
}
