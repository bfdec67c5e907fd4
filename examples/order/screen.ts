/** The terminal: plain lines, with colours only where they are wanted. */
import { relative } from "node:path";
import { styleText } from "node:util";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Hold } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import type { Instance } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type { Command } from "./commands.ts";
import { statusOf, stepOf } from "./follow.ts";

/** A headline. */
export function showTitle(text: string): void {
  console.log(`\n${styleText("bold", text)}\n`);
}

/** A fact, and what it is about. */
export function showFact(name: string, text: string): void {
  console.log(`  ${styleText("dim", name.padEnd(9))} ${text}`);
}

/** Where an order is. Columns: time, order, status, custom status with its revision, holds. */
export function showOrder(order: Instance): void {
  const { instanceId, customStatus, holds } = order;
  const status = statusOf(order);
  const columns = [
    styleText("dim", clockTime(new Date())),
    instanceId,
    styleText(colour(status), status.padEnd(9)),
    ...(customStatus === undefined ? [] : [`#${customStatus.revision} ${stepOf(order)}`]),
    ...holds.map((hold) => styleText("yellow", holdText(hold))),
  ];
  console.log(`  ${columns.join("   ")}`);
}

/** What the show itself does. */
export function showAction(text: string): void {
  console.log(`${indent}${styleText("cyan", `> ${text}`)}`);
}

/** Something to know about the line above. */
export function showDetail(text: string): void {
  console.log(`${indent}  ${styleText("dim", text)}`);
}

/** All that there is to know of what holds an order. */
export function showHolds(holds: readonly Hold[]): void {
  for (const { placedAt, requestedBy, expiresAt, reason } of holds) {
    const until = expiresAt === undefined ? "" : `, until ${timeOf(expiresAt)}`;
    const because = reason === undefined ? "" : `: ${reason}`;
    showDetail(`since ${timeOf(placedAt)}, by ${requestedBy}${until}${because}`);
  }
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

/** As wide as the column of times. */
const indent = " ".repeat(13);

function holdText({ name, pacedRelease }: Hold): string {
  const hold = JSON.stringify(name);
  return pacedRelease === undefined ? `held by ${hold}` : `${hold} is being released`;
}

function timeOf(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "" : clockTime(timestampDate(timestamp));
}

/** Local time of day, to the second. */
function clockTime(date: Date): string {
  return date.toTimeString().slice(0, 8);
}

function colour(status: ReturnType<typeof statusOf>): "green" | "yellow" | "red" | "blue" {
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
