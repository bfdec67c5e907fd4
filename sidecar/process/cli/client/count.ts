import { create, toJson } from "@bufbuild/protobuf";
import {
  CountDimension,
  CountDimensionSchema,
  type InstanceCount,
  InstanceCountSchema,
} from "../../../wire/gen/taskhub/v1/query_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { type FilterFlags, parseFilter } from "./filter.ts";
import { Listing, printDocument } from "./output.ts";
import type { Column } from "./table.ts";
import { commaSeparated, parseEnum, statusCell } from "./words.ts";

export interface CountFlags extends FilterFlags {
  readonly hold?: string;
  readonly by?: string;
}

export const count: ClientWork<CountFlags> = async (context, flags) => {
  const { v1, quick } = context;
  const filter = parseFilter(flags, flags.hold, context.nowMs());
  const groupBy = flags.by === undefined ? [] : commaSeparated(flags.by).map(parseDimension);
  const sums = new CountSums();
  let pageToken = "";
  do {
    const page = await v1.countInstances({ filter, groupBy, pageToken }, quick);
    for (const counted of page.counts) sums.add(counted);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  if (groupBy.length === 0) {
    const total = sums.largestFirst()[0] ?? create(InstanceCountSchema);
    // An absent count would be protobuf's 0, and nobody's who reads JSON.
    printDocument(context, { count: `${total.count}` }, () => `${total.count}\n`);
    return EXIT.ok;
  }
  const listing = new Listing(context, {
    json: (counted: InstanceCount) => toJson(InstanceCountSchema, counted),
    columns: [
      ...groupBy
        .map((dimension) => dimensionColumns[dimension])
        .filter((each) => each !== undefined),
      { title: "COUNT", cell: (counted) => `${counted.count}` },
    ],
  });
  for (const counted of sums.largestFirst()) listing.add(counted);
  listing.end();
  return EXIT.ok;
};

function parseDimension(text: string): CountDimension {
  return parseEnum(CountDimensionSchema, text, "--by") as CountDimension;
}

const dimensionColumns: Readonly<Record<number, Column<InstanceCount>>> = {
  [CountDimension.STATUS]: { title: "STATUS", cell: ({ status }) => statusCell(status) },
  [CountDimension.NAME]: { title: "NAME", cell: ({ name }) => name ?? "" },
  [CountDimension.VERSION]: { title: "VERSION", cell: ({ version }) => version ?? "" },
  [CountDimension.HOLD]: {
    title: "HOLD",
    cell: ({ holdName }) => (holdName === undefined ? "" : JSON.stringify(holdName)),
  },
};

/** Counts of several pages, by what they count. */
export class CountSums {
  readonly #sums = new Map<string, InstanceCount>();

  add(counted: InstanceCount): void {
    const { status, name = null, version = null, holdName = null } = counted;
    const key = JSON.stringify([status, name, version, holdName]);
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, counted);
    else sum.count += counted.count;
  }

  largestFirst(): readonly InstanceCount[] {
    return [...this.#sums.values()].sort((left, right) => Number(right.count - left.count));
  }
}
