/** Reads the indexes that queries read. */
import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  CompletedRowSchema,
  HeldRowSchema,
  QueryRowSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import type { QueryIndexes } from "../store.ts";
import type { OrderedBytes } from "./bytes.ts";
import { decode } from "./index-reader.ts";
import type { KeyTime } from "./key-parts.ts";
import {
  completedKeyParts,
  completedRange,
  heldKeyParts,
  heldRange,
  queryKeyParts,
  queryRange,
} from "./query-keys.ts";

/** Each read is a consistent view, as of the call. */
export function queryIndexes(bytes: OrderedBytes): QueryIndexes {
  return {
    async readQuery(hub, instanceClass, created, after, limit) {
      const rows = await bytes.rows(queryRange(hub, instanceClass, created, after), { limit });
      return rows.map(([key, value]) => {
        const { time, instanceId } = queryKeyParts(key);
        return { ...timed(time), instanceId, row: decode(QueryRowSchema, value, "a query row") };
      });
    },

    async readCompleted(hub, completed, after, limit) {
      const rows = await bytes.rows(completedRange(hub, completed, after), { limit });
      return rows.map(([key, value]) => {
        const { time, instanceId } = completedKeyParts(key);
        const row = decode(CompletedRowSchema, value, "a row of a finished instance");
        return { ...timed(time), instanceId, row };
      });
    },

    async readHeld(hub, placed, after, limit) {
      const rows = await bytes.rows(heldRange(hub, placed, after), { limit });
      return rows.map(([key, value]) => {
        const { time, number, name } = heldKeyParts(key);
        return { ...timed(time), number, name, row: decode(HeldRowSchema, value, "a held row") };
      });
    },
  };
}

function timed(time: KeyTime) {
  return { time: create(TimestampSchema, time) };
}
