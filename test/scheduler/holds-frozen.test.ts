import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import {
  hold,
  holdHub,
  holdTree,
  release,
  releaseHub,
  releaseTree,
} from "../support/hold-calls.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, createTimer, startChild } from "../support/worker-actions.ts";
import { hasFired, sleeping } from "./kit/sleeping.ts";

const freeze = { freeze: true };
const kinds = [
  {
    kind: "an instance hold",
    place: (hub: TestHub) => hold(hub, "a", freeze),
    end: (hub: TestHub) => release(hub, "a"),
  },
  {
    kind: "a tree hold",
    place: (hub: TestHub) => holdTree(hub, "a", freeze),
    end: (hub: TestHub) => releaseTree(hub, "a"),
  },
  {
    kind: "a window",
    place: (hub: TestHub) => holdHub(hub, { ...freeze, selector: { instanceIdPrefix: "a" } }),
    end: (hub: TestHub) => releaseHub(hub),
  },
];

describe.each(kinds)("under $kind that freezes", ({ place, end }) => {
  it("a timer fires later by the time frozen, not before, and shows the time asked for", async () => {
    await using hub = await openHub();
    const fireAt = await sleeping(hub, 1_000);
    await hub.pass(400);
    await place(hub);
    await hub.pass(10_000);
    expect(await hasFired(hub)).toBe(false);
    await end(hub);
    await hub.pass(599);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
    const turn = await hub.worker().turn("a");
    expect(turn.request.newEvents.at(-1)?.eventType.value).toMatchObject({ timerId: 1, fireAt });
  });

  it("a timer of hours does so too", async () => {
    await using hub = await openHub();
    await sleeping(hub, 100 * MINUTE);
    await place(hub);
    await hub.pass(1_000 * MINUTE);
    await end(hub);
    await hub.pass(100 * MINUTE - 1);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("it does so over restarts, while frozen and after", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await hub.pass(400);
    await place(hub);
    await hub.crash({ downMs: 10_000 });
    expect(await hasFired(hub)).toBe(false);
    await end(hub);
    await hub.crash();
    await hub.pass(599);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("a timer that is due at the release goes on from where it stood", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await hub.pass(900);
    await place(hub);
    await hub.pass(100);
    await end(hub);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(99);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("others fire", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await sleeping(hub, 1_000, "b");
    await place(hub);
    await hub.pass(1_000);
    expect([await hasFired(hub), await hasFired(hub, "b")]).toEqual([false, true]);
  });

  it("overlapping freezes of all scopes count once", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await place(hub);
    await hub.pass(1_000);
    await hold(hub, "a", { ...freeze, name: "other" });
    await holdHub(hub, { ...freeze, name: "other" });
    await hub.pass(1_000);
    await end(hub);
    await hub.pass(1_000);
    await release(hub, "a", { name: "other" });
    await hub.pass(1_000);
    await releaseHub(hub, undefined, "other");
    // 4 s in all, and the timer had 1 s to go.
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("freezes one behind the other add up", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    for (let i = 0; i < 3; i += 1) {
      await place(hub);
      await hub.pass(5_000);
      await end(hub);
      await hub.pass(300);
    }
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(99);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("a release that a crash loses goes on freezing", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await place(hub);
    await hub.pass(2_000);
    hub.bytes.hold();
    void end(hub);
    await hub.settled();
    await hub.crash();
    await hub.pass(2_000);
    expect(await hasFired(hub)).toBe(false);
    await end(hub);
    await hub.pass(1_000);
    expect(await hasFired(hub)).toBe(true);
  });
});

describe("a window that freezes", () => {
  it("does so from its start on", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await holdHub(hub, { ...freeze, startsAt: hub.clock.in(600) });
    await hub.pass(600);
    await hub.pass(5_000);
    await releaseHub(hub);
    await hub.pass(399);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("lets timers go on when it expires", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await holdHub(hub, { ...freeze, expiresAt: hub.clock.in(5_000) });
    await hub.pass(5_000);
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("lets timers go on when its paced release begins", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    for (const id of ["b", "c"]) await hub.start(id);
    await holdHub(hub, freeze);
    await hub.pass(5_000);
    await releaseHub(hub, { instancesPerSecond: 0.001 });
    await hub.pass(1_000);
    expect(await hasFired(hub)).toBe(true);
  });

  it("that is replaced by one that keeps lets them go on", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await holdHub(hub, freeze);
    await hub.pass(5_000);
    await holdHub(hub, { replace: true });
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("does not freeze an instance that is created behind it", async () => {
    await using hub = await openHub();
    await holdHub(hub, freeze);
    await hub.pass(5_000);
    await releaseHub(hub);
    await sleeping(hub, 1_000);
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });

  it("holds back more due timers than one look takes, and lets all of them go on", async () => {
    await using hub = await openHub();
    const many = 40;
    for (let i = 0; i < many; i += 1) await sleeping(hub, 1_000, `i${i}`);
    await holdHub(hub, freeze);
    await hub.pass(2_000);
    await releaseHub(hub);
    await hub.pass(1_000);
    let fired = 0;
    for (let i = 0; i < many; i += 1) if (await hasFired(hub, `i${i}`)) fired += 1;
    expect(fired).toBe(many);
  });

  it("keeps the span when the log of the hub begins a generation, and over a restart", async () => {
    await using hub = await openHub();
    await sleeping(hub, 1_000);
    await holdHub(hub, freeze);
    await hub.pass(5_000);
    await releaseHub(hub);
    const reason = "x".repeat(LIMITS.reasonBytesMax);
    while (hub.hub.state?.generation === 1) {
      await holdHub(hub, { name: "f", reason, selector: { names: ["nobody"] } });
      await releaseHub(hub, undefined, "f");
    }
    await hub.crash();
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });
});

describe("a tree that freezes", () => {
  it("freezes timers of descendants, and lets them go on when its origin ends", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("root");
    await worker.complete(await worker.turn("root"), [startChild(1, "a")]);
    await worker.complete(await worker.turn("a"), [createTimer(1, hub.clock.in(1_000))]);
    await hub.raise("root", "E");
    const turn = await worker.turn("root");
    await holdTree(hub, "root", freeze);
    await hub.pass(5_000);
    expect(await hasFired(hub)).toBe(false);
    await worker.complete(turn, [completed()]);
    await hub.pass(999);
    expect(await hasFired(hub)).toBe(false);
    await hub.pass(1);
    expect(await hasFired(hub)).toBe(true);
  });
});

it("a change of holds fires what it lets go, and nothing else a second time", async () => {
  await using hub = await openHub();
  await sleeping(hub, 1_000, "frozen");
  for (const id of ["b", "c", "d"]) await sleeping(hub, 50_000, id);
  await holdHub(hub, { ...freeze, selector: { instanceIdPrefix: "frozen" } });
  await hub.pass(2_000);
  let fired = 0;
  const due = hub.hub.due.bind(hub.hub);
  hub.hub.due = (row) => {
    if (row.address.instanceId !== "frozen") fired += 1;
    return due(row);
  };
  for (let times = 0; times < 10; times += 1) {
    await holdTree(hub, "b", { name: "t" });
    await releaseTree(hub, "b", undefined, "t");
  }
  await hub.pass(50_000);
  expect(fired).toBe(3);
});
