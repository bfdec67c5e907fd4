/** Worlds in which T-MODEL has found a defect, shrunk by it: they stay here. */
import { expect, it } from "vitest";
import { openHub } from "../support/scheduler-harness.ts";
import { finishAll } from "./kit/ending.ts";
import { play } from "./kit/play.ts";
import type { Step } from "./kit/steps.ts";
import { TestedWorld } from "./kit/tested-world.ts";

/**
 * A tree hold ended in the commit that told its parent of the end: the parent left memory because of
 * the hold, and was queued because of the news, so that it was in memory twice.
 */
const toldAndLetGo: readonly Step[] = [
  { kind: "connect" },
  { kind: "start", at: 11 },
  {
    kind: "turn",
    at: 0,
    actions: [
      { kind: "child", seconds: 0 },
      { kind: "timer", seconds: 1 },
    ],
    ends: "goes-on",
  },
  {
    kind: "tree",
    at: 7,
    wish: { name: "", policy: "KEEP", expiresIn: 1, expiry: "TERMINATE" },
    replace: false,
  },
  { kind: "turn", at: 0, actions: [{ kind: "child", seconds: 0 }], ends: "goes-on" },
  {
    kind: "tree",
    at: 12,
    wish: { name: "", policy: "KEEP", expiresIn: 1, expiry: "RESUME" },
    replace: false,
  },
  { kind: "letGo", at: 13, pace: { perSecond: 0, canaries: 0 } },
  { kind: "raise", at: 12 },
  {
    kind: "crash",
    seconds: 8,
    asked: [],
    keepsOne: false,
    reconnects: false,
    suspended: false,
  },
];

it("one turn of an instance is with workers, also when news and the end of a hold come in one commit", async () => {
  await using hub = await openHub({ idleHeadBytesMax: 0 });
  const world = new TestedWorld(hub, false);
  for (const step of toldAndLetGo) await play(world, step);
  await finishAll(world);
  expect(world.out).toEqual([]);
});
