/** What the store, the disk and memory are short of, and whether the sidecar is ready. */
import { expect } from "vitest";
import { LIMITS } from "../../../sidecar/foundation/limits.ts";
import { silentLog } from "../../../sidecar/foundation/log.ts";
import { lateness } from "../../../sidecar/process/readiness.ts";
import { startLong } from "../../support/long-history.ts";
import { watch } from "../../support/scheduler-harness.ts";
import type { MetricsWorld, Provocation } from "./world.ts";

const NEVER = new AbortController().signal;

/** The event loop goes on until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

/** A write of this fate, and what is seen before the store is open again. */
async function failing(
  { disk, hub, lines }: MetricsWorld,
  fate: "fails" | "lands-and-fails",
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  disk.fate = fate;
  const starting = hub.start("a");
  await until(() => lines.some(({ event }) => event === "store.write_failed"));
  await meanwhile();
  disk.fate = "lands";
  disk.opening.resolve();
  await starting;
}

const ofReopening = /^store_(up|write_errors_total|reopens_total|reopen_seconds_(count|sum))$/;

export const ofStores: readonly Provocation[] = [
  {
    name: "a write that has failed is written again, and counted with how long the store was away",
    async provoke(world) {
      await failing(world, "fails", async () => {
        expect(await world.changed(ofReopening)).toEqual({
          store_up: 0,
          store_write_errors_total: 1,
        });
        world.storeClock.advance(2_000);
      });
      expect(await world.changed(ofReopening)).toEqual({
        store_write_errors_total: 1,
        'store_reopens_total{write="missing"}': 1,
        store_reopen_seconds_count: 1,
        store_reopen_seconds_sum: 2,
      });
    },
  },
  {
    name: "a write that was there all the same is counted so",
    async provoke(world) {
      await failing(world, "lands-and-fails");
      expect(await world.changed(/^store_reopens_total$/)).toEqual({
        'store_reopens_total{write="landed"}': 1,
      });
    },
  },
  {
    name: "a store that does not come back is a reason not to be ready",
    async provoke(world) {
      world.readiness.set("recovering", false);
      await failing(world, "fails", async () => {
        expect(await world.changed(/^(not_)?ready$/)).toEqual({
          ready: 1,
          'not_ready{reason="recovering"}': 0,
        });
        world.storeClock.advance(3_000);
        expect(await world.changed(/^(not_)?ready$/)).toEqual({
          'not_ready{reason="recovering"}': 0,
          'not_ready{reason="store"}': 1,
        });
      });
      expect(await world.changed(/^(not_)?ready$/)).toEqual({
        ready: 1,
        'not_ready{reason="recovering"}': 0,
      });
    },
  },
  {
    name: "a late event loop and a sidecar that stops are reasons not to be ready",
    async provoke(world) {
      const { readiness } = world;
      readiness.set("recovering", false);
      const { turned } = lateness(readiness, silentLog);
      turned(true, { p50: 0, p99: 1, max: 1 });
      readiness.set("stopping", true);
      expect(await world.changed(/^(not_)?ready$/)).toEqual({
        'not_ready{reason="recovering"}': 0,
        'not_ready{reason="late"}': 1,
        'not_ready{reason="stopping"}': 1,
      });
    },
  },
  {
    name: "commits, groups, writes and bytes are counted",
    async provoke(world) {
      const { hub } = world;
      await Promise.all(["a", "b", "c"].map((id) => hub.start(id)));
      const page = await world.page();
      const value = (sample: string) => page.get(`taskhub_${sample}`) ?? 0;
      expect(value("commit_seconds_count")).toBe(3);
      expect(value("store_commits_per_flush_sum")).toBe(3);
      expect(value("store_flush_seconds_count")).toBe(value("store_commits_per_flush_count"));
      // Each has a log entry and its index rows.
      expect(value("store_writes_total")).toBeGreaterThan(9);
      expect(value("store_written_bytes_total")).toBeGreaterThan(300);
    },
  },
  {
    name: "the level of the disk and what is free are shown; what is refused because of it is counted",
    async provoke(world) {
      const { compatible, disk, hub, v1 } = world;
      const start = (instanceId: string) => compatible.startInstance({ instanceId, name: "Main" });
      await start("a");
      disk.space.freeBytes = 12_345;
      disk.space.level = "low";
      await start("b");
      expect(await world.changed(/^(disk_|shed)/)).toEqual({
        disk_free_bytes: 12_345,
        'disk_level{level="ample"}': 0,
        'disk_level{level="low"}': 1,
      });
      disk.space.level = "tight";
      await expect(start("c")).rejects.toThrow(/nearly full/);
      await v1.suspendInstance({ instanceId: "a", name: "audit" });
      expect(await world.changed(/^(disk_level|shed_total)$/)).toEqual({
        'disk_level{level="ample"}': 0,
        'disk_level{level="tight"}': 1,
        'shed_total{reason="disk"}': 1,
      });
      disk.space.level = "full";
      await expect(v1.suspendInstance({ instanceId: "b", name: "audit" })).rejects.toThrow();
      await hub.terminate("b");
      expect(await world.changed(/^(disk_level|shed_total)$/)).toEqual({
        'disk_level{level="ample"}': 0,
        'disk_level{level="full"}': 1,
        'shed_total{reason="disk"}': 2,
      });
    },
  },
  {
    name: "commits that wait for the disk are shown in bytes; what is refused because of them is counted",
    async provoke(world) {
      const { hub } = world;
      hub.bytes.hold();
      const input = JSON.stringify("x".repeat(2_000_000));
      const starting = Array.from({ length: 17 }, (_, at) => hub.start(`${at}`, { input }));
      await hub.settled();
      await expect(hub.start("one more")).rejects.toMatchObject({ code: "limit-exceeded" });
      const { 'memory_budget_used_bytes{budget="commit_queue"}': waiting } = await world.changed(
        /^memory_budget_used_bytes$/,
      );
      expect(waiting).toBeGreaterThan(LIMITS.pendingBytesMax);
      expect(await world.changed(/^shed_total$/)).toEqual({ 'shed_total{reason="backlog"}': 1 });
      hub.bytes.release();
      await Promise.all(starting);
    },
  },
  {
    name: "bytes of requests and of answers on their way are shown, and what finds no room is counted",
    async provoke(world) {
      const { requests, outbound } = world.budgets;
      const large = requests.share({ isNeverRefused: true });
      large.take(2 * LIMITS.requestsBytesMax);
      expect(requests.share({ isNeverRefused: false }).take(2_000_000)).toBe(false);
      outbound.take(5);
      expect(await world.changed(/^(shed_total|memory_budget_used_bytes)$/)).toEqual({
        'shed_total{reason="requests"}': 1,
        'memory_budget_used_bytes{budget="requests"}': 2 * LIMITS.requestsBytesMax,
        'memory_budget_used_bytes{budget="outbound"}': 5,
      });
      large.close();
    },
  },
  {
    name: "instances in memory are shown in bytes: those that nobody uses, and those that are ready",
    async provoke(world) {
      const { hub } = world;
      const worker = hub.worker();
      await hub.start("idle");
      await worker.complete(await worker.turn("idle"));
      await worker.close();
      await hub.start("ready");
      const used = await world.changed(/^memory_budget_used_bytes$/);
      expect(Object.keys(used).toSorted()).toEqual([
        'memory_budget_used_bytes{budget="idle_heads"}',
        'memory_budget_used_bytes{budget="ready_instances"}',
      ]);
    },
  },
  {
    name: "snapshots of exports and of long histories are counted while they are open",
    async provoke(world) {
      const { hub } = world;
      const open = async () => await world.changed(/^open_snapshots$/);
      await startLong(hub, "a", 2 * LIMITS.streamedHistoryBytes);
      const exporting = hub.hubs.exports.export("default", NEVER);
      await exporting.next();
      const whole = 'open_snapshots{what="export"}';
      const history = 'open_snapshots{what="history"}';
      expect(await open()).toEqual({ [whole]: 1 });
      const reading = hub.hub.history("a", undefined, false);
      await reading.next();
      expect(await open()).toEqual({ [whole]: 1, [history]: 1 });
      await reading.return(undefined);
      expect(await open()).toEqual({ [whole]: 1 });
      // Whoever takes nothing more for a minute has nothing open, though nobody has told him yet.
      const others = Array.from({ length: LIMITS.exportsMax - 1 }, () =>
        hub.hubs.exports.export("default", NEVER),
      );
      for (const other of others) await other.next();
      const again = hub.hub.history("a", undefined, false);
      await again.next();
      expect(await open()).toEqual({ [whole]: LIMITS.exportsMax, [history]: 1 });
      const refused = hub.hubs.exports.export("default", NEVER).next();
      await expect(refused).rejects.toMatchObject({ code: "limit-exceeded" });
      await hub.pass(LIMITS.exportIdleMs);
      expect(await open()).toEqual({});
      const next = watch(hub.hubs.exports.export("default", NEVER).next());
      await hub.settled();
      expect(next.state).toBe("done");
      await expect(exporting.next()).rejects.toMatchObject({ code: "deadline-exceeded" });
      expect(await open()).toEqual({ [whole]: 1 });
    },
  },
];
