/** Watches of all instances of a hub. */
import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InstancesAnswer } from "../../sidecar/scheduler/instances-watch.ts";
import { OrchestrationStatus } from "../../sidecar/wire/gen/orchestrator_service_pb.ts";
import {
  CustomStatusConditionSchema,
  InstanceStatus,
} from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { MINUTE, openHub, type TestHub } from "../support/scheduler-harness.ts";
import { continueAsNew } from "../support/worker-actions.ts";
import {
  type HubWatchOptions,
  placeHold,
  placeWindow,
  releaseWindow,
  watchInstances,
} from "./kit/watching.ts";

type Answer = InstancesAnswer<string>;

/** One line for each answer, without tokens. */
function texts(answers: readonly Answer[]): string[] {
  return answers.map((answer) => {
    switch (answer.event) {
      case "instance":
        return `${answer.view}${answer.skipped === 0 ? "" : ` +${answer.skipped}`}`;
      case "removed":
        return `removed ${answer.instanceId}${answer.skipped === 0 ? "" : ` +${answer.skipped}`}`;
      case "holds":
        return `holds ${answer.holds.map(({ hold }) => hold?.name).join()}`;
      default:
        return answer.event;
    }
  });
}

function tokenOf(answer: Answer | undefined): string {
  return answer === undefined || answer.event === "reset" ? "" : answer.token;
}

/** A watch whose snapshot was read. */
async function watched(hub: TestHub, options: HubWatchOptions = {}) {
  const watching = watchInstances(hub, options);
  await hub.settled();
  const snapshot = watching.take();
  expect(texts(snapshot).at(-1)).toBe("live");
  return { watching, token: tokenOf(snapshot.at(-1)) };
}

async function terminateAndPurge(hub: TestHub, instanceId: string): Promise<void> {
  await hub.terminate(instanceId);
  await hub.purge(instanceId);
}

/** Readers have time to read what each step has done. */
async function oneByOne(hub: TestHub, steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) {
    await step();
    await hub.settled();
  }
}

describe("a watch of a hub", () => {
  it("begins with what there is, then shows each change once and in order", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.pass(1);
    await hub.start("b");
    const watching = watchInstances(hub);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["reset", "a PENDING", "b PENDING", "live"]);
    await oneByOne(hub, [
      () => hub.suspend("b"),
      () => hub.start("c"),
      () => hub.resume("b"),
      () => hub.terminate("a"),
      () => hub.purge("a"),
    ]);
    expect(texts(watching.take())).toEqual([
      "b SUSPENDED []",
      "c PENDING",
      "b PENDING",
      "a TERMINATED",
      "removed a",
    ]);
    expect(watching.ended).toBeUndefined();
  });

  it("of a hub that does not exist waits for its first instance", async () => {
    await using hub = await openHub();
    const { watching } = await watched(hub);
    await hub.start("a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a PENDING"]);
  });

  it("begins with what is on the disk too", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    for (const id of ["a", "b", "c"]) await hub.start(id);
    await hub.crash({ recovers: false });
    const watching = watchInstances(hub);
    await hub.settled();
    expect(texts(watching.take()).sort()).toEqual(
      ["reset", "a PENDING", "b PENDING", "c PENDING", "live"].sort(),
    );
  });

  it("begins with each instance once, however many pages of them there are", async () => {
    await using hub = await openHub();
    const ids = Array.from({ length: 1_100 }, (_, at) => `a${at}`);
    await Promise.all(ids.map((id) => hub.start(id)));
    const watching = watchInstances(hub);
    await hub.settled();
    const expected = ["reset", ...ids.map((id) => `${id} PENDING`), "live"];
    expect(texts(watching.take()).sort()).toEqual(expected.sort());
  });

  it("shows a slow reader each instance once, and counts what it has missed", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { token } = await watched(hub);
    const watching = watchInstances(hub, { resumeToken: token, reads: false });
    expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["live"]);
    await hub.start("b");
    for (let round = 0; round < 500; round += 1) {
      await hub.suspend("a");
      await hub.resume("a");
    }
    await hub.start("c");
    await hub.suspend("b");
    void watching.readOn();
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a PENDING +999", "c PENDING", "b SUSPENDED [] +1"]);
  });

  it("shows nothing before it is durable, and once what became durable in two steps", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { watching } = await watched(hub);
    hub.bytes.hold();
    const first = hub.suspend("a");
    await hub.settled();
    const second = placeHold(hub, "a", "audit");
    const third = hub.start("b");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.releaseOne();
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.release();
    await Promise.all([first, second, third]);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a SUSPENDED [, audit] +1", "b PENDING"]);
  });

  it("that begins while the disk is slow misses nothing that is decided", async () => {
    await using hub = await openHub();
    await hub.start("a");
    hub.bytes.hold();
    const starting = hub.start("b");
    await hub.settled();
    const watching = watchInstances(hub);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["reset"]);
    hub.bytes.release();
    await starting;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a PENDING", "b PENDING", "live"]);
  });

  it("shows once what changes while the snapshot is read", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.start("b");
    const watching = watchInstances(hub, { reads: false });
    expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["reset"]);
    expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["a PENDING"]);
    await hub.suspend("a");
    await hub.suspend("b");
    await hub.start("c");
    void watching.readOn();
    await hub.settled();
    expect(texts(watching.take())).toEqual([
      "b SUSPENDED []",
      "live",
      "a SUSPENDED []",
      "c PENDING",
    ]);
  });

  it("shows a purged instance that is created anew as it is", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { token } = await watched(hub);
    await terminateAndPurge(hub, "a");
    await hub.start("a");
    await hub.start("b");
    await terminateAndPurge(hub, "b");
    const watching = watchInstances(hub, { resumeToken: token });
    await hub.settled();
    // Nobody has ever heard of b.
    expect(texts(watching.take())).toEqual(["live", "a PENDING +2"]);
  });

  it("starts over when the hub is deleted", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { watching, token } = await watched(hub);
    hub.bytes.hold();
    const deleting = hub.hub.delete();
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.release();
    await deleting;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["reset", "live"]);
    await hub.start("b");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["b PENDING"]);
    const late = watchInstances(hub, { resumeToken: token });
    await hub.settled();
    expect(texts(late.take())).toEqual(["reset", "b PENDING", "live"]);
  });

  it("ends with its call and at shutdown, and leaves nothing behind", async () => {
    await using hub = await openHub();
    const { watching } = await watched(hub);
    const { watching: resting } = await watched(hub, { minIntervalMs: MINUTE });
    const { watching: canceled } = await watched(hub);
    const { watches } = hub.hub;
    canceled.cancel();
    await hub.settled();
    expect(canceled.ended).toMatchObject({ message: "the reader is gone" });
    expect(watches.count).toBe(2);
    await hub.hubs.drain(AbortSignal.abort());
    await hub.settled();
    for (const each of [watching, resting]) {
      expect(each.ended).toMatchObject({ code: "unavailable" });
    }
    expect([watches.count, hub.steady.alarms]).toEqual([0, 0]);
  });
});

describe("a watch that comes back with a token", () => {
  it("is shown what changed meanwhile, and nothing twice", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.start("b");
    const { watching, token } = await watched(hub);
    watching.cancel();
    await hub.suspend("a");
    await hub.start("c");
    await hub.resume("a");
    const again = watchInstances(hub, { resumeToken: token });
    await hub.settled();
    expect(texts(again.take())).toEqual(["live", "c PENDING", "a PENDING +1"]);
  });

  it("goes on in the middle of what it was shown", async () => {
    await using hub = await openHub();
    const ids = ["a", "b", "c", "d"];
    const { token } = await watched(hub);
    for (const id of ids) await hub.start(id);
    for (const id of ids) await hub.suspend(id);
    const seen: string[] = [];
    let resumeToken = token;
    for (let at = 0; at < ids.length; at += 1) {
      const watching = watchInstances(hub, { resumeToken, reads: false });
      expect(texts([(await watching.pull()) ?? expect.fail()])).toEqual(["live"]);
      const answer = (await watching.pull()) ?? expect.fail();
      seen.push(...texts([answer]));
      resumeToken = tokenOf(answer);
      watching.cancel();
    }
    expect(seen).toEqual(ids.map((id) => `${id} SUSPENDED [] +1`));
    const last = watchInstances(hub, { resumeToken });
    await hub.settled();
    expect(texts(last.take())).toEqual(["live"]);
  });

  it("of an instance that left the filter in two steps is told of it, wherever it goes on", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const filter = { statuses: [InstanceStatus.PENDING] };
    const { token } = await watched(hub, { filter });
    await hub.suspend("a");
    await hub.start("b");
    await hub.terminate("a");
    const first = watchInstances(hub, { filter, resumeToken: token, reads: false });
    await first.pull();
    const answer = await first.pull();
    expect(texts([answer ?? expect.fail()])).toEqual(["b PENDING"]);
    const again = watchInstances(hub, { filter, resumeToken: tokenOf(answer) });
    await hub.settled();
    expect(texts(again.take())).toEqual(["live", "a TERMINATED +1"]);
  });

  it("starts over after a crash, with another filter, and with a token of nobody's making", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { token } = await watched(hub);
    const [id, checksum, ...rest] = Buffer.from(token, "base64url").toString().split(" ");
    const [at] = rest;
    const forged = [
      [99, 99, 99],
      [at, at, 99],
      [at, -1, at],
      ["x", "y"],
    ].map((numbers) => Buffer.from([id, checksum, ...numbers].join(" ")).toString("base64url"));
    const tokens = ["x", token.slice(1), ...forged];
    const filter = { instanceIdPrefix: "a" };
    const anew = [
      ...tokens.map((resumeToken) => watchInstances(hub, { resumeToken })),
      watchInstances(hub, { resumeToken: token, filter }),
    ];
    await hub.settled();
    await hub.crash();
    anew.push(watchInstances(hub, { resumeToken: token }));
    await hub.settled();
    for (const each of anew) expect(texts(each.take())).toEqual(["reset", "a PENDING", "live"]);
  });

  it("starts over with a token that stands between two changes", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const first = watchInstances(hub);
    await hub.settled();
    await hub.start("b");
    await hub.settled();
    const token = tokenOf(first.take().at(-1));
    const [id, checksum] = Buffer.from(token, "base64url").toString().split(" ");
    for (const numbers of ["0.5 0.5 1", "0 0.5 1", "0 1e-7 1", "0 0 0.5"]) {
      const resumeToken = Buffer.from(`${id} ${checksum} ${numbers}`).toString("base64url");
      const again = watchInstances(hub, { resumeToken });
      await hub.settled();
      expect(texts(again.take())).toEqual(["reset", "a PENDING", "b PENDING", "live"]);
      expect(again.ended).toBe(undefined);
    }
  });

  it("may say its tags in another order", async () => {
    await using hub = await openHub();
    const { token } = await watched(hub, { filter: { tags: { a: "1", b: "2" } } });
    const again = watchInstances(hub, {
      filter: { tags: { b: "2", a: "1" } },
      resumeToken: token,
    });
    await hub.settled();
    expect(texts(again.take())).toEqual(["live"]);
  });
});

describe("a filtered watch", () => {
  it("shows what matches, and what does not match any more", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.start("b");
    await hub.suspend("b");
    const suspended = await watched(hub, { filter: { statuses: [InstanceStatus.SUSPENDED] } });
    const held = await watched(hub, { filter: { held: true } });
    const named = await watched(hub, { filter: { holdName: "audit" } });
    const prefixed = await watched(hub, { filter: { instanceIdPrefix: "b" } });
    await oneByOne(hub, [
      () => hub.suspend("a"),
      () => placeHold(hub, "a", "audit"),
      () => hub.resume("a"),
      () => hub.resume("b"),
      () => hub.terminate("a"),
      () => hub.terminate("b"),
      () => hub.purge("b"),
    ]);
    const a = ["a SUSPENDED []", "a SUSPENDED [, audit]", "a SUSPENDED [audit]"];
    expect(texts(suspended.watching.take())).toEqual([...a, "b PENDING", "a TERMINATED"]);
    expect(texts(held.watching.take())).toEqual([...a, "b PENDING", "a TERMINATED"]);
    expect(texts(named.watching.take())).toEqual([...a.slice(1), "a TERMINATED"]);
    expect(texts(prefixed.watching.take())).toEqual(["b PENDING", "b TERMINATED", "removed b"]);
  });

  it("knows what was before of an instance that only the disk had", async () => {
    await using hub = await openHub({ idleHeadBytesMax: 0 });
    await hub.start("a");
    await hub.suspend("a");
    await hub.crash();
    const held = await watched(hub, { filter: { held: true } });
    await hub.raise("a", "Nothing to see");
    await hub.settled();
    expect(held.watching.take()).toEqual([]);
    await hub.resume("a");
    await hub.settled();
    expect(texts(held.watching.take())).toEqual(["a PENDING"]);
  });

  it("knows the version before and the life before", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { version: "1" });
    await worker.complete(await worker.turn("a"));
    await hub.raise("a", "Go");
    const { watching } = await watched(hub, { filter: { versions: ["1"] } });
    const [action] = [continueAsNew("1")];
    if (action?.orchestratorActionType.case === "completeOrchestration") {
      action.orchestratorActionType.value.newVersion = "2";
    }
    await worker.complete(await worker.turn("a"), [action]);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a RUNNING"]);
    await hub.suspend("a");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    const { PENDING, RUNNING, SUSPENDED, TERMINATED } = OrchestrationStatus;
    const replaceableStatus = [PENDING, RUNNING, SUSPENDED, TERMINATED];
    await hub.start("a", { version: "1", policy: { replaceableStatus, legacyAction: 0 } });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a PENDING"]);
  });

  it("refuses conditions that need more than a watch remembers", async () => {
    await using hub = await openHub();
    const filters = [
      { customStatus: [create(CustomStatusConditionSchema)] },
      { heldLongerThan: create(DurationSchema, { seconds: 1n }) },
    ];
    for (const filter of filters) {
      expect(() => watchInstances(hub, { filter })).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    }
  });
});

describe("holds of the hub in a watch", () => {
  it("are part of the snapshot, and come anew when they change; instances do not", async () => {
    await using hub = await openHub();
    await placeWindow(hub, "night");
    await hub.start("a");
    const watching = watchInstances(hub);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["reset", "holds night", "a PENDING [night]", "live"]);
    await placeWindow(hub, "audit", { startsAt: hub.clock.in(MINUTE) });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["holds night,audit"]);
    await hub.pass(MINUTE);
    expect(texts(watching.take())).toEqual(["holds night,audit"]);
    await releaseWindow(hub, "night");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["holds audit"]);
  });

  it("come once to a slow reader, in their place", async () => {
    await using hub = await openHub();
    const { token } = await watched(hub);
    await placeWindow(hub, "night");
    await hub.start("a");
    await releaseWindow(hub, "night");
    await hub.start("b");
    const watching = watchInstances(hub, { resumeToken: token });
    await hub.settled();
    expect(texts(watching.take())).toEqual(["live", "a PENDING", "holds ", "b PENDING"]);
  });

  it("are not told before they are durable", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { watching } = await watched(hub);
    hub.bytes.hold();
    const placing = placeWindow(hub, "night");
    await hub.settled();
    const late = watchInstances(hub);
    await hub.settled();
    expect([watching.take(), texts(late.take())]).toEqual([[], ["reset"]]);
    hub.bytes.release();
    await placing;
    await hub.settled();
    expect(texts(watching.take())).toEqual(["holds night"]);
    expect(texts(late.take())).toEqual(["holds night", "a PENDING [night]", "live"]);
  });

  it("are not told either because others are that came before", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { watching } = await watched(hub);
    hub.bytes.hold();
    const first = placeWindow(hub, "night");
    await hub.settled();
    const second = placeWindow(hub, "audit");
    await hub.settled();
    hub.bytes.releaseOne();
    await hub.settled();
    expect(watching.take()).toEqual([]);
    hub.bytes.release();
    await Promise.all([first, second]);
    await hub.settled();
    expect(texts(watching.take())).toEqual(["holds night,audit"]);
  });
});

describe("a watch of a hub with a minimum interval", () => {
  it("lets it pass between two answers about the same instance", async () => {
    await using hub = await openHub();
    await hub.start("a");
    const { watching } = await watched(hub, { minIntervalMs: MINUTE });
    await hub.suspend("a");
    await hub.pass(MINUTE - 1);
    await hub.resume("a");
    await hub.settled();
    expect(watching.take()).toEqual([]);
    await hub.pass(1);
    expect(texts(watching.take())).toEqual(["a PENDING +1"]);
    await hub.pass(MINUTE);
    expect(hub.steady.alarms).toBe(0);
    await hub.suspend("a");
    await hub.settled();
    expect(texts(watching.take())).toEqual(["a SUSPENDED []"]);
  });
});

describe("a watch that the changes have overtaken", () => {
  it("starts over with what there is now", async () => {
    await using hub = await openHub({ watchedChangesMax: 10 });
    await hub.start("a");
    const { token } = await watched(hub);
    const slow = watchInstances(hub, { resumeToken: token, reads: false });
    await slow.pull();
    for (let at = 0; at < 11; at += 1) await hub.start(`b${at}`);
    void slow.readOn();
    const late = watchInstances(hub, { resumeToken: token });
    await hub.settled();
    for (const each of [slow, late]) {
      const [first, ...rest] = texts(each.take());
      expect(first).toBe("reset");
      expect(rest).toHaveLength(13);
      expect(rest.at(-1)).toBe("live");
    }
    await hub.suspend("a");
    await hub.settled();
    expect([texts(slow.take()), texts(late.take())]).toEqual([
      ["a SUSPENDED []"],
      ["a SUSPENDED []"],
    ]);
  });

  it("in the middle of a batch starts over too", async () => {
    await using hub = await openHub({ watchedChangesMax: 4 });
    const { token } = await watched(hub);
    for (const id of ["a", "b", "c"]) await hub.start(id);
    const slow = watchInstances(hub, { resumeToken: token, reads: false });
    await slow.pull();
    expect(texts([(await slow.pull()) ?? expect.fail()])).toEqual(["a PENDING"]);
    for (const id of ["d", "e", "f"]) await hub.start(id);
    await hub.terminate("b");
    void slow.readOn();
    await hub.settled();
    const [first, ...rest] = texts(slow.take());
    expect(first).toBe("reset");
    expect(rest).toContain("b TERMINATED");
    expect(rest).toHaveLength(7);
  });
});

/** `SEED=… RUNS=… npx vitest run test/scheduler/instance` looks further. */
const seed = Number(process.env.SEED ?? 20_260_101);
const numRuns = Number(process.env.RUNS ?? 200);

describe("whatever happens", () => {
  const ids = ["a", "b", "c"];
  const action = fc.tuple(
    fc.constantFrom(...ids),
    fc.constantFrom(
      "start",
      "suspend",
      "resume",
      "audit",
      "terminate",
      "purge",
      "window",
      "release",
      "hold",
      "let",
      "read",
      "leave",
    ),
  );

  async function play(hub: TestHub, [id, what]: [string, string]): Promise<unknown> {
    switch (what) {
      case "start":
        return hub.start(id);
      case "suspend":
        return hub.suspend(id);
      case "resume":
        return hub.resume(id);
      case "audit":
        return placeHold(hub, id, "audit");
      case "terminate":
        return hub.terminate(id);
      case "purge":
        return hub.purge(id);
      case "window":
        return placeWindow(hub, "night");
      default:
        return releaseWindow(hub, "night");
    }
  }

  /** What a reader knows from its answers, but for holds of the hub, which it adds itself. */
  class Reader {
    readonly instances = new Map<string, string>();
    holds = "";
    token = "";

    read(answers: readonly Answer[]): void {
      for (const answer of answers) {
        this.token = tokenOf(answer);
        if (answer.event === "reset") {
          this.instances.clear();
          this.holds = "";
        }
        if (answer.event === "holds") this.holds = texts([answer])[0] ?? "";
        if (answer.event === "removed") this.instances.delete(answer.instanceId);
        if (answer.event !== "instance") continue;
        const view = answer.view.replace(/,? ?night/, "").replace(" []", "");
        this.instances.set(view.slice(0, 1), view);
      }
      if (this.holds === "holds ") this.holds = "";
    }
  }

  it.each([1_000, 5])("the reader knows how it is, with %d changes in memory", async (max) => {
    const options = { watchedChangesMax: max };
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (script) => {
        await using hub = await openHub(options);
        const reader = new Reader();
        let watching = watchInstances(hub, { reads: false });
        let reads = false;
        for (const step of script) {
          const [, what] = step;
          if (what === "hold") hub.bytes.hold();
          else if (what === "let") hub.bytes.release();
          else if (what === "read" && !reads) {
            reads = true;
            void watching.readOn();
          } else if (what === "leave") {
            watching.cancel();
            await hub.settled();
            reader.read(watching.take());
            watching = watchInstances(hub, { resumeToken: reader.token, reads: false });
            reads = false;
          } else play(hub, step).catch(() => {});
          await hub.settled();
        }
        hub.bytes.release();
        if (!reads) void watching.readOn();
        await hub.settled();
        reader.read(watching.take());
        const now = new Reader();
        const anew = watchInstances(hub);
        await hub.settled();
        now.read(anew.take());
        expect([[...reader.instances].sort(), reader.holds]).toEqual([
          [...now.instances].sort(),
          now.holds,
        ]);
      }),
      { seed, numRuns },
    );
  });
});
