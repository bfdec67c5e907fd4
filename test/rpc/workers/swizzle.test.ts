/**
 * T-NET: the network stops one worker after the other, until none is left, and revives them in
 * another order; some come back to a connection that was reset meanwhile. All work completes, once.
 */
import { expect, it } from "vitest";
import { Random } from "../../fault/kill/random.ts";
import type { CompatWorker } from "../../support/compat-worker.ts";
import { rig } from "../../support/rig.ts";
import type { Link, TcpProxy } from "../../support/tcp-proxy.ts";
import { completed, scheduleTask } from "../../support/worker-actions.ts";
import { openWorkers, type WorkersWorld } from "./kit/world.ts";

const STREAMS = 20;
/**
 * Instances that are started in each round. What the stopped workers have, one turn each, leaves
 * enough for the others to go on.
 */
const STARTED = STREAMS * 3;

/** Turns that have been committed, and whoever waits for more of them. */
class Progress {
  #turns = 0;
  #wanted: { readonly turns: number; readonly reached: () => void } | undefined;

  note(): void {
    this.#turns += 1;
    if (this.#wanted !== undefined && this.#turns >= this.#wanted.turns) this.#wanted.reached();
  }

  more(turns: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = { turns: this.#turns + turns, reached: resolve };
    return promise;
  }
}

/** One activity, and the end. */
async function serve(worker: CompatWorker, progress: Progress): Promise<void> {
  const turns = async () => {
    for (;;) {
      const turn = await worker.turn();
      const isFirst = turn.request.pastEvents.length === 0;
      await worker.complete(turn, [isFirst ? scheduleTask(1) : completed("done")]);
      progress.note();
    }
  };
  const activities = async () => {
    for (;;) await worker.finish(await worker.activity(), { result: "1" });
  };
  await Promise.race([turns(), activities()]);
}

async function addWorker(world: WorkersWorld, proxy: TcpProxy, progress: Progress): Promise<Link> {
  const limits = { maxConcurrentOrchestrationWorkItems: 1, maxConcurrentActivityWorkItems: 2 };
  const worker = await world.worker({ address: proxy.address, ...limits });
  // Until its connection is reset.
  serve(worker, progress).catch(() => {});
  return proxy.link;
}

it("all work completes, once, over streams that stop one by one and come back in any order", async () => {
  const net = rig("T-NET swizzle");
  const random = new Random(net.seed);
  const rounds = net.count(2, 60);
  const done = { streams: STREAMS, rounds, stops: 0, resets: 0 };
  await using world = await openWorkers();
  const proxy = await world.proxy();
  const progress = new Progress();
  const ids: string[] = [];
  let links: Link[] = [];
  for (let at = 0; at < STREAMS; at += 1) links.push(await addWorker(world, proxy, progress));
  for (let round = 0; round < rounds; round += 1) {
    const started = Array.from({ length: STARTED }, (_, at) => `i${round}-${at}`);
    ids.push(...started);
    await Promise.all(started.map((id) => world.start(id)));
    for (const link of shuffled(links, random)) {
      await progress.more(1);
      for (const direction of ["toServer", "toClient"] as const) link.pause(direction);
      done.stops += 1;
    }
    // What was lost more than once waits before it comes back.
    await world.hub.pass(60_000);
    const alive: Link[] = [];
    for (const link of shuffled(links, random)) {
      if (random.between(1, 4) === 1) {
        link.reset();
        done.resets += 1;
        alive.push(await addWorker(world, proxy, progress));
        continue;
      }
      for (const direction of ["toServer", "toClient"] as const) link.resume(direction);
      alive.push(link);
    }
    links = alive;
  }
  let isOver = false;
  const ends = Promise.all(ids.map((id) => world.end(id))).finally(() => {
    isOver = true;
  });
  // What was lost in the last round needs time to come back.
  while (!isOver) await world.hub.pass(1_000);
  expect(await ends).toEqual(ids.map(() => ({ status: "COMPLETED", output: "done" })));
  for (const id of ids) {
    const kinds = (await world.hub.history(id)).map(({ eventType }) => eventType.case);
    expect(kinds.filter((kind) => kind === "taskScheduled" || kind === "taskCompleted")).toEqual([
      "taskScheduled",
      "taskCompleted",
    ]);
  }
  expect(world.internalErrors).toEqual([]);
  net.report({ ...done, instances: ids.length });
});

function shuffled<T>(from: readonly T[], random: Random): T[] {
  const left = [...from];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.between(0, left.length - 1), 1));
  return order;
}
