/** Commands that hold, release, end and remove instances. */
import type { Command, Option } from "commander";
import { addClientCommand, type CommandHost, flag } from "./client-command.ts";
import { selectionOptions } from "./filter-options.ts";

const group = "Holding and ending instances:";

const MANY_HELP = `With a filter instead of ids: shows which instances that would be, asks at a terminal, and needs
--yes where there is none. One line for each instance; the exit code is 1 if it failed for any.`;

export function addSuspensionCommands(program: Command, host: CommandHost): void {
  addHoldingCommands(program, host);
  addEndingCommands(program, host);
}

/** What holds of every scope can be given. */
export function holdOptions(expiryActions: string): readonly Option[] {
  return [
    flag("--reason <text>", "why"),
    flag("--by <who>", "who asks for it (default: the user of this process)"),
    flag("--condition <text>", "what has to happen before it is released, in words"),
    flag("--expires <time>", "when it expires: 2h from now, or 2026-11-21T10:00:00Z"),
    flag("--on-expiry <action>", `what happens then: ${expiryActions} (default: resume)`),
    flag("--freeze-timers", "timers stand still meanwhile, instead of firing into the inbox"),
    flag("--replace", "replace a hold of this name, instead of leaving it as it is"),
  ];
}

/** How holds on many instances are released. */
export function paceOptions(): readonly Option[] {
  return [
    flag("--rate <number>", "let so many instances through each second"),
    flag("--canaries <count>", "let so many through, then wait for another resume"),
  ];
}

function addHoldingCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "suspend [ids...]",
    description: "place a hold on instances, or on all that a filter finds",
    group,
    options: [
      flag("--hold <name>", "name of the hold (default: the unnamed one, that SDKs place)"),
      flag("--tree", "hold all descendants too, also later ones"),
      ...holdOptions("resume, terminate, keep"),
      flag("--wait", "wait until nothing of the instance is with a worker any more"),
      ...selectionOptions("--held-by"),
    ],
    more: MANY_HELP,
    load: async () => (await import("../client/suspend.ts")).suspend,
  });
  addClientCommand(program, host, {
    syntax: "resume [ids...]",
    description: "release a hold of instances, or of all that a filter finds",
    group,
    options: [
      flag("--hold <name>", "name of the hold (default: the unnamed one, that SDKs place)"),
      flag("--tree", "the hold was placed with --tree"),
      flag("--all-holds", "all holds that were placed on the instance"),
      flag("--reason <text>", "why"),
      flag("--by <who>", "who asks for it (default: the user of this process)"),
      ...paceOptions(),
      ...selectionOptions("--held-by"),
    ],
    more: MANY_HELP,
    load: async () => (await import("../client/resume.ts")).resume,
  });
  addClientCommand(program, host, {
    syntax: "suspensions",
    description: "list holds of every scope, the oldest first",
    group,
    options: [
      flag("--name <name>", 'holds of this name; "" is the unnamed one'),
      flag("--scope <scope>", "instance, tree or selector"),
      flag("--reason <text>", "holds whose reason contains this text"),
      flag("--older-than <duration>", "placed longer ago than this"),
      flag("--overdue", "holds whose expiry has passed"),
      flag("--prefix <text>", "on instances whose id begins so"),
    ],
    load: async () => (await import("../client/suspensions.ts")).suspensions,
  });
}

function addEndingCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "terminate [ids...]",
    description: "terminate instances, or all that a filter finds",
    group,
    options: [
      flag("--output <json>", "output to record, JSON; @file reads it from a file"),
      flag("--recursive", "their descendants too"),
      ...selectionOptions("--hold"),
    ],
    more: MANY_HELP,
    load: async () => (await import("../client/terminate.ts")).terminate,
  });
  addClientCommand(program, host, {
    syntax: "purge [ids...]",
    description: "remove finished instances, or all that a filter finds",
    group,
    options: [flag("--recursive", "their finished descendants too"), ...selectionOptions("--hold")],
    more: MANY_HELP,
    load: async () => (await import("../client/purge.ts")).purge,
  });
}
