/** What people write for values of the API, and what they are shown. */
import type { DescEnum } from "@bufbuild/protobuf";
import { InstanceStatus, InstanceStatusSchema } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import type { Cell, Paint } from "./table.ts";

/**
 * The number of a value of an enumeration: `held-since`, `HELD_SINCE` and `held_since` are the
 * same. The value 0 cannot be asked for.
 *
 * @throws ExitError 64
 */
export function parseEnum(schema: DescEnum, text: string, flag: string): number {
  const wanted = text.toLowerCase().replaceAll("_", "-");
  const values = schema.values.filter(({ number }) => number !== 0);
  const found = values.find((value) => word(value.localName) === wanted);
  if (found !== undefined) return found.number;
  const known = values.map((value) => word(value.localName)).join(", ");
  throw new ExitError(EXIT.usage, `${flag}: ${JSON.stringify(text)} is not one of: ${known}`);
}

/** How a value of an enumeration is written: `held-since`. Empty for the value 0. */
export function enumWord(schema: DescEnum, number: number): string {
  if (number === 0) return "";
  const value = schema.value[number];
  return value === undefined ? `${number}` : word(value.localName);
}

function word(localName: string): string {
  return localName.toLowerCase().replaceAll("_", "-");
}

/** `--on-expiry`, `--by status,name`: words that are separated by commas. */
export function commaSeparated(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim());
}

/** As all clients and the protocol write it: RUNNING. */
export function statusWord(status: InstanceStatus): string {
  return InstanceStatusSchema.value[status]?.localName ?? `${status}`;
}

const statusPaints: ReadonlyMap<InstanceStatus, Paint> = new Map([
  [InstanceStatus.PENDING, "cyan"],
  [InstanceStatus.RUNNING, "cyan"],
  [InstanceStatus.SUSPENDED, "yellow"],
  [InstanceStatus.COMPLETED, "green"],
  [InstanceStatus.FAILED, "red"],
  [InstanceStatus.TERMINATED, "red"],
  [InstanceStatus.CANCELED, "red"],
]);

export function statusCell(status: InstanceStatus): Cell {
  return { text: statusWord(status), paint: statusPaints.get(status) };
}

export const FINISHED: readonly InstanceStatus[] = [
  InstanceStatus.COMPLETED,
  InstanceStatus.FAILED,
  InstanceStatus.TERMINATED,
  InstanceStatus.CANCELED,
];

export const UNFINISHED: readonly InstanceStatus[] = [
  InstanceStatus.PENDING,
  InstanceStatus.RUNNING,
  InstanceStatus.SUSPENDED,
];

/** What a command does to one instance, for sentences. */
export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}
