/** Void items must not gather while no worker is connected. */
import { describe, expect, it } from "vitest";
import { newHead } from "../../sidecar/scheduler/head.ts";
import { MemoryBudget } from "../../sidecar/scheduler/memory-budget.ts";
import { type ReadyItem, ReadyQueue } from "../../sidecar/scheduler/ready-queue.ts";

describe("the ready queue", () => {
  it("forgets void items and keeps the others in order, name by name", () => {
    const budget = new MemoryBudget(1_000_000);
    const queue = new ReadyQueue(budget);
    for (let at = 0; at < 100; at += 1) queue.push(item(at % 2 === 0 ? "A" : "B", at));
    expect(queue.take(() => true)?.workId).toBe(0n);
    queue.dropVoid(({ workId }) => workId % 4n >= 2n);
    expect(queue.size).toBe(49);
    const left: bigint[] = [];
    for (let next = queue.take(() => true); next; next = queue.take(() => true)) {
      left.push(next.workId);
    }
    expect(left).toHaveLength(49);
    expect(left.filter((id) => id % 2n === 0n)).toEqual(ascending(4, 96, 4));
    expect(left.filter((id) => id % 2n === 1n)).toEqual(ascending(1, 97, 4));
    expect([queue.size, budget.bytes]).toEqual([0, 0]);
  });
});

function ascending(first: number, last: number, step: number): readonly bigint[] {
  const length = (last - first) / step + 1;
  return Array.from({ length }, (_, index) => BigInt(first + index * step));
}

function item(name: string, workId: number): ReadyItem {
  return {
    kind: "activity",
    head: newHead("a"),
    number: 1n,
    workId: BigInt(workId),
    name,
    version: "",
    attempts: 0,
    avoid: undefined,
  };
}
