/** What a check and a backup make of rewound instances, also of those whose mail is on its way. */
import { describe, expect, it } from "vitest";
import { checkBytes } from "../../sidecar/store/ordered/check.ts";
import type { Problem } from "../../sidecar/store/ordered/check-findings.ts";
import { exported, importFile } from "../support/backup-files.ts";
import { releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { newEvents } from "../support/worker.ts";
import { completed, failed, scheduleTask, startChild } from "../support/worker-actions.ts";

async function problemsOf(hub: TestHub): Promise<readonly string[]> {
  const problems: Problem[] = [];
  await checkBytes(hub.bytes, { onProblem: (problem) => void problems.push(problem) });
  return problems.map(({ what }) => what);
}

/** A parent of more history than one value takes has failed with its child. */
async function failLarge(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  await hub.start("parent");
  for (const id of [1, 2, 3]) {
    await worker.complete(await worker.turn("parent"), [scheduleTask(id)]);
    await worker.finish(await worker.activity("parent"), `${id}`.repeat(600_000));
  }
  await worker.complete(await worker.turn("parent"), [startChild(4, "child")]);
  await worker.complete(await worker.turn("child"), [failed("broken")]);
  await worker.complete(await worker.turn("parent"), [failed("broken")]);
  await worker.close();
  await hub.settled();
}

/** The parent is rewound, and its child has not heard of it. */
async function rewindHalf(hub: TestHub): Promise<void> {
  await failLarge(hub);
  await hub.crash();
  hub.bytes.hold(1);
  void hub.hub.reruns.rewind({ instanceId: "parent", reason: "again" });
  await hub.settled();
  await hub.crash({ recovers: false });
  expect(await hub.stored("parent")).toMatchObject({
    state: { outbox: [{ body: { case: "rewindChild" } }] },
  });
  expect(await hub.stored("child")).toMatchObject({ state: { generation: 1 } });
}

async function completeBoth(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  await worker.complete(await worker.turn("child"), [completed("well")]);
  let turn = await worker.turn("parent");
  if (newEvents(turn).length === 1) {
    await worker.complete(turn);
    turn = await worker.turn("parent");
  }
  expect(newEvents(turn).slice(1)).toEqual(["subOrchestrationInstanceCompleted 4"]);
  await worker.complete(turn, [completed()]);
  expect(await hub.status("parent")).toBe("COMPLETED");
}

describe("a check", () => {
  it("finds nothing wrong before, between and behind the steps of a rewind", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await rewindHalf(hub);
    expect(await problemsOf(hub)).toEqual([]);
    await hub.crash();
    expect(await problemsOf(hub)).toEqual([]);
    await completeBoth(hub);
    await hub.settled();
    expect(await problemsOf(hub)).toEqual([]);
  });
});

describe("a backup", () => {
  it("takes a rewind along that is half done, and it goes on in the other store", async () => {
    await using source = await openHub({ idleHeadBytesMax: 0 });
    await using target = await openHub();
    await rewindHalf(source);
    await target.hubs.get("other").create();
    await importFile(target.hubs, await exported(source.hubs));
    expect(await problemsOf(target)).toEqual([]);
    const { number: parent } = (await target.stored("parent"))?.state ?? {};
    await releaseHub(target, undefined, "import");
    await target.settled();
    const child = await target.stored("child");
    expect(child?.state.parent?.number).toBe(parent);
    await completeBoth(target);
  });
});
