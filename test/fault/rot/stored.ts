/** A data directory with every kind of file that there is, and everything that is stored in it. */
import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { unseal } from "../../../sidecar/store/envelope.ts";
import { openLevelStore } from "../../../sidecar/store/level/store.ts";
import type { KeyRange, OrderedBytes } from "../../../sidecar/store/ordered/bytes.ts";
import { rangeBehind } from "../../../sidecar/store/ordered/keys.ts";
import { commit } from "../../store/suite/open-store.ts";
import {
  addressOf,
  commitOf,
  dueChange,
  hubAppend,
  instanceAppend,
  instanceChange,
  readyChange,
} from "../../support/store-builders.ts";
import { writeAheadLogOf } from "../../support/store-directory.ts";

/** Behind the group records, of which each opening writes one more. */
const ROWS: KeyRange = { from: Buffer.of(2), to: Buffer.of(255) };

/** Rows of a page: most reads of a sidecar are of pages. */
const PAGE = 37;

const RUNS = 4;
const INSTANCES_OF_A_RUN = 120;

/** Space that is kept in reserve, as by each sidecar. */
export const RESERVE_BYTES = 64 * 1024;

/**
 * Each opening makes a table of what the run before it has left in the write-ahead log. Before the
 * last one something was lost, and given up: the next opening still reads of it.
 */
export async function createStored(directory: string): Promise<void> {
  for (let run = 0; run < RUNS; run += 1) {
    const acceptedLoss = run === RUNS - 1 ? await loseEnd(directory) : undefined;
    await using store = await openLevelStore({
      directory,
      reserveBytes: RESERVE_BYTES,
      acceptedLoss,
    });
    if (run === 0) {
      const hub = { index: "hub", name: "default", row: 1n } as const;
      await commit(store, commitOf(hubAppend({ number: 1n, sequence: 1 }, "created"), hub));
    }
    for (let at = 0; at < INSTANCES_OF_A_RUN; at += 1) {
      const number = BigInt(1_000 * (run + 1) + at);
      const id = `order-${number}`;
      // What cannot be compressed lies in its block as it is.
      const noise = randomBytes(at % 3 === 0 ? 600 : 8).toString("latin1");
      const append = instanceAppend(
        { number, sequence: 1 },
        at % 2 === 0 ? noise : "x".repeat(400),
      );
      store.append(
        commitOf(
          append,
          instanceChange(1n, id, number),
          readyChange(number, addressOf(1n, id)),
          dueChange(timestampFromMs(at), number, addressOf(1n, id)),
        ),
      );
      if (at % 8 === 0) await commit(store, commitOf());
    }
    await commit(store, commitOf());
  }
}

/** Damages the end of the write-ahead log. @returns what its refusal says was lost */
async function loseEnd(directory: string): Promise<number> {
  {
    await using file = await open(await writeAheadLogOf(directory), "r+");
    await file.write(Buffer.of(0xff), 0, 1, (await file.stat()).size - 1);
  }
  const refusal = await openLevelStore({ directory }).then(
    () => "",
    (error: unknown) => String(error),
  );
  const [, figure] = /--accept-dropped-tail (\d+)/.exec(refusal) ?? [];
  if (figure === undefined) throw new Error(`nothing was lost: ${refusal}`);
  return Number(figure);
}

/** All rows in order, as text, read in pages and one by one. */
export async function readAll(bytes: OrderedBytes, keys?: readonly string[]): Promise<string[]> {
  const rows: string[] = [];
  let last: Uint8Array | undefined;
  for (;;) {
    const page = await bytes.rows(rangeBehind(ROWS, last), { limit: PAGE });
    for (const [key, value] of page) rows.push(textOf(key, value));
    last = page.at(-1)?.[0];
    if (page.length < PAGE) break;
  }
  for (const key of keys ?? []) {
    const value = bytes.get(Buffer.from(key, "hex"));
    if (value === undefined || !rows.includes(textOf(Buffer.from(key, "hex"), value))) {
      throw new Error(`the row ${key} is gone, or another one`);
    }
  }
  return rows;
}

/** As a sidecar reads it: a value whose checksum is wrong is refused. */
function textOf(key: Uint8Array, value: Uint8Array): string {
  return `${Buffer.from(key).toString("hex")} ${Buffer.from(unseal(value, "a row")).toString("hex")}`;
}
