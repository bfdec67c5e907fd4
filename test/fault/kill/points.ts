/** Moments in which a sidecar is killed that no clock would hit, told as calls of its disk. */
import type { FaultRule } from "../shim/shim.ts";
import type { Random } from "./random.ts";

type Point = Pick<FaultRule, "call" | "when" | "first" | "pattern">;

/** While it serves. */
function underLoad(random: Random): Point {
  const when = random.oneOf<FaultRule["when"]>(["before", "after"]);
  return random.oneOf<Point>([
    // A commit is written and not durable; or durable, and nobody was told.
    { call: "sync", when: "before", first: random.between(1, 30), pattern: "*.log" },
    { call: "sync", when: "after", first: random.between(1, 30), pattern: "*.log" },
    // Memtables become tables, and tables are compacted.
    { call: "create", when: "before", first: 1, pattern: "*.log" },
    { call: "sync", when, first: random.between(1, 3), pattern: "*.ldb" },
    { call: "sync", when, first: 1, pattern: "*MANIFEST-*" },
    { call: "unlink", when, first: random.between(1, 3), pattern: "*" },
  ]);
}

/** While it opens its directory and goes on with what was under way. */
function whileRising(random: Random): Point {
  const when = random.oneOf<FaultRule["when"]>(["before", "after"]);
  return random.oneOf<Point>([
    { call: "open", when: "before", first: random.between(1, 12), pattern: "db/*" },
    { call: "create", when: "before", first: random.between(1, 5), pattern: "db/*" },
    { call: "sync", when, first: random.between(1, 8), pattern: "*" },
    { call: "rename", when, first: random.between(1, 2), pattern: "*" },
    { call: "unlink", when, first: random.between(1, 4), pattern: "*" },
  ]);
}

export function drawPoint(random: Random, moment: "under load" | "while rising"): FaultRule {
  const draw = moment === "under load" ? underLoad : whileRising;
  return { action: "kill", ...draw(random) };
}
