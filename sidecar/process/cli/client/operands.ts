/** What stands behind a command without being a flag, and JSON that was typed. */

import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { EXIT, ExitError } from "../../exit-codes.ts";

/** @throws ExitError 64 when it is not there */
export function operand(operands: readonly string[], at: number, what: string): string {
  const text = operands[at];
  if (text !== undefined && text !== "") return text;
  throw new ExitError(EXIT.usage, `${what} is missing`);
}

/**
 * JSON text as it was typed; `@file` reads it from a file.
 *
 * @throws ExitError 64 when it is not JSON
 */
export async function jsonArgument(
  text: string | undefined,
  flag: string,
  workingDirectory: string,
): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const json = text.startsWith("@") ? await readText(text.slice(1), flag, workingDirectory) : text;
  try {
    JSON.parse(json);
  } catch (cause) {
    throw new ExitError(
      EXIT.usage,
      `${flag}: not JSON; a text needs quotes inside those of the shell: '"text"'`,
      { cause },
    );
  }
  return json;
}

/** @throws ExitError 64 when it cannot be read */
export async function readText(
  path: string,
  what: string,
  workingDirectory: string,
): Promise<string> {
  try {
    return (await readFile(resolve(workingDirectory, path), "utf8")).trim();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ExitError(EXIT.usage, `${what}: ${reason}`, { cause });
  }
}

/** Who asks: as given, else who runs the program. */
export function requestedBy(given: string | undefined): string {
  if (given !== undefined) return given;
  try {
    return userInfo().username;
  } catch {
    // In a container the user may have a number and no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
