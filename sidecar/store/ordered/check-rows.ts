/** The index rows that follow from the state of one instance, and whether they are there. */
import {
  create,
  type DescMessage,
  equals,
  fromBinary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { nextDue } from "../../engine/due.ts";
import { isReady, waitsForWorker } from "../../engine/readiness.ts";
import type { InstanceState } from "../../engine/state.ts";
import {
  CompletedRowSchema,
  HeldRowSchema,
  InstanceAddressSchema,
  InstanceRowSchema,
  QueryRowSchema,
} from "../../wire/gen/taskhub/internal/v1/store_pb.ts";
import { unseal } from "../envelope.ts";
import { queryChanges, queryViewOf } from "../instance-rows.ts";
import type { IndexChange, StorageNumber } from "../store.ts";
import type { Put, ReadableBytes } from "./bytes.ts";
import { wordsOf } from "./check-findings.ts";
import { encodeIndexChange } from "./encoded-commit.ts";

/** Indexes whose rows follow from the states of instances. */
export const ROW_KINDS = ["instance", "ready", "due", "query", "completed", "held"] as const;

export type RowKind = (typeof ROW_KINDS)[number];

export const ROW_SCHEMAS: Readonly<Record<RowKind, DescMessage>> = {
  instance: InstanceRowSchema,
  ready: InstanceAddressSchema,
  due: InstanceAddressSchema,
  query: QueryRowSchema,
  completed: CompletedRowSchema,
  held: HeldRowSchema,
};

export interface ExpectedRow {
  readonly kind: RowKind;
  readonly put: Put;
}

/** Every row that there has to be of an instance, and no other. */
export function expectedRows(hub: StorageNumber, state: InstanceState): readonly ExpectedRow[] {
  const { number, generation, instanceId } = state;
  const address: MessageInitShape<typeof InstanceAddressSchema> = { hub, instanceId };
  const instanceRow = create(InstanceRowSchema, { number, generation });
  const rows = [rowOf({ index: "instance", hub, instanceId, row: instanceRow })];
  if (isReady(state)) {
    const row = create(InstanceAddressSchema, {
      ...address,
      waitsForWorker: waitsForWorker(state),
    });
    rows.push(rowOf({ index: "ready", number, row }));
  }
  const due = nextDue(state);
  if (due !== undefined) {
    rows.push(rowOf({ index: "due", due, number, row: create(InstanceAddressSchema, address) }));
  }
  for (const change of queryChanges(hub, instanceId, undefined, queryViewOf(state))) {
    rows.push(rowOf(change));
  }
  return rows;
}

function rowOf(change: IndexChange): ExpectedRow {
  const put = encodeIndexChange(change);
  const kind = ROW_KINDS.find((each) => each === change.index);
  if (put.type !== "put" || kind === undefined) throw new Error("no row of an instance");
  return { kind, put };
}

/** Whether a row is there, and what is wrong with it. */
export interface Comparison {
  readonly isThere: boolean;
  readonly problem: string | undefined;
}

const right: Comparison = { isThere: true, problem: undefined };

/** Looks for an expected row. */
export function compareRow(bytes: ReadableBytes, { kind, put }: ExpectedRow): Comparison {
  try {
    const stored = bytes.get(put.key);
    if (stored === undefined) return { isThere: false, problem: "is missing" };
    if (Buffer.compare(stored, put.value) === 0) return right;
    // Maps may be in another order.
    return saysTheSame(kind, unseal(stored, "it"), unseal(put.value, "it"))
      ? right
      : { isThere: true, problem: "says something else than the log" };
  } catch (error) {
    return { isThere: true, problem: `cannot be read: ${wordsOf(error)}` };
  }
}

function saysTheSame(kind: RowKind, stored: Uint8Array, expected: Uint8Array): boolean {
  const schema = ROW_SCHEMAS[kind];
  if (equals(schema, fromBinary(schema, stored), fromBinary(schema, expected))) return true;
  if (kind !== "ready") return false;
  // The first version of this format did not say it, and such a row does no harm.
  const address = fromBinary(InstanceAddressSchema, expected);
  address.waitsForWorker = false;
  return equals(InstanceAddressSchema, fromBinary(InstanceAddressSchema, stored), address);
}
