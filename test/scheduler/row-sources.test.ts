/** Sequences of rows that queries are made of. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { completedRows, createdRows, type RowSource } from "../../sidecar/scheduler/row-sources.ts";
import { Status } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { QueryWorld } from "../support/query-world.ts";

async function read<C, R extends C>(source: RowSource<C, R>, limit: number): Promise<R[]> {
  const rows: R[] = [];
  for (;;) {
    const page = await source.read(rows.at(-1), limit);
    expect(page.isLast || page.rows.length > 0, "a read goes on").toBe(true);
    rows.push(...page.rows);
    if (page.isLast) return rows;
  }
}

it("finished instances come by completion, then by id, however they ended", async () => {
  await using world = new QueryWorld();
  for (const id of ["d", "c", "b", "a", "live"]) await world.start(id);
  const startMs = world.nowMs;
  for (const [id, status] of [
    ["c", Status.FAILED],
    ["d", Status.COMPLETED],
    ["b", Status.TERMINATED],
    ["a", Status.CANCELED],
  ] as const) {
    if (id === "b") world.nowMs += 10;
    await world.finish(id, status);
  }
  for (const limit of [1, 2, 10]) {
    const rows = await read(completedRows(world.indexes, world.number, {}), limit);
    expect(rows.map(({ instanceId, row }) => [instanceId, row.status])).toEqual([
      ["c", Status.FAILED],
      ["d", Status.COMPLETED],
      ["a", Status.CANCELED],
      ["b", Status.TERMINATED],
    ]);
  }
  const later = { from: timestampFromMs(startMs + 1), to: timestampFromMs(startMs + 11) };
  const rows = await read(completedRows(world.indexes, world.number, later), 1);
  expect(rows.map(({ instanceId }) => instanceId)).toEqual(["a", "b"]);
});

it("instances come by creation, then by id, whatever has become of them", async () => {
  await using world = new QueryWorld();
  for (const id of ["d", "c", "b", "a", "e"]) {
    if (id === "a") world.nowMs += 10;
    await world.start(id);
  }
  await world.finish("c", Status.FAILED);
  await world.finish("d", Status.COMPLETED);
  await world.finish("a", Status.FAILED);
  for (const limit of [1, 2, 10]) {
    const classes = ["live", "completed", "failed"] as const;
    const rows = await read(createdRows(world.indexes, world.number, classes, {}), limit);
    expect(rows.map(({ instanceId }) => instanceId)).toEqual(["b", "c", "d", "a", "e"]);
  }
});
