/** The terminal: plain lines, with colours only where they are wanted. */
import { relative } from "node:path";
import { styleText } from "node:util";
import type { Command } from "./commands.ts";
import type { Sighting } from "./follow.ts";

/** A headline. */
export function showTitle(text: string): void {
  console.log(`\n${styleText("bold", text)}\n`);
}

/** A fact, and what it is about. */
export function showFact(name: string, text: string): void {
  console.log(`  ${styleText("dim", name.padEnd(9))} ${text}`);
}

/** Where an order is. Columns: elapsed time, status, step. */
export function showSighting({ elapsedMs, status, step }: Sighting): void {
  const elapsed = `${(elapsedMs / 1_000).toFixed(1)} s`.padStart(8);
  const columns = [styleText("dim", elapsed), styleText(colour(status), status.padEnd(9)), step];
  console.log(`  ${columns.join("   ").trimEnd()}`);
}

/** What the show itself does to the order. */
export function showAction(text: string): void {
  console.log(`${" ".repeat(13)}${styleText("cyan", `> ${text}`)}`);
}

/** Commands to be copied. */
export function showCommands(commands: readonly Command[]): void {
  for (const { purpose, text } of commands) {
    console.log(`  ${styleText("dim", purpose)}\n  ${text.replaceAll("\n", "\n  ")}\n`);
  }
}

/** A directory as one would type it here. */
export function typedPath(directory: string): string {
  const path = relative("", directory);
  return path.startsWith("..") ? directory : `./${path}`;
}

function colour(status: Sighting["status"]): "green" | "yellow" | "red" | "blue" {
  switch (status) {
    case "COMPLETED":
      return "green";
    case "SUSPENDED":
      return "yellow";
    case "FAILED":
    case "TERMINATED":
      return "red";
    default:
      return "blue";
  }
}
