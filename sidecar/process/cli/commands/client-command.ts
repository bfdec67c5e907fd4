/**
 * How a command of clients and administrators is declared. What it does is loaded when it is run:
 * help and a wrong flag need no client.
 */
import { type Command, Option } from "commander";
import { type ClientFlags, OUTPUT_FORMATS, parseClientConfig } from "../../config.ts";
import type { ExitCode } from "../../exit-codes.ts";
import { SETTINGS } from "../../settings.ts";
import type { ClientWork } from "../client/context.ts";
import type { ProgramSurroundings } from "../surroundings.ts";

/** What declarations need of the program that they are part of. */
export interface CommandHost {
  readonly surroundings: ProgramSurroundings;
  readonly program: Command;
  /** Takes the exit code of the command that was run. */
  readonly end: (exitCode: ExitCode) => void;
}

/** One command. */
export interface ClientCommand<Flags> {
  /** As commander writes it: `suspend [ids...]`. */
  readonly syntax: string;
  readonly description: string;
  /** Under which heading the help of the whole program shows it. */
  readonly group?: string;
  readonly options: readonly Option[];
  /** Lines under the options. */
  readonly more?: string;
  readonly load: () => Promise<ClientWork<Flags>>;
}

export function addClientCommand<Flags extends object>(
  parent: Command,
  host: CommandHost,
  { syntax, description, group, options, more, load }: ClientCommand<Flags>,
): void {
  const command = parent.command(syntax).description(description);
  if (group !== undefined) command.helpGroup(group);
  for (const option of options) command.addOption(option);
  for (const option of commonOptions()) {
    command.addOption(option.helpGroup("Options of every command:"));
  }
  if (more !== undefined) command.addHelpText("after", `\n${more}`);
  command.action(async () => {
    const { environment, workingDirectory } = host.surroundings;
    const flags: ClientFlags = { ...host.program.opts<ClientFlags>(), ...command.opts() };
    const config = parseClientConfig(flags, environment, workingDirectory);
    const { runClient } = await import("../client/connection.ts");
    const work = await load();
    host.end(await runClient(config, host.surroundings, work, command.opts<Flags>(), command.args));
  });
}

/** May stand before a command and behind it. */
export function commonOptions(): readonly Option[] {
  const formats = OUTPUT_FORMATS.join("|");
  return [
    settingOption("address"),
    settingOption("taskhub"),
    flag(`-o, --format <${formats}>`, "how to answer (default: table)"),
    flag("--timeout <duration>", "how long the command may take (default: 30s for each call)"),
  ];
}

function settingOption(name: "address" | "taskhub"): Option {
  const { flag: long, argument, help, fallback, variable } = SETTINGS[name];
  return flag(`${long} ${argument}`, `${help} (default: ${fallback}; environment: ${variable})`);
}

/** An option that is given once; the last one wins. */
export function flag(syntax: string, description: string): Option {
  return new Option(syntax, description);
}

/** An option that may be given more than once. */
export function repeated(syntax: string, description: string): Option {
  const collect = (value: string, previous: readonly string[] | undefined) => [
    ...(previous ?? []),
    value,
  ];
  return new Option(syntax, `${description}; repeatable`).argParser(collect);
}
