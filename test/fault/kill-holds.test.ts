/**
 * T-KILL-HOLDS: a sidecar is killed in the middle of every step of a long script over `taskhub.v1`, at a commit of
 * it, and when the step is acknowledged. What it says of holds, custom status, contracts and events
 * is the same before and after; a step whose answer was lost has happened or has not.
 *
 * `SEED` repeats a run. The long form kills each step before, during and behind each of its commits,
 * one after the other, instead of at one of these moments.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { rig } from "../support/rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Random } from "./kill/random.ts";
import { type Facts, factsOf } from "./kill-holds/facts.ts";
import { HeldSidecar } from "./kill-holds/held-sidecar.ts";
import { script } from "./kill-holds/script.ts";
import type { Step } from "./kill-holds/step.ts";

const NEVER = "after:1000000";
const moments = ["before:1", "during:1", "after:1"] as const;
const it = rig("T-KILL-HOLDS");
const everywhere = it.count(0, 1) === 1;
const repeatsAfterKill = 4;

test("whatever was acknowledged about holds, custom status and events survives kill -9 at every step", {
  timeout: 1_200_000,
}, async () => {
  await using directory = await temporaryDirectory();
  await using victim = new HeldVictim(directory.path, new Random(it.seed));
  await victim.begin();
  const steps = script();
  for (const step of steps) await victim.survive(step);
  expect(await victim.end()).toEqual({ end: 0, complaints: [] });
  it.report({ steps: steps.length, kills: victim.kills });
});

class HeldVictim implements AsyncDisposable {
  kills = 0;
  readonly #directory: string;
  readonly #random: Random;
  readonly #complaints: unknown[] = [];
  readonly #answered: { readonly step: Step; readonly answer: unknown }[] = [];
  #sidecar: HeldSidecar | undefined;
  /** Where the kill switch of this life is set to. */
  #moment: string = NEVER;
  #facts: Facts = {};
  /** How much work of an instance this life has given out up to the last step. */
  readonly #given = new Map<string, number>();

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  async begin(): Promise<void> {
    await this.#start(this.#nextMoments()[0] ?? NEVER);
    this.#facts = await factsOf(this.#alive);
  }

  /** Kills the sidecar in the middle of the step, and again when it is acknowledged. */
  async survive(step: Step): Promise<void> {
    if (step.looksOnly) {
      await step.run(this.#alive);
      return;
    }
    const before = this.#facts;
    const between: { readonly moment: string; readonly facts: Facts }[] = [];
    // The first moment is that of the life which is there already.
    const rest = everywhere ? [...moments.slice(1), "after:1"] : [];
    for (const next of [...rest, NEVER]) {
      const died = this.#moment;
      if (await this.#ask(step)) break;
      await this.#restart(next);
      between.push({ moment: died, facts: await factsOf(this.#alive) });
    }
    // Only the life that is never killed by its switch has to get here.
    if (this.#answered.at(-1)?.step !== step) expect(await this.#ask(step)).toBe(true);

    const told = await factsOf(this.#alive).catch(whenKilled);
    const killsAgain = everywhere || between.length === 0 || this.#random.between(0, 3) === 0;
    if (told === undefined || killsAgain) {
      await this.#restart(this.#nextMoments()[0] ?? NEVER);
      this.#facts = await factsOf(this.#alive);
      if (told !== undefined) expect(this.#facts, `after ${step.name}`).toEqual(told);
      await this.#expectSameAnswers();
    } else {
      this.#facts = told;
      // What it was given in this life, it was given before something has held it.
      for (const instanceId of Object.keys(told.default?.instances ?? {})) {
        this.#given.set(instanceId, this.#alive.given(instanceId));
      }
    }
    for (const { moment, facts } of between) {
      if (step.inPieces) continue;
      const possible = moment.startsWith("before") ? [before] : [before, this.#facts];
      expect(possible, `${step.name}, killed ${moment}`).toContainEqual(facts);
    }
  }

  async end(): Promise<{ end: unknown; complaints: readonly unknown[] }> {
    return { end: await this.#alive.stop(), complaints: this.#complaints };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const complaints = (await this.#sidecar?.kill()) ?? [];
    // Behind a test that has failed: perhaps it knows why.
    if (complaints.length > 0) console.log(complaints);
  }

  get #alive(): HeldSidecar {
    if (this.#sidecar === undefined) throw new Error("there is no sidecar");
    return this.#sidecar;
  }

  #nextMoments(): readonly string[] {
    if (everywhere) return moments;
    return [this.#random.oneOf(["before:1", "during:1", "after:1", "after:1", "after:2", NEVER])];
  }

  /** @returns whether there was an answer */
  async #ask(step: Step): Promise<boolean> {
    const sidecar = this.#alive;
    await this.#expectHeld();
    await sidecar.arm();
    try {
      const answer = await step.run(sidecar);
      const { ends } = step;
      if (ends !== undefined) this.#forget(ends);
      this.#answered.push({ step, answer });
      return true;
    } catch (error) {
      whenKilled(error);
      return false;
    }
  }

  async #start(moment: string): Promise<void> {
    this.#moment = moment;
    this.#given.clear();
    this.#sidecar = await HeldSidecar.start({ directory: this.#directory, killAt: moment });
  }

  async #restart(moment: string): Promise<void> {
    this.kills += 1;
    this.#complaints.push(...(await this.#alive.kill()));
    await this.#start(moment);
  }

  /** Whatever something holds has not been given to a worker in this life. */
  async #expectHeld(): Promise<void> {
    const { v1 } = this.#alive;
    const { instances } = await v1.queryInstances({ filter: { held: true }, pageSize: 1_000 });
    if (Object.keys(this.#facts.default?.instances ?? {}).includes("witness")) {
      await this.#alive.turnOf("witness");
    }
    const held = instances.filter(({ holds }) => !holds.every((hold) => hold.pacedRelease));
    for (const { instanceId } of held) {
      const given = this.#alive.given(instanceId);
      const { inFlight } = await v1.getSuspension({ instanceId });
      const before = this.#given.get(instanceId) ?? 0;
      // What a worker had when the hold was placed it may keep.
      expect({ instanceId, given, inFlight: before === 0 ? inFlight : [] }).toEqual({
        instanceId,
        given: before,
        inFlight: [],
      });
    }
  }

  /** The newest requests, and some older ones, are answered as they were the first time. */
  async #expectSameAnswers(): Promise<void> {
    const repeatable = this.#answered.filter(({ step }) => step.repeatable);
    const chosen = repeatable.slice(-2);
    while (chosen.length < Math.min(repeatsAfterKill, repeatable.length)) {
      const at = this.#random.between(0, repeatable.length - 1);
      chosen.push(...repeatable.slice(at, at + 1));
    }
    for (const { step, answer } of chosen) {
      expect(await step.run(this.#alive), `${step.name}, again`).toEqual(answer);
    }
    expect(await factsOf(this.#alive)).toEqual(this.#facts);
  }

  #forget(instanceId: string): void {
    const kept = this.#answered.filter(({ step }) => step.about !== instanceId);
    this.#answered.splice(0, this.#answered.length, ...kept);
  }
}

/** Everything else but a lost answer is a failure of the test. */
function whenKilled(error: unknown): undefined {
  const lost = error instanceof Error ? (error.cause ?? error) : error;
  const isLost = lost === "Unavailable" || ConnectError.from(lost).code === Code.Unavailable;
  if (!isLost) throw error;
  return undefined;
}
