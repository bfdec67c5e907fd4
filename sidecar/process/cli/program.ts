/**
 * The command line: arguments in, exit code out. Mistakes and failures are told in one line on
 * stderr. Commands are loaded when they are run: a health check that loads a server takes three
 * times as long.
 */
import { Command, CommanderError, Option } from "commander";
import {
  type ConfigSources,
  type Flags,
  parseHealthcheckConfig,
  parseServeConfig,
} from "../config.ts";
import { EXIT, EXIT_CODES_HELP, type ExitCode, ExitError, exitFor } from "../exit-codes.ts";
import { SETTINGS, type SettingName } from "../settings.ts";
import { PROGRAM } from "../version.ts";
import { addBackupCommands } from "./commands/backup.ts";
import { addCheckCommand } from "./commands/check.ts";
import { commonOptions } from "./commands/client-command.ts";
import { addHubCommands } from "./commands/hub.ts";
import { addInstanceCommands } from "./commands/instances.ts";
import { addSuspensionCommands } from "./commands/suspension.ts";
import type { ProgramSurroundings } from "./surroundings.ts";

/** Runs one command to its end. Never rejects. */
export async function runProgram(
  args: readonly string[],
  surroundings: ProgramSurroundings,
): Promise<ExitCode> {
  let ended: ExitCode = EXIT.ok;
  const program = commandTree(surroundings, (exitCode) => {
    ended = exitCode;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return ended;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const { code, line } = exitFor(error instanceof CommanderError ? usageError(error) : error);
    surroundings.err(`taskhub: ${line}\n`);
    return code;
  }
}

function commandTree(
  surroundings: ProgramSurroundings,
  end: (exitCode: ExitCode) => void,
): Command {
  const { out } = surroundings;
  const program = new Command("taskhub")
    .description("A self-hosted, durable task hub: a sidecar that makes ordinary code durable.")
    .usage("[options] <command>")
    .version(PROGRAM, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText("after", `\n${EXIT_CODES_HELP}`)
    .configureOutput({ writeOut: out, writeErr: () => {} })
    .exitOverride();
  const group = "Options that may stand before or behind a command:";
  for (const option of commonOptions()) program.addOption(option.helpGroup(group));
  addSidecarCommands(program, surroundings, end);
  const host = { surroundings, program, end };
  addCheckCommand(program, host);
  addInstanceCommands(program, host);
  addSuspensionCommands(program, host);
  addHubCommands(program, host);
  addBackupCommands(program, host);
  return program;
}

function addSidecarCommands(
  program: Command,
  { environment, workingDirectory, out, err }: ProgramSurroundings,
  end: (exitCode: ExitCode) => void,
): void {
  const group = "Sidecar:";
  const sources = (flags: Flags): ConfigSources => ({ flags, environment, workingDirectory });
  withSettings(program.command("serve"), SERVE_SETTINGS)
    .description("serve task hubs until SIGTERM or SIGINT")
    .helpGroup(group)
    .addHelpText("after", `\n${SERVE_HELP}\n\n${EXIT_CODES_HELP}`)
    .action(async (flags: Flags) => {
      const config = parseServeConfig(sources(flags));
      const { serve } = await import("./serve.ts");
      end(await serve(config, { err }));
    });
  withSettings(program.command("healthcheck"), ["address"])
    .description("ask a sidecar whether it is ready; the exit code is 0 if it is and 1 if not")
    .helpGroup(group)
    .action(async (flags: Flags) => {
      const config = parseHealthcheckConfig(sources({ ...addressBefore(program), ...flags }));
      const { healthcheck } = await import("./healthcheck.ts");
      end(await healthcheck(config, out));
    });
}

/** What may stand before the command, and is the only one of these that a health check knows. */
function addressBefore(program: Command): Flags {
  const { address } = program.opts<Flags>();
  return address === undefined ? {} : { address };
}

/** In the order of the help. */
export const SERVE_SETTINGS = [
  "listen",
  "store",
  "data",
  "logLevel",
  "suspended",
  "suspensionWarn",
  "suspensionCritical",
  "suspensionMax",
  "suspensionMaxAction",
  "customStatusMaxBytes",
  "customStatusOverflow",
  "customStatusRevisions",
  "customStatusRevisionBytes",
  "bufferedEventsMax",
  "bufferedEventBytesMax",
  "turnLossesMax",
  "activityLossesMax",
  "diskReserve",
  "earlyTurns",
  "entityBatches",
  "retention",
  "retentionLowSpace",
  "loopWatchdog",
  "acceptDroppedTail",
  "keepFormer",
] as const satisfies readonly SettingName[];

const SERVE_HELP = `Flags win over the environment. Only loopback addresses can be listened on, because there
is no authentication yet. Log lines are JSON on stdout. One line on stderr says why the program
failed.

SIGTERM or SIGINT: hands out no more work, takes the answers of workers for up to 25 seconds, then
stops. A second signal, or 30 seconds, end it at once; nothing that was acknowledged is lost.`;

function withSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const { flag, argument, variable, fallback, help, repeatable } = SETTINGS[name];
    const description = `${help} (default: ${fallback}; environment: ${variable})`;
    const option = new Option(`${flag} ${argument}`, description);
    // What may stand alone means yes then.
    if (option.optional) option.preset("true");
    command.addOption(repeatable ? option.argParser(joined) : option);
  }
  return command;
}

function joined(value: string, previous: string | undefined): string {
  return previous === undefined ? value : `${previous},${value}`;
}

function usageError(error: CommanderError): ExitError {
  const what =
    error.code === "commander.help"
      ? "a command is missing"
      : error.message.replace(/^error: |\.$/g, "");
  return new ExitError(EXIT.usage, `${what}; see taskhub --help`);
}
