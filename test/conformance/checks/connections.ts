/** PROTOCOL.md 3.1 and 3.4: connections that idle, and streams that end while they hold work. */
import { connect } from "node:http2";
import { completed, createTimer } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, CheckFailure, expectEqual } from "../check.ts";
import type { CheckContext } from "../context.ts";
import { fromNow, kinds } from "../events.ts";

const SLOW_MS = 90_000;
const PING_EVERY_MS = 10_000;
const PINGS = 4;
const HELD_MS = 65_000;
const GRACE_MS = 40_000;

/** Pings of HTTP/2 over a connection without calls. @throws CheckFailure when it is ended */
async function pingWithoutCalls(context: CheckContext): Promise<void> {
  const session = connect(`http://${context.address}`);
  const ended = new Promise<never>((_, reject) => {
    const fail = (what: string) => () =>
      reject(new CheckFailure(`expected pings to be answered, but got ${what}`));
    session.on("error", fail("an error"));
    session.on("goaway", fail("GOAWAY"));
    session.on("close", fail("the end of the connection"));
  });
  ended.catch(() => {});
  context.signal.addEventListener("abort", () => session.destroy());
  const ping = () =>
    new Promise<void>((resolve, reject) => {
      session.ping((error) => (error === null ? resolve() : reject(error)));
    });
  const pause = () => new Promise((resolve) => setTimeout(resolve, PING_EVERY_MS));
  await Promise.race([new Promise((resolve) => session.once("connect", resolve)), ended]);
  for (let at = 0; at < PINGS; at += 1) {
    await Promise.race([ping(), ended]);
    await Promise.race([pause(), ended]);
  }
  session.removeAllListeners();
  session.on("error", () => {});
  session.destroy();
}

export const connectionChecks: readonly Check[] = [
  {
    id: "3.1/keepalive-pings",
    slow: true,
    patienceMs: SLOW_MS,
    title: "a client that pings every 10 s, also without calls, keeps its connection",
    run: pingWithoutCalls,
  },
  {
    id: "3.2/metadata-of-workers",
    title: "a stream with the metadata keys of the managed packages gets work",
    async run(context) {
      const instanceId = await context.start();
      const headers = {
        authorization: "Bearer none",
        "x-user-agent": "durabletask-python/1.9.0",
        workerid: "host,1,5a1c6f3e",
      };
      const { signal } = context;
      const request = { workItemFilters: context.filters() };
      const items = context.client.getWorkItems(request, { headers, signal });
      const taken = context.waits.during(
        "a turn",
        (async () => {
          for await (const { request: item, completionToken } of items) {
            if (item.case !== "orchestratorRequest") continue;
            if (item.value.instanceId === instanceId) return completionToken;
          }
          throw new CheckFailure("expected a turn, but the stream has ended");
        })(),
      );
      const actions = [completed("1")];
      const completionToken = await taken;
      await context.client.completeOrchestratorTask({ instanceId, completionToken, actions });
      await context.endedAs(instanceId, "COMPLETED");
    },
  },
  {
    id: "3.4/detached-turn-holds",
    patienceMs: GRACE_MS,
    title:
      "a turn whose stream has ended holds its instance: no second one is handed out beside it",
    async run(context) {
      const first = context.worker();
      const instanceId = await context.start();
      const turn = await first.turn(instanceId);
      first.close();
      await first.ended;
      const second = context.worker();
      await context.raise(instanceId, "e");
      const barrier = await context.start({ instanceId: context.id("barrier") });
      const { request } = await second.completeNext("1");
      expectEqual("the instance of the next turn", request.instanceId, barrier);
      await first.complete(turn);
      const { newEvents } = await second.turn(instanceId);
      expectEqual("the new events", kinds(newEvents), ["orchestratorStarted", "eventRaised"]);
    },
  },
  {
    id: "3.5/long-activity",
    traps: ["T18"],
    slow: true,
    patienceMs: SLOW_MS,
    title:
      "an activity that takes more than a minute is not handed out again while its stream lives",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      await worker.answer([task(1, { name }), createTimer(2, fromNow(HELD_MS))], instanceId);
      const activity = await worker.activity();
      const { newEvents } = await worker.answer([], instanceId);
      expectEqual("what comes first", kinds(newEvents), ["orchestratorStarted", "timerFired"]);
      const handedOut = worker.received.filter(({ request }) => request.case === "activityRequest");
      expectEqual("how often it was handed out", handedOut.length, 1);
      await worker.finish(activity, { result: '"slow"' });
      const next = await worker.turn(instanceId);
      expectEqual("its result", kinds(next.newEvents), ["orchestratorStarted", "taskCompleted"]);
    },
  },
];
