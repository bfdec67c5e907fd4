/** Watches of one instance. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../sidecar/foundation/limits.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, continueAsNew } from "../support/worker-actions.ts";
import { placeHold, placeTree, placeWindow, releaseWindow, watchInstance } from "./kit/watching.ts";

/** "event view (+skipped)", without tokens. */
function texts(
  answers: readonly { event: string; view: string | undefined; skipped: number }[],
): string[] {
  return answers.map(({ event, view, skipped }) =>
    [event, ...(view === undefined ? [] : [view]), ...(skipped === 0 ? [] : [`+${skipped}`])].join(
      " ",
    ),
  );
}

/** A watch of an instance "a" that runs, whose snapshot was read. */
async function watched(hub: TestHub, options: Parameters<typeof watchInstance>[2] = {}) {
  await hub.start("a");
  const watching = watchInstance(hub, "a", options);
  await hub.settled();
  watching.take();
  return watching;
}

async function replace(hub: TestHub): Promise<void> {
  const { PENDING, RUNNING, SUSPENDED, TERMINATED } = OrchestrationStatus;
  const replaceableStatus = [PENDING, RUNNING, SUSPENDED, TERMINATED];
  await hub.start("a", { policy: { replaceableStatus, legacyAction: 0 } });
}

describe("a watch of an instance", () => {
  it("shows the state, then each change once and in order, and ends with the last one", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    const watching = watchInstance(hub, "a");
    await hub.settled();
    const turn = await worker.turn("a");
    const steps = [
      () => worker.complete(turn, [], { customStatus: "first" }),
      () => hub.suspend("a"),
      () => placeHold(hub, "a", "audit"),
      () => hub.resume("a"),
      () => hub.raise("a", "Go"),
      () => placeHold(hub, "a", "audit"),
      () => hub.terminate("a"),
    ];
    for (const step of steps) {
      await step();
      await hub.settled();
    }
    expect(texts(watching.take())).toEqual([
      "snapshot a PENDING",
      'changed a RUNNING "first"',
      'changed a SUSPENDED "first" []',
      'changed a SUSPENDED "first" [, audit]',
      'changed a SUSPENDED "first" [audit]',
      'changed a SUSPENDED "first" [audit]',
      'finished a TERMINATED "first"',
    ]);
    expect(watching.ended).toBe("without an error");
  });

  it("says nothing of what nobody can see", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const watching = await watched(hub);
    await hub.raise("a", "One");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await worker.complete(await worker.turn("a"), [continueAsNew("1")]);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a RUNNING"]);
    await worker.complete(await worker.turn("a"), [continueAsNew("2")]);
    await hub.settled();
    expect(watching.take()).toEqual([]);
  });

  it("of a finished instance is one answer", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    const watching = watchInstance(hub, "a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["finished a TERMINATED"]);
    expect(watching.ended).toBe("without an error");
  });

  it("shows a slow reader the newest state, and counts what it has missed", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "a", { reads: false });
    await watching.pull();
    for (let round = 0; round < 500; round += 1) {
      await hub.suspend("a");
      await hub.resume("a");
    }
    expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["changed a PENDING +999"]);
  });

  it("counts exactly, also what one group of commits has made durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "a", { reads: false });
    await watching.pull();
    const changes: Promise<unknown>[] = [];
    for (let round = 0; round < 500; round += 1) {
      changes.push(hub.suspend("a"), hub.resume("a"));
    }
    await Promise.all(changes);
    const answer = await watching.pull();
    expect(answer).toMatchObject({ event: "changed", view: "a PENDING", skipped: 999 });
  });

  it("tells of a change that was undone before anybody looked", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "a", { reads: false });
    await watching.pull();
    await hub.suspend("a");
    await hub.resume("a");
    expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["changed a PENDING +1"]);
  });

  it("tells nothing before it is durable", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    hub.bytes.hold();
    const suspending = hub.suspend("a");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.release();
    await suspending;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED []"]);
  });

  it("that begins while the disk is slow shows what is decided once it is durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const suspending = hub.suspend("a");
    await hub.settled();
    const watching = watchInstance(hub, "a");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.release();
    await suspending;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["snapshot a SUSPENDED []"]);
  });

  it("is told once of two changes that become durable one after the other", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    hub.bytes.hold();
    const first = hub.suspend("a");
    await hub.settled();
    const second = placeHold(hub, "a", "audit");
    await hub.settled();
    hub.bytes.releaseOne();
    await hub.settled();
    hub.bytes.release();
    await Promise.all([first, second]);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED [, audit] +1"]);
  });

  it("goes on with the life that replaces the one that it has shown", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    await replace(hub);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["snapshot a PENDING"]);
    expect(watching.ended).toBeUndefined();
  });

  it("ends when the instance is purged before its end was read", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "a", { reads: false });
    await watching.pull();
    await hub.terminate("a");
    await hub.purge("a");
    void watching.readOn();
    await hub.settled();
    expect(texts(watching.take())).toEqual(["removed +1"]);
    expect(watching.ended).toBe("without an error");
  });

  it("ends with the deletion of the hub, also for a reader that reads later", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    const slow = watchInstance(hub, "a", { reads: false });
    await slow.pull();
    await hub.hub.delete();
    void slow.readOn();
    await hub.settled();
    for (const each of [watching, slow]) {
      expect(texts(each.take())).toEqual(["removed"]);
      expect(each.ended).toBe("without an error");
    }
  });

  it("of an unknown instance is refused", async () => {
    await using hub = await openHub();
    const watching = watchInstance(hub, "a");
    await hub.settled();
    expect(watching.ended).toMatchObject({ code: "instance-not-found" });
  });

  it("waits for an instance if it is asked to", async () => {
    await using hub = await openHub();
    const watching = watchInstance(hub, "a", { waitForCreation: true });
    await hub.settled();
    expect(watching.ended).toBeUndefined();
    await hub.start("a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["snapshot a PENDING"]);
  });

  it("ends with its call and at shutdown, and leaves nothing behind", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    const waiting = watchInstance(hub, "b", { waitForCreation: true });
    const { watches } = hub.hub;
    await hub.settled();
    expect(watches.count).toBe(2);
    waiting.cancel();
    await hub.settled();
    expect(waiting.ended).toMatchObject({ message: "the reader is gone" });
    await hub.hubs.drain(AbortSignal.abort());
    await hub.settled();
    expect(watching.ended).toMatchObject({ code: "unavailable" });
    expect(watches.count).toBe(0);
  });
});

describe("a watch with a minimum interval", () => {
  it("lets it pass between two answers, and no time when nothing changes", async () => {
    await using hub = await openHub();
    const watching = await watched(hub, { minIntervalMs: MINUTE });
    expect(hub.steady.alarms).toBe(0);
    await hub.suspend("a");
    await hub.pass(MINUTE - 1);
    await hub.resume("a");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await hub.pass(1);
    expect(texts(watching.take())).toEqual(["changed a PENDING +1"]);
    await hub.pass(MINUTE);
    await hub.suspend("a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED []"]);
    expect(hub.steady.alarms).toBe(0);
  });

  it("ends at shutdown while it lets time pass, and sets no alarm for nobody", async () => {
    await using hub = await openHub();
    const watching = await watched(hub, { minIntervalMs: MINUTE });
    await hub.suspend("a");
    await hub.settled();
    expect(hub.steady.alarms).toBe(1);
    await hub.hubs.drain(AbortSignal.abort());
    await hub.settled();
    expect(watching.ended).toMatchObject({ code: "unavailable" });
    expect(hub.steady.alarms).toBe(0);
  });
});

describe("a watch that comes back with a token", () => {
  /** The token of the newest state that a reader was shown. */
  async function tokenOf(hub: TestHub): Promise<string> {
    const watching = watchInstance(hub, "a", { reads: false });
    const { token = "" } = (await watching.pull()) ?? {};
    watching.cancel();
    return token;
  }

  it("is told nothing that it knows, and then every change", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "a", { resumeToken: await tokenOf(hub) });
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await hub.suspend("a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED []"]);
  });

  it("is told at once what has changed meanwhile", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const resumeToken = await tokenOf(hub);
    await hub.suspend("a");
    const watching = watchInstance(hub, "a", { resumeToken });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED []"]);
  });

  it("knows over a crash what it knew before", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a", "because");
    await placeWindow(hub, "night");
    const resumeToken = await tokenOf(hub);
    await hub.crash();
    const watching = watchInstance(hub, "a", { resumeToken });
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await releaseWindow(hub, "night");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a SUSPENDED []"]);
  });

  it("is shown another life from its beginning", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const resumeToken = await tokenOf(hub);
    await replace(hub);
    const watching = watchInstance(hub, "a", { resumeToken });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["snapshot a PENDING"]);
  });

  it("is told that the instance is gone", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const resumeToken = await tokenOf(hub);
    await hub.terminate("a");
    await hub.purge("a");
    const watching = watchInstance(hub, "a", { resumeToken });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["removed"]);
  });

  it("of the end ends at once", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.terminate("a");
    const watching = watchInstance(hub, "a", { resumeToken: await tokenOf(hub) });
    await hub.settled();
    expect([watching.take(), watching.ended]).toEqual([[], "without an error"]);
  });

  it("of another instance says nothing of one that does not exist", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const watching = watchInstance(hub, "b", { resumeToken: await tokenOf(hub) });
    await hub.settled();
    expect(watching.ended).toMatchObject({ code: "instance-not-found" });
  });

  it("of another instance, of another hub or of nobody's making begins anew", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const ofDeleted = await tokenOf(hub);
    await hub.hub.delete();
    await hub.start("a");
    await hub.start("b");
    const ofOther = (await watchInstance(hub, "b", { reads: false }).pull())?.token ?? "";
    for (const resumeToken of [ofDeleted, ofOther, "x", "%", "AAAA", `${ofOther}A`]) {
      const watching = watchInstance(hub, "a", { resumeToken });
      await hub.settled();
      expect(texts(watching.take())).toEqual(["snapshot a PENDING"]);
      watching.cancel();
    }
  });
});

describe("a watch of an instance that the hub holds", () => {
  it("sees windows and trees come and go", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    await placeWindow(hub, "night");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING [night]"]);
    await placeTree(hub, "a", "tree");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING [night, tree]"]);
    await releaseWindow(hub, "night");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING [tree]"]);
  });

  it("sees that a hold was replaced", async () => {
    await using hub = await openHub();
    await placeWindow(hub, "night");
    const watching = await watched(hub);
    await hub.pass(1);
    await placeWindow(hub, "night");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING [night]"]);
  });

  it("hears nothing of what does not cover it", async () => {
    await using hub = await openHub();
    await hub.start("b");
    const watching = await watched(hub);
    await placeTree(hub, "b", "tree");
    await hub.settled();
    expect(watching.take()).toEqual([]);
  });

  it("sees a window when it begins, and not before", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    await placeWindow(hub, "night", { startsAt: hub.clock.in(MINUTE) });
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await hub.pass(MINUTE);
    expect(texts(watching.take())).toEqual(["changed a PENDING [night]"]);
  });

  it("sees that it has not begun any more when the clock is set back, and sees it begin again", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    await placeWindow(hub, "night", { startsAt: hub.clock.in(MINUTE) });
    await hub.pass(MINUTE);
    watching.take();
    hub.clock.advance(-MINUTE);
    hub.hubs.clockSetBack();
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING"]);
    await hub.pass(MINUTE);
    expect(texts(watching.take())).toEqual(["changed a PENDING [night]"]);
  });

  it("sees it when it is durable", async () => {
    await using hub = await openHub();
    const watching = await watched(hub);
    hub.bytes.hold();
    const placing = placeWindow(hub, "night");
    await hub.settled();
    // Something else is noticed meanwhile: what is shown then is as new, and waits as long.
    const late = watchInstance(hub, "a");
    await hub.settled();
    expect([watching.take(), late.take()]).toEqual([[], []]);
    hub.bytes.release();
    await placing;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["changed a PENDING [night]"]);
    expect(texts(late.take())).toEqual(["snapshot a PENDING [night]"]);
  });
});

describe(`${LIMITS.watchersMax} watches`, () => {
  it("of one instance hear of its change without an alarm; one more is refused", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { alarms } = hub.clock;
    const all = Array.from({ length: LIMITS.watchersMax }, () => watchInstance(hub, "a"));
    await hub.settled();
    const more = watchInstance(hub, "a");
    await hub.settled();
    expect(more.ended).toMatchObject({ code: "limit-exceeded" });
    expect(all.every((each) => each.take().length === 1)).toBe(true);
    await hub.suspend("a");
    await hub.settled();
    const heard = new Set(all.flatMap((each) => texts(each.take())));
    expect([...heard]).toEqual(["changed a SUSPENDED []"]);
    expect([hub.steady.alarms, hub.clock.alarms]).toEqual([0, alarms]);
    for (const each of all) each.cancel();
    await hub.settled();
    expect(hub.hub.watches.count).toBe(0);
  });
});

/** `SEED=… RUNS=… npx vitest run test/scheduler/instance` looks further. */
const seed = Number(process.env.SEED ?? 20_260_101);
const numRuns = Number(process.env.RUNS ?? 100);

describe("whatever happens", () => {
  const steps = fc.array(
    fc.constantFrom(
      "suspend",
      "resume",
      "audit",
      "window",
      "release",
      "turn",
      "replace",
      "hold",
      "let",
    ),
    { maxLength: 25 },
  );

  async function play(hub: TestHub, step: string, at: number): Promise<void> {
    switch (step) {
      case "suspend":
        return void (await hub.suspend("a"));
      case "resume":
        return void (await hub.resume("a"));
      case "audit":
        return placeHold(hub, "a", "audit");
      case "window":
        return placeWindow(hub, "night");
      case "release":
        return releaseWindow(hub, "night").catch(() => {});
      case "replace":
        return replace(hub).catch(() => {});
      default: {
        await hub.raise("a", "Go").catch(() => {});
        const worker = hub.worker({ connection: `c${at}` });
        await hub.settled();
        const [turn] = worker.items;
        if (turn?.kind === "turn") {
          await worker.complete(turn, at % 9 === 8 ? [completed()] : [], {
            customStatus: `s${at}`,
          });
        }
        await worker.close();
      }
    }
  }

  it("the last that a watch has seen is how it is", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (sequence, crashes) => {
        await using hub = await openHub();
        await hub.start("a");
        let watching = watchInstance(hub, "a");
        await hub.settled();
        let last = watching.take().at(-1);
        let playing: Promise<void>[] = [];
        for (const [at, step] of sequence.entries()) {
          // The disk is slow for a while: what happens meanwhile is not waited for.
          if (step === "hold") hub.bytes.hold();
          else if (step === "let") hub.bytes.release();
          else playing.push(play(hub, step, at));
          await hub.settled();
          last = watching.take().at(-1) ?? last;
          if (!crashes || at !== 12 || watching.ended !== undefined) continue;
          await hub.crash();
          playing = [];
          watching = watchInstance(hub, "a", { resumeToken: last?.token ?? "" });
        }
        hub.bytes.release();
        await Promise.all(playing);
        await hub.settled();
        last = watching.take().at(-1) ?? last;
        const now = watchInstance(hub, "a", { reads: false });
        const state = await now.pull();
        now.cancel();
        expect([last?.view, last?.token]).toEqual([state?.view, state?.token]);
      }),
      { seed, numRuns },
    );
  });
});
