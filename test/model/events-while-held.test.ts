/** T-SUSP: events that are raised while an instance is held arrive in order, once, after the release. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { rig } from "../support/rig.ts";
import { openHub, type TestHub, watch } from "../support/scheduler-harness.ts";
import type { ScriptedWorker } from "../support/worker.ts";
import { completed, continueAsNew, sendEvent } from "../support/worker-actions.ts";
import { hold, letGo, type Scope, scopes } from "./kit/hold-commands.ts";

/** `SEED=… npx vitest run test/model/events` repeats a run, `RIG_LONG=1` looks further. */
const susp = rig("T-SUSP, events");
const stories = susp.count(150, 10_000);

type Step = "raise" | "raise many" | "send" | "crash" | "worker" | "turn" | "turn continues as new";

interface Story {
  readonly scope: Scope;
  readonly policy: "KEEP" | "FREEZE";
  readonly ends: "release" | "paced" | "expiry";
  /** Events that are raised before the hold is placed. */
  readonly before: number;
  readonly while: readonly Step[];
  readonly idleHeadBytesMax: number;
}

const story: fc.Arbitrary<Story> = fc.record({
  scope: fc.constantFrom(...scopes),
  policy: fc.constantFrom("KEEP", "FREEZE"),
  ends: fc.constantFrom("release", "paced", "expiry"),
  before: fc.nat(3),
  while: fc.array(
    fc.constantFrom<Step>(
      "raise",
      "raise",
      "raise many",
      "send",
      "crash",
      "worker",
      "turn",
      "turn continues as new",
    ),
    { minLength: 1, maxLength: 12 },
  ),
  idleHeadBytesMax: fc.constantFrom(0, 1_000_000),
});

it("events raised while held arrive in order, once, after the release", {
  timeout: susp.count(1, 30) * 60_000,
}, async () => {
  let events = 0;
  const property = fc.asyncProperty(story, async ({ idleHeadBytesMax, ...told }) => {
    await using hub = await openHub({ idleHeadBytesMax });
    events += await tell(hub, told);
  });
  await fc.assert(property, { seed: susp.seed, numRuns: stories });
  susp.report({ stories, events });
});

/** @returns how many events were raised */
async function tell(
  hub: TestHub,
  { scope, policy, ends, before, while: steps }: Omit<Story, "idleHeadBytesMax">,
): Promise<number> {
  const world = new World(hub);
  await hub.start("a");
  const first = await world.worker.turn("a");
  for (let count = 0; count < before; count += 1) await world.raise();
  const expiry = ends === "expiry" ? { expiresIn: 10 } : {};
  await hold(hub, scope, { policy, ...expiry });
  world.turn = first;
  for (const step of steps) await world.play(step);
  await world.answer([]);
  expect(await world.worker.waiting(), "handed out while held").toEqual([]);
  if (ends === "expiry") await hub.pass(10_000);
  else await letGo(hub, scope, ends === "paced" && scope !== "instance");
  await world.drain();
  expect(world.got).toEqual(world.raised);
  return world.raised.length;
}

class World {
  worker: ScriptedWorker;
  turn: Awaited<ReturnType<ScriptedWorker["turn"]>> | undefined;
  readonly raised: string[] = [];
  readonly got: string[] = [];
  readonly #hub: TestHub;
  #senders = 0;

  constructor(hub: TestHub) {
    this.#hub = hub;
    this.worker = hub.worker({ filters: undefined });
  }

  async raise(): Promise<void> {
    await this.#hub.raise("a", "Event", this.#next());
  }

  async play(step: Step): Promise<void> {
    const hub = this.#hub;
    switch (step) {
      case "raise":
        return this.raise();
      case "raise many": {
        const calls = Array.from({ length: 5 }, () => hub.raise("a", "Event", this.#next()));
        await Promise.all(calls);
        return;
      }
      case "send":
        return this.#send();
      case "crash": {
        // One that is not acknowledged may be lost, and here it is.
        hub.bytes.hold();
        const lost = watch(hub.raise("a", "Event", "lost"));
        await hub.settled();
        expect(lost.state).toBe("pending");
        this.turn = undefined;
        await hub.crash();
        this.worker = hub.worker();
        return;
      }
      case "worker":
        await this.worker.close();
        this.worker = hub.worker();
        return;
      case "turn":
        return this.answer([]);
      case "turn continues as new":
        return this.answer([continueAsNew("next")]);
    }
  }

  /** Answers the turn that a worker had when the hold came. */
  async answer(actions: Parameters<ScriptedWorker["complete"]>[1]): Promise<void> {
    const { turn } = this;
    this.turn = undefined;
    if (turn === undefined) return;
    this.#note(turn);
    await this.worker.complete(turn, actions);
  }

  async drain(): Promise<void> {
    for (;;) {
      // Ends: every turn takes events, and no more are raised.
      if ((await this.worker.waiting()).length === 0) return;
      const turn = await this.worker.turn("a");
      this.#note(turn);
      await this.worker.complete(turn);
    }
  }

  /** An orchestration sends it, from an instance that nothing holds. */
  async #send(): Promise<void> {
    this.#senders += 1;
    const id = `sender${this.#senders}`;
    await this.#hub.start(id);
    const waiting = await this.worker.waiting();
    // A whole-hub window holds senders as well.
    if (!waiting.includes(`turn ${id}`)) {
      await this.#hub.terminate(id);
      return;
    }
    const turn = await this.worker.turn(id);
    await this.worker.complete(turn, [sendEvent(1, "a", "Event", this.#next()), completed()]);
    await this.#hub.settled();
  }

  #next(): string {
    this.raised.push(String(this.raised.length + 1));
    return String(this.raised.length);
  }

  #note({ request }: NonNullable<World["turn"]>): void {
    for (const { eventType } of request.newEvents) {
      if (eventType.case === "eventRaised") this.got.push(eventType.value.input ?? "");
    }
  }
}
