/** The ids of all instances of a hub that a filter may want, as the query index has them. */
import type { InstanceCursor, QueryIndexes, StorageNumber } from "../store/store.ts";
import type { CompiledFilter } from "./query-filter.ts";
import { createdRows } from "./row-sources.ts";

/** How many rows of each class are read at a time. */
const pageRows = 500;

/** In order of creation. Nothing that exists throughout is missing. */
export async function* listedIds(
  indexes: QueryIndexes,
  hub: StorageNumber,
  filter: CompiledFilter,
): AsyncGenerator<string> {
  const source = createdRows(indexes, hub, filter.classes, filter.created);
  let after: InstanceCursor | undefined;
  // Ends with the last row: each page continues behind the one before.
  for (;;) {
    const { rows, isLast } = await source.read(after, pageRows);
    for (const { instanceId, time: createdAt, row } of rows) {
      if (filter.matchesFacts({ ...row, instanceId, createdAt })) yield instanceId;
    }
    after = rows.at(-1);
    if (isLast) return;
  }
}
