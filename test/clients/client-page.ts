/** docs/clients.md: what it shows, and somebody who types what it says. */
import { readFileSync } from "node:fs";
import { cp, symlink } from "node:fs/promises";
import { basename, delimiter, join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { run } from "../support/sidecar-process.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";

/** Where the page says that the sidecar is. */
const PRINTED_ADDRESS = "localhost:4001";

/** Made by the commands of the page; a checkout does not have them. */
const MADE_BY_COMMANDS = ["gen", "target", "taskhub", ".venv", "__pycache__"];

const page = readFileSync("docs/clients.md", "utf8");

/** The fenced blocks of this kind in the section of a language, in their order. */
export function codeBlocks(language: string, fence: string): readonly string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${language}\n`)) ?? "";
  const blocks = section.matchAll(new RegExp(`^\`\`\`${fence}\\n([^]*?)^\`\`\`$`, "gm"));
  return Array.from(blocks, ([, text = ""]) => text);
}

/** The names of its sections. */
export function sections(): readonly string[] {
  return Array.from(page.matchAll(/^## (.+)$/gm), ([, name = ""]) => name);
}

/** What a reader has after a checkout and `npm ci`, as far as the page needs it. */
export async function checkout(): Promise<TemporaryDirectory> {
  await using created = new AsyncDisposableStack();
  const directory = created.use(await temporaryDirectory());
  const copy = (path: string) =>
    cp(path, join(directory.path, path), {
      recursive: true,
      filter: (source) => path === "proto" || !MADE_BY_COMMANDS.includes(basename(source)),
    });
  await Promise.all(["buf.yaml", "clients", "examples/clients", "proto"].map(copy));
  await symlink(resolve("node_modules"), join(directory.path, "node_modules"));
  created.move();
  return directory;
}

/** Who types. */
export interface Reader {
  readonly checkout: TemporaryDirectory;
  /** `host:port` of the sidecar. */
  readonly address: string;
  /** Comes first on the PATH. */
  readonly programs?: string;
}

/** Types a block of commands, which must succeed. @returns what they print, line by line */
export async function type(block: string | undefined, reader: Reader): Promise<string[]> {
  if (block === undefined) throw new Error("the page has no such block");
  const commands = block.replaceAll(PRINTED_ADDRESS, reader.address);
  const programs = reader.programs === undefined ? [] : [reader.programs];
  const { end, stdout, stderr } = await run(["sh", "-ec", commands], {
    workingDirectory: reader.checkout.path,
    env: {
      PATH: [...programs, resolve("node_modules/.bin"), process.env.PATH].join(delimiter),
      // Nothing may be downloaded in place of the programs that `npm ci` has brought.
      npm_config_offline: "true",
    },
  });
  if (end !== 0) throw new Error(`${commands}ended with ${end}\n${stdout}${stderr}`);
  return stripVTControlCharacters(stdout)
    .split("\n")
    .filter((line) => line !== "");
}
