/** PROTOCOL.md 4.12: custom status, responses in parts, events that were not processed. */
import { completed, continueAsNew } from "../../support/worker-actions.ts";
import { task } from "../actions.ts";
import { type Check, expectEqual } from "../check.ts";
import { eventsOf, kinds } from "../events.ts";

export const responseChecks: readonly Check[] = [
  {
    id: "4.12/custom-status",
    traps: ["T22"],
    title: "the custom status is replaced by every turn, and cleared by one without",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const answers = [
        { customStatus: '"a"' },
        { customStatus: '"b"' },
        {},
        { customStatus: '""' },
      ];
      const seen: (string | undefined)[] = [];
      for (const [at, more] of answers.entries()) {
        await context.raise(instanceId, `e${at}`);
        await worker.answer([], instanceId, more);
        seen.push((await context.state(instanceId)).customStatus);
      }
      // Readers do not tell an absent status from an empty one.
      expectEqual(
        "the custom statuses",
        seen.map((status) => status ?? ""),
        ['"a"', '"b"', "", '""'],
      );
    },
  },
  {
    id: "4.12/custom-status-cleared-by-empty",
    traps: ["T22"],
    title: "an empty custom status clears it",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId, { customStatus: '"a"' });
      await context.raise(instanceId, "go");
      await worker.answer([], instanceId, { customStatus: "" });
      expectEqual("the status", (await context.state(instanceId)).customStatus ?? "", "");
    },
  },
  {
    id: "4.12/custom-status-at-the-end",
    title: "the custom status stays readable when the instance has ended",
    async run(context) {
      const instanceId = await context.start();
      await context.worker().answer([completed("1")], instanceId, { customStatus: '"last"' });
      expectEqual("the status", (await context.ended(instanceId)).customStatus, '"last"');
    },
  },
  {
    id: "4.12/chunks",
    traps: ["T33"],
    title: "an answer in parts is committed with its last part, and a repeated part counts once",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      const name = context.name("Work");
      const turn = await worker.turn(instanceId);
      const part = (chunkIndex: number, isPartial: boolean) => ({
        isPartial,
        chunkIndex,
        ...(chunkIndex === 0 ? {} : { numEventsProcessed: 0 }),
      });
      await worker.complete(turn, [task(0, { name })], part(0, true));
      await worker.complete(turn, [task(1, { name })], part(1, true));
      await worker.complete(turn, [task(1, { name })], part(1, true));
      await context.expectStatus(instanceId, "PENDING");
      await worker.complete(turn, [task(2, { name })], part(2, false));
      await context.expectStatus(instanceId, "RUNNING");
      await context.raise(instanceId, "go");
      const { pastEvents } = await worker.turn(instanceId);
      const scheduled = pastEvents.filter(({ eventType }) => eventType.case === "taskScheduled");
      expectEqual(
        "the ids of the activities",
        scheduled.map(({ eventId }) => eventId),
        [0, 1, 2],
      );
      for (const taskId of [0, 1, 2]) await worker.activity(taskId);
    },
  },
  {
    id: "4.12/events-not-processed",
    title: "numEventsProcessed gives the rest of the events back to the next turn",
    async run(context) {
      const instanceId = await context.start();
      for (const name of ["a", "b"]) await context.raise(instanceId, name);
      const worker = context.worker();
      await worker.answer([], instanceId, { numEventsProcessed: 3 });
      const { newEvents, pastEvents } = await worker.turn(instanceId);
      const names = (events: typeof newEvents) =>
        eventsOf(events, "eventRaised").map(({ name }) => name);
      expectEqual("the events of the past", names(pastEvents), ["a"]);
      expectEqual("the new events", names(newEvents), ["b"]);
    },
  },
  {
    id: "4.12/requires-history",
    title: "requiresHistory means that nothing was done: the turn comes again",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([], instanceId, { customStatus: '"kept"' });
      await context.raise(instanceId, "e");
      const { token } = await worker.answer([], instanceId, { requiresHistory: true });
      const again = await worker.turn(instanceId);
      expectEqual("the token is another one", again.token !== token, true);
      expectEqual("the new events", kinds(again.newEvents), ["orchestratorStarted", "eventRaised"]);
      expectEqual("the custom status", (await context.state(instanceId)).customStatus, '"kept"');
    },
  },
  {
    id: "4.11/custom-status-kept",
    title: "the custom status is kept over continue-as-new until the next commit",
    async run(context) {
      const worker = context.worker();
      const instanceId = await context.start();
      await worker.answer([continueAsNew("2")], instanceId, { customStatus: '"kept"' });
      await worker.turn(instanceId);
      expectEqual("the status", (await context.state(instanceId)).customStatus, '"kept"');
    },
  },
];
