/** PROTOCOL.md 2.3, 3.3 and 3.4: completion tokens, work that is given back, and work that is lost. */
import { completed } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual, expectThat } from "../check.ts";
import { kinds, onlyEvent } from "../events.ts";

/** A detached item comes back after at most this long: PROTOCOL.md 3.4. */
const GRACE_MS = 40_000;

export const tokenChecks: readonly Check[] = [
  {
    id: "2.3/unknown-token",
    traps: ["T9"],
    title: "a completion with a token that is not known is OK, and changes nothing",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      const { request, newEvents, pastEvents } = turn;
      const forged = { token: crypto.randomUUID(), request, newEvents, pastEvents };
      await worker.complete(forged, [completed('"forged"')]);
      await context.expectStatus(instanceId, "PENDING");
      await worker.complete(turn, [completed('"mine"')]);
      expectEqual("the output", (await context.ended(instanceId)).output, '"mine"');
    },
  },
  {
    id: "2.3/completed-twice",
    traps: ["T9"],
    title: "a turn that is completed twice is committed once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await worker.complete(turn, [completed('"first"')]);
      await worker.complete(turn, [completed('"second"')]);
      expectEqual("the output", (await context.ended(instanceId)).output, '"first"');
    },
  },
  {
    id: "2.3/no-token",
    traps: ["T10"],
    title: "turns and activities can be completed without a token, as the Go SDK does",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      await worker.complete({ ...turn, token: "" }, [task(0, { name: context.name("Work") })]);
      const activity = await worker.activity();
      await worker.finish({ ...activity, token: "" }, { result: '"w"' });
      const next = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(next.newEvents, "taskCompleted").result, '"w"');
      await worker.complete({ ...next, token: "" }, [completed('"end"')]);
      expectEqual("the output", (await context.ended(instanceId)).output, '"end"');
    },
  },
  {
    id: "2.3/tokens-differ",
    title: "tokens are not empty, and differ for each dispatch",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const tokens = new Set<string>();
      for (let at = 0; at < 3; at += 1) {
        await context.raise(instanceId, `e${at}`);
        tokens.add((await worker.answer([], instanceId)).token);
      }
      expectEqual("the number of different tokens", tokens.size, 3);
      expectThat(!tokens.has(""), "expected tokens, but one is empty");
    },
  },
  {
    id: "2.3/abandon-turn",
    traps: ["T37"],
    title: "an abandoned turn comes again with the same events and another token",
    async run(context) {
      const instanceId = await context.start({ input: "1" });
      await context.raise(instanceId, "e");
      const worker = context.worker();
      const first = await worker.turn(instanceId);
      const { token: completionToken } = first;
      await context.client.abandonTaskOrchestratorWorkItem({ completionToken });
      const again = await worker.turn(instanceId);
      expectThat(again.token !== first.token, "expected another token, but it is the same");
      expectEqual("the new events", kinds(again.newEvents), kinds(first.newEvents));
      await worker.complete(first, [completed('"stale"')]);
      await worker.complete(again, [completed('"second"')]);
      expectEqual("the output", (await context.ended(instanceId)).output, '"second"');
    },
  },
  {
    id: "2.3/abandon-activity",
    traps: ["T37"],
    title: "an abandoned activity comes again with another token",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([task(1, { name: context.name("Work"), input: "[1]" })], instanceId);
      const first = await worker.activity();
      const { token: completionToken } = first;
      await context.client.abandonTaskActivityWorkItem({ completionToken });
      const again = await worker.activity();
      expectThat(again.token !== first.token, "expected another token, but it is the same");
      expectEqual("the input", again.request.input, "[1]");
      await worker.finish(first, { result: '"stale"' });
      await worker.finish(again, { result: '"second"' });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"second"');
    },
  },
  {
    id: "2.3/abandon-unknown",
    title: "abandoning what is not known is OK",
    async run(context) {
      const request = { completionToken: crypto.randomUUID() };
      await context.client.abandonTaskOrchestratorWorkItem(request);
      await context.client.abandonTaskActivityWorkItem(request);
    },
  },
  {
    id: "2.3/abandon-unknown-entity",
    title: "abandoning a batch of an entity that is not known is OK",
    async run(context) {
      const request = { completionToken: crypto.randomUUID() };
      await context.client.abandonTaskEntityWorkItem(request);
    },
  },
  {
    id: "3.4/answer-after-the-stream",
    traps: ["T32"],
    // What is handed to a stream that the service takes for open comes back after the grace.
    patienceMs: GRACE_MS,
    title: "what a worker holds can be answered when it has ended its stream",
    async run(context) {
      const { orchestrations, activities } = context.filters();
      const worker = context.worker({ workItemFilters: { orchestrations } });
      const instanceId = await context.start();
      const turn = await worker.turn(instanceId);
      worker.close();
      await worker.ended;
      const second = context.worker({ workItemFilters: { activities } });
      await worker.complete(turn, [task(1, { name: context.name("Work") })]);
      const activity = await second.activity();
      second.close();
      await second.ended;
      const third = context.worker();
      await second.finish(activity, { result: '"late"' });
      const { newEvents } = await third.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"late"');
    },
  },
  {
    id: "3.4/lost-turn",
    patienceMs: GRACE_MS,
    title: "a turn whose worker and connection are gone comes again with another token",
    async run(context) {
      const lost = context.worker({ ownConnection: true });
      const instanceId = await context.start();
      const first = await lost.turn(instanceId);
      context.loseConnections();
      const worker = context.worker();
      const again = await worker.turn(instanceId);
      expectThat(again.token !== first.token, "expected another token, but it is the same");
      await worker.complete(first, [completed('"stale"')]);
      await worker.complete(again, [completed('"second"')]);
      expectEqual("the output", (await context.ended(instanceId)).output, '"second"');
    },
  },
  {
    id: "3.4/lost-activity",
    patienceMs: GRACE_MS,
    title: "an activity whose worker and connection are gone comes again with another token",
    async run(context) {
      const lost = context.worker({ ownConnection: true });
      const instanceId = await context.start();
      await lost.answer([task(1, { name: context.name("Work") })], instanceId);
      const first = await lost.activity();
      context.loseConnections();
      const worker = context.worker();
      const again = await worker.activity();
      expectThat(again.token !== first.token, "expected another token, but it is the same");
      await worker.finish(again, { result: '"second"' });
      const { newEvents } = await worker.turn(instanceId);
      expectEqual("the result", onlyEvent(newEvents, "taskCompleted").result, '"second"');
    },
  },
];
