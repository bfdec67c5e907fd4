/** One simulated machine with its clients and workers, and what they know of it. */
import type { RetentionPolicy } from "../../../sidecar/scheduler/retention-policy.ts";
import type { TaskHub } from "../../../sidecar/scheduler/task-hub.ts";
import type { EntityBatchForm } from "../../../sidecar/wire/entity-work-item.ts";
import type {
  ActivityRequest,
  OrchestratorRequest,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { Random } from "../../model/kit/random.ts";
import { WallClock } from "../../support/simulated-clock.ts";
import { DiskError, SimulatedDisk } from "../../support/simulated-disk.ts";
import { SimulatedLoop } from "../../support/simulated-loop.ts";
import { SimulatedProcess } from "../../support/simulated-process.ts";
import type { HandedOut, WorkerWorld } from "../../support/worker-world.ts";
import { compareWithDisk } from "./disk-checks.ts";
import { checkExpired } from "./expire.ts";
import { checkHandOut } from "./hand-outs.ts";
import { HoldOracle, type Moment } from "./hold-oracle.ts";
import { Ledgers } from "./ledgers.ts";
import { resultOf } from "./plan.ts";
import { RaisedEvents } from "./raised-events.ts";
import { RewoundResults } from "./rewound-results.ts";
import { type Life, Shadow } from "./shadow.ts";
import { ShadowChecks } from "./shadow-checks.ts";
import type { Swarm } from "./swarm.ts";
import { TimerMoves } from "./timer-moves.ts";
import { fetchPast } from "./turn-history.ts";
import { isUnanswered, Lost } from "./unanswered.ts";
import { violated } from "./violation.ts";

/** What seems to be stranded goes on within so much time: the longest back-off, and slow disks. */
const FOUND_WITHIN_MS = 90_000;

export class World implements WorkerWorld {
  readonly swarm: Swarm;
  readonly loop: SimulatedLoop;
  readonly wall: WallClock;
  readonly disk: SimulatedDisk;
  readonly shadow = new Shadow();
  readonly oracle = new HoldOracle();
  readonly checks: ShadowChecks;
  readonly raised = new RaisedEvents();
  readonly results = new RewoundResults();
  readonly timerMoves = new TimerMoves();
  readonly ledgers: Ledgers;
  /** Of the processes that start from now on. */
  retention: RetentionPolicy | undefined;
  readonly entityBatches: EntityBatchForm;
  /** Of workers and the network. */
  readonly random: Random;
  /** Of clients. */
  readonly clients: Random;
  process: SimulatedProcess | undefined;
  /** What has gone wrong first. */
  failure: Error | undefined;
  crashes = 0;
  exits = 0;
  handOuts = 0;
  historiesFetched = 0;
  lostReplies: number;
  #moment: Moment = 0;
  #checkedShadows = 0;
  /** Since when instances have had timers that nobody fires. */
  #late: ReadonlyMap<string, number> = new Map();

  constructor(swarm: Swarm, seed: number, entityBatches: EntityBatchForm) {
    this.swarm = swarm;
    this.entityBatches = entityBatches;
    this.lostReplies = swarm.lostReplies;
    this.loop = new SimulatedLoop(new Random(seed + 1));
    this.wall = new WallClock(this.loop, new Random(seed + 2));
    this.random = new Random(seed + 3);
    this.clients = new Random(seed + 4);
    const { loop } = this;
    const landed = this.#landed.bind(this);
    this.disk = new SimulatedDisk({ loop, random: new Random(seed + 5), landed });
    this.disk.faults.slowestMs = swarm.diskMs;
    this.ledgers = new Ledgers(() => this.wall.highestMs);
    this.checks = new ShadowChecks(
      this.shadow,
      () => this.wall.highestMs,
      (life) => this.#ended(life),
    );
  }

  /** The next place in the order of all that happens; identities are made of it. */
  moment(): Moment {
    this.#moment += 1;
    return this.#moment;
  }

  boot(): void {
    const { swarm, wall, disk } = this;
    const process = new SimulatedProcess({
      wall,
      disk,
      times: swarm.times,
      idleHeadBytesMax: swarm.idleHeadBytesMax,
      readyBytesMax: swarm.readyBytesMax,
      ids: { next: () => String(this.moment()).padStart(32, "0") },
      retention: this.retention,
      entityBatches: this.entityBatches,
      gaveUp: (gone, cause) => this.#gaveUp(gone, cause),
    });
    this.process = process;
    this.loop.trace("boot");
    void process.run();
  }

  /** The process and what was not durable are gone. */
  async crash(): Promise<void> {
    if (this.process === undefined) return;
    this.crashes += 1;
    this.loop.trace("crash");
    this.process.kill();
    this.process = undefined;
    this.disk.crash();
    this.#checkedShadows += 1;
    if (this.#checkedShadows <= 4) await this.checkShadow();
  }

  /** What was followed from write to write is what is on the disk. */
  async checkShadow(): Promise<void> {
    await compareWithDisk(this.shadow, this.disk.durable);
  }

  /** I1 to I7 of all that is in memory, between two events. @throws Violation */
  checkMemory(): void {
    const late = new Map<string, number>();
    for (const hub of this.process?.hubs?.all() ?? []) {
      for (const [instanceId, found] of hub.scanned.violations()) {
        const what = `${instanceId}: ${found.map((each) => `${each.invariant}: ${each.what}`)}`;
        if (found.some(({ stranded }) => stranded === undefined)) violated(what);
        // A start and a jump of the clock make things late at once; they go on a little later.
        const sinceMs = this.#late.get(`${hub.name} ${instanceId}`) ?? this.loop.nowMs;
        if (this.loop.nowMs - sinceMs > FOUND_WITHIN_MS) violated(what);
        late.set(`${hub.name} ${instanceId}`, sinceMs);
      }
    }
    this.#late = late;
  }

  /** @throws Lost, HubError what the hub refuses with */
  async call<T>(
    label: string,
    hub: string,
    ask: (hub: TaskHub) => Promise<T>,
    acked: (value: T) => void = () => {},
  ): Promise<T> {
    await this.loop.sleep(this.#latency(), label);
    const { process } = this;
    if (process?.hubs === undefined) throw new Lost(`${label}: nobody listens`);
    const answer = ask(process.hubs.get(hub)).then((value) => {
      // Only now is anybody told: whatever it says must be on the disk.
      if (process.isAlive) this.#guard(() => acked(value));
      return { value };
    });
    const outcome = await Promise.race([answer, process.died.promise]);
    if (outcome === undefined) throw new Lost(`${label}: the process has died`);
    await this.loop.sleep(this.#latency(), label);
    if (this.random.chance(this.lostReplies)) throw new Lost(`${label}: the reply was lost`);
    return outcome.value;
  }

  /** Reads a stream until `took` has enough. @throws Lost, HubError */
  async stream<T>(
    label: string,
    hub: string,
    open: (hub: TaskHub) => AsyncGenerator<T>,
    took: (item: T) => boolean,
  ): Promise<void> {
    await this.loop.sleep(this.#latency(), label);
    const { process } = this;
    if (process?.hubs === undefined) throw new Lost(`${label}: nobody listens`);
    const items = open(process.hubs.get(hub));
    try {
      // Ends with the process, with the stream, or when it is enough.
      for (;;) {
        const next = await Promise.race([items.next(), process.died.promise]);
        if (next === undefined || !process.isAlive) throw new Lost(`${label}: the process died`);
        if (next.done || took(next.value)) return;
        if (this.random.chance(this.lostReplies)) throw new Lost(`${label}: the stream was cut`);
      }
    } finally {
      // The server sees that nobody reads any more. Nobody waits for that.
      void items.return(undefined).catch(() => {});
    }
  }

  /** Asks until there is an answer. @throws HubError what the hub refuses with */
  async ask<T>(
    label: string,
    hub: string,
    ask: (hub: TaskHub) => Promise<T>,
    acked?: (value: T) => void,
  ): Promise<T> {
    // Ends when the process stays up for long enough.
    for (;;) {
      try {
        return await this.call(label, hub, ask, acked);
      } catch (error) {
        if (!isUnanswered(error)) throw error;
      }
      await this.loop.sleep(100 + this.clients.below(3_000), `${label} again`);
    }
  }

  handedOut(item: HandedOut): void {
    const { work, hub, instanceId, token } = item;
    this.handOuts += 1;
    this.loop.trace(`${work.kind} of ${hub}/${instanceId} goes out as ${Number(token)}`);
    this.#guard(() => checkHandOut(this, item));
  }

  pastEvents(hub: string, request: OrchestratorRequest) {
    return fetchPast(this, hub, request);
  }

  batchFails(ids: readonly string[]): void {
    this.ledgers.mayFail(ids);
  }

  activityResult(hub: string, request: ActivityRequest): { result?: string; failed?: string } {
    const { input = "", orchestrationInstance } = request;
    const [, rewinds] = /\.flaky(\d+)$/.exec(input) ?? [];
    const life = this.shadow.find(hub, orchestrationInstance?.instanceId ?? "");
    if (rewinds !== undefined && life !== undefined) {
      if (this.results.rewindsOf(life.number) < Number(rewinds)) return { failed: "rewind me" };
    }
    const [, attempt, failures] = /\.(\d+)\/(\d+)$/.exec(input) ?? [];
    if (attempt !== undefined && Number(attempt) < Number(failures)) return { failed: "not yet" };
    return { result: resultOf(input) };
  }

  /** Ends the run, unless it only says that there was no answer. */
  failed(error: unknown): void {
    if (isUnanswered(error)) return;
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  #landed(writes: Parameters<Shadow["apply"]>[0]): void {
    this.#guard(() => {
      this.shadow.apply(writes);
      const lives = [...this.shadow.touched].flatMap((number) => {
        const life = this.shadow.lives.get(number);
        return life === undefined ? [] : [life];
      });
      // Each hold and each jump of the clock may do so once, and a hold be placed by a lost call.
      const moves = 10 + 2 * (this.oracle.count + this.wall.jumps);
      for (const life of lives) {
        this.timerMoves.note(life, moves);
        this.raised.note(life);
        this.results.note(life);
      }
      this.ledgers.note(lives);
      for (const life of lives) checkExpired(life, this.retention);
      this.checks.look();
    });
  }

  #ended({ hub, state }: Life): void {
    for (const [name, number] of this.shadow.hubs) {
      if (number === hub) this.oracle.instanceEnded(name, state.instanceId, this.#moment);
    }
  }

  #gaveUp(process: SimulatedProcess, cause: unknown): void {
    if (process !== this.process) return;
    this.loop.trace(`the process gives up: ${cause}`);
    if (!(cause instanceof DiskError)) this.failed(cause);
    this.exits += 1;
    this.crash().catch((error: unknown) => this.failed(error));
    // A supervisor starts it again.
    this.loop.after(500 + this.random.below(2_000), "supervisor", () => {
      if (this.process === undefined) this.boot();
    });
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.failed(error);
    }
  }

  #latency(): number {
    return this.random.below(this.random.chance(5) ? 2_000 : 20);
  }
}
