/** What every store must do. Run against each of them. */
import { describe } from "vitest";
import { describeDurability } from "./suite/durability-suite.ts";
import { describeGarbage } from "./suite/garbage-suite.ts";
import { describeIndexes } from "./suite/index-suite.ts";
import { describeLogs } from "./suite/log-suite.ts";
import { describeModel } from "./suite/model-suite.ts";
import type { OpenStore } from "./suite/open-store.ts";
import { describeQueryIndexes } from "./suite/query-index-suite.ts";

export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    describeDurability(open);
    describeLogs(open);
    describeIndexes(open);
    describeQueryIndexes(open);
    describeGarbage(open);
    describeModel(open);
  });
}
