import { toJson } from "@bufbuild/protobuf";
import { InstanceSchema } from "../../../wire/gen/taskhub/v1/instance_pb.ts";
import { InstanceOrder, InstanceOrderSchema } from "../../../wire/gen/taskhub/v1/query_pb.ts";
import { EXIT } from "../../exit-codes.ts";
import type { ClientWork } from "./context.ts";
import { type FilterFlags, parseFilter } from "./filter.ts";
import { instanceColumns } from "./instance-columns.ts";
import { Listing } from "./output.ts";
import { instancePages, parseLimit } from "./query.ts";
import { parseEnum } from "./words.ts";

export interface ListFlags extends FilterFlags {
  readonly hold?: string;
  readonly order?: string;
  readonly limit?: string;
}

export const list: ClientWork<ListFlags> = async (context, flags) => {
  const filter = parseFilter(flags, flags.hold, context.nowMs());
  const limit = parseLimit(flags.limit);
  const order =
    flags.order === undefined
      ? InstanceOrder.CREATED
      : (parseEnum(InstanceOrderSchema, flags.order, "--order") as InstanceOrder);
  const listing = new Listing(context, {
    json: (instance) => toJson(InstanceSchema, instance),
    columns: instanceColumns,
  });
  for await (const instances of instancePages(context, filter, { order, limit })) {
    for (const instance of instances) listing.add(instance);
    listing.flush();
  }
  listing.end();
  return EXIT.ok;
};
