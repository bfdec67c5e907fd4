/** Pages of instances and of holds, joined. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Instance, InstanceFilter } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { InstanceOrder } from "../../../wire/gen/taskhub/v1/query_pb.ts";
import type {
  ListSuspensionsRequestSchema,
  Suspension,
} from "../../../wire/gen/taskhub/v1/suspension_pb.ts";
import { EXIT, ExitError } from "../../exit-codes.ts";
import { parseCount } from "../../setting-values.ts";
import type { ClientContext } from "./context.ts";

const pageSizeMax = 1_000;

/** What is read of a query. */
export interface QueryOptions {
  readonly order?: InstanceOrder;
  /** At most so many in all. */
  readonly limit?: number | undefined;
}

/** Pages as they come: some may be empty. */
export async function* instancePages(
  { v1, quick }: ClientContext,
  filter: InstanceFilter,
  { order = InstanceOrder.CREATED, limit = Infinity }: QueryOptions = {},
): AsyncGenerator<readonly Instance[]> {
  let left = limit;
  let pageToken = "";
  // Ends: with the last page, or with the limit.
  while (left > 0) {
    const pageSize = Math.min(pageSizeMax, left);
    const page = await v1.queryInstances({ filter, order, pageSize, pageToken }, quick);
    left -= page.instances.length;
    yield page.instances;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}

/** Pages of holds of every scope, the oldest first. */
export async function* suspensionPages(
  { v1, quick }: ClientContext,
  request: MessageInitShape<typeof ListSuspensionsRequestSchema>,
): AsyncGenerator<readonly Suspension[]> {
  let pageToken = "";
  // Ends: with the last page.
  for (;;) {
    const page = await v1.listSuspensions(
      { ...request, pageSize: pageSizeMax, pageToken } as typeof request,
      quick,
    );
    yield page.suspensions;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}

/** @throws ExitError 64 */
export function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return numberFlag(text, "--limit", 1, Number.MAX_SAFE_INTEGER);
}

/** @throws ExitError 64 that names the flag */
export function numberFlag(text: string, flag: string, min: number, max: number): number {
  try {
    return parseCount(text, min, max);
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    throw new ExitError(EXIT.usage, `${flag}: ${error.message}`, { cause: error });
  }
}
