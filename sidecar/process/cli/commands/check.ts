/** Declares `taskhub check`. */
import { type Command, Option } from "commander";
import { type Flags, parseDataDirectory } from "../../config.ts";
import { SETTINGS } from "../../settings.ts";
import type { CommandHost } from "./client-command.ts";

interface CheckFlags extends Flags {
  readonly copyTo?: string;
  readonly rebuildIndexes?: true;
}

export function addCheckCommand(program: Command, host: CommandHost): void {
  const { flag, argument, variable, fallback, help } = SETTINGS.data;
  const command = program
    .command("check")
    .description("read everything in a data directory that no sidecar uses, and compare it")
    .helpGroup("Sidecar:")
    .option(`${flag} ${argument}`, `${help} (default: ${fallback}; environment: ${variable})`)
    .addOption(
      new Option(
        "--copy-to <directory>",
        "where to make the copy that is looked at (default: beside the data directory)",
      ),
    )
    .option("--rebuild-indexes", "make the indexes say what the logs say, then check again")
    .addHelpText("after", `\n${CHECK_HELP}`);
  command.action(async (flags: CheckFlags) => {
    const { environment, workingDirectory } = host.surroundings;
    const directory = parseDataDirectory({ flags, environment, workingDirectory });
    const { check } = await import("../check.ts");
    const { copyTo, rebuildIndexes = false } = flags;
    host.end(await check({ directory, copyTo, rebuildIndexes }, host.surroundings));
  });
}

const CHECK_HELP = `Looks at a copy, and changes nothing unless it is asked to rebuild indexes. One line for each
problem, then how much was looked at.

Exit codes:
  0   no problem
  74  there are problems: see docs/integrity.md
  75  a sidecar uses the data directory
  78  there is no data directory of this format, or no room for a copy`;
