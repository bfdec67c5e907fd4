/** The rows that queries read follow from the states of instances, over whole lives. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noReply } from "../../sidecar/engine/repeat.ts";
import type { InstanceState } from "../../sidecar/engine/state.ts";
import { isTerminal } from "../../sidecar/engine/status.ts";
import {
  ExpiryAction,
  Kind,
  Status,
  TimerPolicy,
} from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { completed, continueAsNew, failed } from "../support/worker-actions.ts";
import { CHILDREN, INSTANCES, steps } from "./kit/random-steps.ts";
import { RandomWorld } from "./kit/random-world.ts";

const CLASSES = ["live", "completed", "failed", "terminated", "canceled"] as const;
const MANY = 1_000;

/** Every row of a hub as plain data, in order. */
async function rowsOf(hub: TestHub, number: bigint | undefined): Promise<unknown[]> {
  const { store } = hub;
  const rows: unknown[] = [];
  if (number === undefined) return rows;
  for (const each of CLASSES) {
    for (const { time, instanceId, row } of await store.readQuery(
      number,
      each,
      {},
      undefined,
      MANY,
    )) {
      const { version, tags, parentInstanceId: parent, completedAt, name } = row;
      const what = { life: row.number, name, version, tags: { ...tags }, parent };
      rows.push(["query", each, ms(time), instanceId, { ...what, end: ms(completedAt) }]);
    }
  }
  for (const { time, instanceId, row } of await store.readCompleted(number, {}, undefined, MANY)) {
    rows.push(["completed", ms(time), instanceId, row.number, row.status, ms(row.createdAt)]);
  }
  for (const { time, number: life, name, row } of await store.readHeld(
    number,
    {},
    undefined,
    MANY,
  )) {
    const { instanceId, instanceName, heldSince, bufferedEvents, bufferedBytes } = row;
    const what = { instanceId, instanceName, since: ms(heldSince), bufferedEvents, bufferedBytes };
    rows.push(["held", ms(time), life, name, { ...what, reason: row.hold?.reason }]);
  }
  return rows.toSorted(byText);
}

/** The same from states alone. */
function expectedRows(states: readonly InstanceState[]): unknown[] {
  const rows: unknown[] = [];
  for (const state of states) {
    const { instanceId, number: life, name, version, tags, parent } = state;
    const [created, end] = [ms(state.createdAt), ms(state.completedAt)];
    if (state.kind === Kind.ORCHESTRATION) {
      const what = { life, name, version, tags: { ...tags }, parent: parent?.instanceId ?? "" };
      rows.push(["query", classOf(state), created, instanceId, { ...what, end }]);
      if (isTerminal(state)) rows.push(["completed", end, instanceId, life, state.status, created]);
    }
    for (const hold of state.holds) {
      const { bufferedEvents } = state;
      const bufferedBytes = BigInt(state.bufferedBytes);
      const since = ms(state.heldSince);
      const what = { instanceId, instanceName: name, since, bufferedEvents, bufferedBytes };
      rows.push(["held", ms(hold.placedAt), life, hold.name, { ...what, reason: hold.reason }]);
    }
  }
  return rows.toSorted(byText);
}

function classOf({ status }: InstanceState): string {
  return status < Status.COMPLETED ? "live" : (CLASSES[status - Status.COMPLETED + 1] ?? "");
}

function ms(time: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return time && Number(time.seconds) * 1_000 + time.nanos / 1_000_000;
}

function byText(left: unknown, right: unknown): number {
  return text(left) < text(right) ? -1 : 1;
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each));
}

async function expectRowsToFollow(hub: TestHub, ids: readonly string[]): Promise<unknown[]> {
  await hub.settled();
  const stored = await Promise.all(ids.map((id) => hub.stored(id)));
  const expected = expectedRows(stored.flatMap((each) => (each ? [each.state] : [])));
  const rows = await rowsOf(hub, hub.hub.number);
  expect(rows).toEqual(expected);
  return rows;
}

describe("the rows that queries read", () => {
  it("follow a life from its creation to its end and replacement", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    const follow = async () => (await expectRowsToFollow(hub, ["a"])).map((row) => shown(row));
    await hub.start("a", { version: "1" });
    expect(await follow()).toEqual(["query live"]);
    await hub.pass(1_000);
    const turn = await worker.turn("a");
    await hub.suspend("a", "why");
    expect(await follow()).toEqual(["held ", "query live"]);
    for (const name of ["E", "F"]) {
      await hub.raise("a", name, "12345");
      expect(await follow()).toEqual(["held ", "query live"]);
    }
    await hub.pass(1_000);
    await worker.complete(turn, [continueAsNew("1")], {});
    expect(await follow()).toEqual(["held ", "query live"]);
    await hub.crash();
    expect(await follow()).toEqual(["held ", "query live"]);
    await hub.resume("a");
    expect(await follow()).toEqual(["query live"]);
    const again = hub.worker();
    await again.complete(await again.turn("a"), [failed("no")]);
    expect(await follow()).toEqual(["completed", "query failed"]);
    await again.close();
    await hub.start("a", { name: "Other" });
    expect(await follow()).toEqual(["query live"]);
    await hub.terminate("a");
    expect(await follow()).toEqual(["completed", "query terminated"]);
    await hub.purge("a");
    expect(await follow()).toEqual([]);
  });

  it("follow an instance that is replaced within the millisecond of its creation", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    for (const name of ["First", "Second", "Third"]) {
      await hub.start("a", { name });
      await worker.complete(await worker.turn("a"), [completed()]);
      await expectRowsToFollow(hub, ["a"]);
    }
  });

  it("follow a generation with another version and other tags", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { version: "1" });
    const next = continueAsNew("1");
    const { orchestratorActionType: type } = next;
    if (type.case !== "completeOrchestration") throw new Error("not a completion");
    type.value.newVersion = "2";
    type.value.tags = { t: "new" };
    await worker.complete(await worker.turn("a"), [next]);
    const [row] = await expectRowsToFollow(hub, ["a"]);
    expect(text(row)).toContain('"version":"2","tags":{"t":"new"}');
  });

  it("follow a generation with other tags and the same version", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a", { version: "1" });
    const next = continueAsNew("1");
    const { orchestratorActionType: type } = next;
    if (type.case !== "completeOrchestration") throw new Error("not a completion");
    type.value.tags = { t: "new" };
    await worker.complete(await worker.turn("a"), [next]);
    const [row] = await expectRowsToFollow(hub, ["a"]);
    expect(text(row)).toContain('"version":"1","tags":{"t":"new"}');
  });

  it("follow several holds that are placed, replaced and released", async () => {
    await using hub = await openHub();
    const place = async (name: string, reason: string) => {
      await hub.pass(1_000);
      const wish = {
        name,
        reason,
        requestedBy: "",
        resumeCondition: undefined,
        expiresAt: undefined,
        expiryAction: ExpiryAction.UNSPECIFIED,
        timerPolicy: TimerPolicy.KEEP,
      };
      const options = { replace: true, ignoreFinished: false };
      await hub.hub.suspensions.place("a", wish, options, noReply);
      return (await expectRowsToFollow(hub, ["a"])).map(shown);
    };
    await hub.start("a");
    await hub.suspend("a");
    expect(await place("x", "one")).toEqual(["held ", "held x", "query live"]);
    expect(await place("y", "one")).toEqual(["held ", "held x", "held y", "query live"]);
    expect(await place("x", "two")).toEqual(["held ", "held x", "held y", "query live"]);
    await hub.raise("a", "E");
    await hub.resume("a");
    const rows = await expectRowsToFollow(hub, ["a"]);
    expect(rows.map(shown)).toEqual(["held x", "held y", "query live"]);
  });

  it("lose the holds of an instance that is terminated while it is suspended", async () => {
    await using hub = await openHub();
    await hub.start("a");
    await hub.suspend("a");
    await hub.terminate("a");
    const rows = await expectRowsToFollow(hub, ["a"]);
    expect(rows.map(shown)).toEqual(["completed", "query terminated"]);
  });

  it("are not written by a turn that changes nothing they say", async () => {
    await using hub = await openHub();
    const worker = hub.worker();
    await hub.start("a");
    await worker.complete(await worker.turn("a"));
    const written: string[] = [];
    const { store } = hub;
    const append = store.append.bind(store);
    store.append = (commit) => {
      written.push(...commit.index.map(({ index }) => index));
      return append(commit);
    };
    await hub.raise("a", "E");
    await worker.complete(await worker.turn("a"));
    await hub.settled();
    expect(written.filter((index) => index !== "ready")).toEqual([]);
  });

  it("go with their hub, and only with theirs", async () => {
    await using hub = await openHub();
    for (const id of ["a", "b", "c"]) await hub.start(id);
    await hub.suspend("b");
    await hub.terminate("c");
    const { number } = hub.hub;
    await hub.hub.delete();
    await hub.start("a");
    await hub.settled();
    expect(await rowsOf(hub, number)).toEqual([]);
    expect((await rowsOf(hub, hub.hub.number)).map(shown)).toEqual(["query live"]);
  });
});

function shown(row: unknown): string {
  const [index, first, , name] = row as unknown[];
  if (index === "query") return `query ${first}`;
  return index === "held" ? `held ${name}` : String(index);
}

it.each([
  ["with all instances in memory", {}],
  ["with no room for instances that nobody uses", { idleHeadBytesMax: 0 }],
])("the rows follow from the states in any random world, %s", async (_, options) => {
  const ids = [...new Set<string>([...INSTANCES, ...CHILDREN])];
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      await using hub = await openHub(options);
      const world = new RandomWorld(hub);
      for (const step of script) {
        await world.play(step);
        await expectRowsToFollow(hub, ids);
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 25), seed: Number(process.env.SEED ?? 20_261_121) },
  );
});
