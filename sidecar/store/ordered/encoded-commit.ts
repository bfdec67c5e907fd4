/**
 * A commit as the queue carries it: in bytes, so that callers may go on to change their objects.
 */
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { assertNever } from "../../foundation/assert.ts";
import { encode } from "../../wire/encode.ts";
import {
  CompletedRowSchema,
  GarbageRowSchema,
  HeldRowSchema,
  HubRowSchema,
  InstanceAddressSchema,
  InstanceRowSchema,
  QueryRowSchema,
  SnapshotSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { seal } from "../envelope.ts";
import type { Commit, IndexChange, LogAppend } from "../store.ts";
import type { Write } from "./bytes.ts";
import {
  dueKey,
  garbageKey,
  hubKey,
  importKey,
  instanceKey,
  readyKey,
  snapshotKey,
} from "./keys.ts";
import { completedKey, heldKey, queryKey } from "./query-keys.ts";

export interface EncodedCommit {
  /** Not sealed yet: a group may put entries of one log together. */
  readonly appends: readonly LogAppend[];
  readonly rows: readonly Write[];
}

export function encodeCommit(commit: Commit): EncodedCommit {
  return { appends: commit.appends, rows: commit.index.map(encodeIndexChange) };
}

/** One row of an index as a write. */
export function encodeIndexChange(change: IndexChange): Write {
  switch (change.index) {
    case "hub": {
      const row =
        change.row === undefined ? undefined : create(HubRowSchema, { number: change.row });
      return rowWrite(hubKey(change.name), HubRowSchema, row);
    }
    case "instance":
      return rowWrite(instanceKey(change.hub, change.instanceId), InstanceRowSchema, change.row);
    case "ready":
      return rowWrite(readyKey(change.number), InstanceAddressSchema, change.row);
    case "due":
      return rowWrite(dueKey(change.due, change.number), InstanceAddressSchema, change.row);
    case "snapshot":
      return rowWrite(snapshotKey(change.number, change.generation), SnapshotSchema, change.row);
    case "query": {
      const { hub, instanceClass, createdAt, instanceId } = change;
      const key = queryKey(hub, instanceClass, createdAt, instanceId);
      return rowWrite(key, QueryRowSchema, change.row);
    }
    case "completed": {
      const key = completedKey(change.hub, change.completedAt, change.instanceId);
      return rowWrite(key, CompletedRowSchema, change.row);
    }
    case "held": {
      const { hub, placedAt, number, name } = change;
      return rowWrite(heldKey(hub, { time: placedAt, number, name }), HeldRowSchema, change.row);
    }
    case "import": {
      const row = change.isUnderWay ? create(HubRowSchema, { number: change.hub }) : undefined;
      return rowWrite(importKey(change.hub), HubRowSchema, row);
    }
    case "garbage":
      return rowWrite(garbageKey(change.row.number), GarbageRowSchema, change.row);
    default:
      return assertNever(change, "index change");
  }
}

function rowWrite<Schema extends DescMessage>(
  key: Uint8Array,
  schema: Schema,
  row: MessageShape<Schema> | undefined,
): Write {
  return row === undefined
    ? { type: "del", key }
    : { type: "put", key, value: seal(encode(schema, row)) };
}
