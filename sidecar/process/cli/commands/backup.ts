/** Commands that move a whole task hub into a file, and back. */
import type { Command } from "commander";
import { addClientCommand, type CommandHost } from "./client-command.ts";

const group = "Backup:";

export function addBackupCommands(program: Command, host: CommandHost): void {
  addClientCommand(program, host, {
    syntax: "export <file>",
    description: "write the task hub to a new file, as it is at one moment, while it goes on",
    group,
    options: [],
    load: async () => (await import("../client/export.ts")).exportHub,
  });
  addClientCommand(program, host, {
    syntax: "import <file>",
    description: "bring such a file into an empty task hub, where it is held until it is released",
    group,
    options: [],
    load: async () => (await import("../client/import.ts")).importHub,
  });
  addClientCommand(program, host, {
    syntax: "verify <file>",
    description: "check that such a file is whole and undamaged; needs no sidecar",
    group,
    options: [],
    load: async () => (await import("../client/verify.ts")).verifyFile,
  });
}
