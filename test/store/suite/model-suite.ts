import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryHistory, live } from "../../support/store-model.ts";
import type { OpenStore } from "./open-store.ts";

export function describeModel(open: OpenStore): void {
  describe("model", () => {
    test("any sequence of commits reads back as a simple model says", async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryHistory(["wait"]), async (history) => {
          await using store = await open((bytes) => bytes);
          const { expected, found } = await live(history, store, async (same) => same);
          expect(found).toEqual(expected);
        }),
      );
    });
  });
}
