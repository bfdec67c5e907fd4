/** How much of the heap the caches may take: a small container has a small heap. */
import { getHeapStatistics } from "node:v8";
import { LIMITS } from "../foundation/limits.ts";

export interface MemoryBudgets {
  readonly idleHeadBytesMax: number;
  readonly readyBytesMax: number;
}

/** What the program takes before it has anything to do. */
const baseBytes = 64 * 1024 * 1024;

/** @param heapBytes what V8 lets the heap grow to: `--max-old-space-size`, or what it makes of the machine */
export function memoryBudgets(heapBytes = getHeapStatistics().heap_size_limit): MemoryBudgets {
  const spareBytes = Math.max(0, heapBytes - baseBytes);
  return {
    idleHeadBytesMax: Math.min(LIMITS.idleHeadBytesMax, Math.floor(spareBytes / 5)),
    readyBytesMax: Math.min(LIMITS.readyBytesMax, Math.floor(spareBytes / 10)),
  };
}
