/** Work that no connected worker accepts: said when it lasts, and again when it is over. */
import { expect, it } from "vitest";
import { UnacceptedWork } from "../../sidecar/scheduler/unaccepted.ts";
import { keptLog } from "../support/log-lines.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { scheduleTask } from "../support/worker-actions.ts";

async function watched() {
  const hub = await openHub();
  const { log, lines } = keptLog();
  const unaccepted = new UnacceptedWork({
    clock: hub.steady,
    log,
    hubs: () => hub.hubs.all().map(({ scanned }) => scanned),
  });
  unaccepted.start();
  return {
    hub,
    unaccepted,
    said: () => lines.map(({ event, fields }) => `${event} ${fields.kind} ${fields.name}`),
    async [Symbol.asyncDispose]() {
      unaccepted.close();
      await hub[Symbol.asyncDispose]();
    },
  };
}

it("is counted by kind and name, with the time since when", async () => {
  await using world = await watched();
  const { hub, unaccepted } = world;
  const worker = hub.worker({ filters: { orchestrations: [{ name: "Main" }], activities: [] } });
  await hub.start("a");
  await worker.complete(await worker.turn("a"), [scheduleTask(1), scheduleTask(2)]);
  await hub.start("b", { name: "Mian" });
  await hub.start("c", { name: "Main" });
  await hub.pass(10_000);
  expect(unaccepted.figures()).toEqual([
    { taskHub: "default", kind: "turn", name: "Mian", items: 1, seconds: 0 },
    { taskHub: "default", kind: "activity", name: "Work", items: 2, seconds: 0 },
  ]);
  await hub.pass(20_000);
  expect(unaccepted.figures().map(({ seconds }) => seconds)).toEqual([20, 20]);
});

it("is said once when it lasts, again after ten minutes, and when it is over", async () => {
  await using world = await watched();
  const { hub, said } = world;
  await hub.start("a", { name: "Mian" });
  await hub.pass(10_000);
  expect(said()).toEqual([]);
  await hub.pass(10_000);
  await hub.pass(300_000);
  expect(said()).toEqual(["work.not_accepted turn Mian"]);
  await hub.pass(300_000);
  expect(said()).toEqual(["work.not_accepted turn Mian", "work.not_accepted turn Mian"]);
  const worker = hub.worker();
  await hub.pass(10_000);
  expect(said().slice(2)).toEqual(["work.accepted_again turn Mian"]);
  await worker.close();
});

it("is not said of an instance that has ended without a worker", async () => {
  await using world = await watched();
  const { hub, said, unaccepted } = world;
  await hub.start("a");
  await hub.terminate("a", "output", false);
  await hub.pass(10_000);
  expect(unaccepted.figures()).toEqual([]);
  await hub.pass(20_000);
  expect(said()).toEqual([]);
});

it("is not said of a worker that connects again at once", async () => {
  await using world = await watched();
  const { hub, said, unaccepted } = world;
  const worker = hub.worker({ turns: 1 });
  await hub.start("a");
  await hub.start("b");
  await worker.turn();
  await worker.close();
  await hub.pass(10_000);
  expect(unaccepted.figures()).toHaveLength(1);
  hub.worker();
  await hub.pass(60_000);
  expect(unaccepted.figures()).toEqual([]);
  expect(said()).toEqual([]);
});

it("has figures for a hundred names of a kind, and one for the rest", async () => {
  await using world = await watched();
  const { hub, unaccepted } = world;
  const starts = Array.from({ length: 120 }, (_, at) => hub.start(`a${at}`, { name: `N${at}` }));
  await Promise.all(starts);
  await hub.pass(10_000);
  const figures = unaccepted.figures();
  expect(figures).toHaveLength(101);
  expect(figures.find(({ name }) => name === "other")?.items).toBe(20);
});
