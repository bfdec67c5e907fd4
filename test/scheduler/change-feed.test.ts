/** The changes that a hub remembers for its watches. */
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ChangeFeed } from "../../sidecar/scheduler/change-feed.ts";
import { countedIds } from "../support/fake-clock.ts";
import { watch } from "../support/scheduler-harness.ts";

const { signal } = new AbortController();

/** A feed that somebody reads, with a durable change of each id. */
function feedOf(ids: readonly string[], max = 10) {
  const feed = new ChangeFeed(countedIds("c"), max);
  const reader = feed.subscribe();
  for (const id of ids) feed.note(id, undefined, 1);
  feed.settle(1);
  return { feed, reader };
}

function idsIn(feed: ChangeFeed): string[] {
  const ids: string[] = [];
  for (let at = feed.first; at < feed.end; at += 1) ids.push(feed.at(at).instanceId);
  return ids;
}

describe("a change feed", () => {
  it("keeps nothing before somebody reads it", () => {
    const feed = new ChangeFeed(countedIds("c"), 10);
    feed.note("a", undefined, 1);
    expect(feed.end).toBe(0);
    feed.subscribe();
    feed.note("b", undefined, 1);
    expect(idsIn(feed)).toEqual(["b"]);
  });

  it("goes on keeping when its readers have left", () => {
    const { feed, reader } = feedOf(["a"]);
    reader[Symbol.dispose]();
    expect(feed.readers).toBe(0);
    feed.note("b", undefined, 1);
    expect(idsIn(feed)).toEqual(["a", "b"]);
  });

  it("links the changes of one instance", () => {
    const { feed } = feedOf(["a", "b", "a", "a"]);
    const links = [0, 1, 2, 3].map((at) => [feed.at(at).older, feed.at(at).newer]);
    const last = Number.POSITIVE_INFINITY;
    expect(links).toEqual([
      [-1, 2],
      [-1, last],
      [0, 3],
      [2, last],
    ]);
    expect([feed.newestOf("a"), feed.newestOf("b"), feed.newestOf("c")]).toEqual([3, 1, -1]);
  });

  it("forgets the oldest change when it is full", () => {
    const { feed } = feedOf(["a", "b", "c", "b", "d"], 3);
    expect(idsIn(feed)).toEqual(["c", "b", "d"]);
    expect([1, 2, 5, 6].map((at) => feed.reaches(at))).toEqual([false, true, true, false]);
    expect([feed.newestOf("a"), feed.newestOf("b")]).toEqual([-1, 3]);
  });

  it("wakes a reader when what it waits for is durable, and not before", async () => {
    const { feed, reader } = feedOf([]);
    const next = watch(feed.next(reader, 0, signal));
    feed.note("a", undefined, 7);
    feed.settle(6);
    await nextLoopTurn();
    expect([next.state, feed.durableEnd]).toEqual(["pending", 0]);
    feed.settle(7);
    await next.promise;
    expect(feed.durableEnd).toBe(1);
  });

  it("lets a reader that is behind go on at once", async () => {
    const { feed, reader } = feedOf(["a", "b"]);
    await feed.next(reader, 1, signal);
    const next = watch(feed.next(reader, 2, signal));
    await nextLoopTurn();
    expect(next.state).toBe("pending");
  });

  it("reaches nobody any more after the deletion of the hub, and wakes who waits", async () => {
    const { feed, reader } = feedOf(["a", "b"]);
    const next = watch(feed.next(reader, 2, signal));
    feed.clear();
    await next.promise;
    expect([0, 1, 2].map((at) => feed.reaches(at))).toEqual([false, false, false]);
    feed.note("c", undefined, 2);
    expect(idsIn(feed)).toEqual(["c"]);
    expect(feed.at(feed.first).older).toBe(-1);
  });

  it("ends its readers, also one that is busy and has more to read", async () => {
    const { feed, reader } = feedOf(["a"]);
    const waiting = feed.subscribe();
    const next = watch(feed.next(waiting, 1, signal));
    feed.endAll(new Error("over"));
    await expect(next.promise).rejects.toThrow("over");
    await expect(feed.next(reader, 0, signal)).rejects.toThrow("over");
  });

  it("lets others go on while it wakes very many readers", async () => {
    const { feed } = feedOf([]);
    const calls = Array.from({ length: 1_000 }, () =>
      watch(feed.next(feed.subscribe(), 0, signal)),
    );
    feed.note("a", undefined, 1);
    let wokenBefore = 0;
    setImmediate(() => {
      wokenBefore = calls.filter(({ state }) => state === "done").length;
    });
    feed.settle(1);
    await Promise.all(calls.map(({ promise }) => promise));
    expect(wokenBefore).toBeGreaterThan(0);
    expect(wokenBefore).toBeLessThan(calls.length);
  });

  it("lets a reader go whose call is over", async () => {
    const { feed, reader } = feedOf([]);
    const call = new AbortController();
    const next = watch(feed.next(reader, 0, call.signal));
    call.abort(new Error("gone"));
    await expect(next.promise).rejects.toThrow("gone");
  });
});
