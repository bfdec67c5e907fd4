/**
 * T-ENOSPC: the sidecar on a disk of a few megabytes that is full at every possible moment. New work
 * is refused with RESOURCE_EXHAUSTED, work that has begun goes on, and the service returns by itself
 * when there is space. Nothing that was acknowledged is lost, whatever happens.
 */
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { fixedRig } from "../support/rig.ts";
import { SidecarEnded, type SidecarOptions, startSidecar } from "../support/sidecar-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { SmallDisk, type SmallDiskOptions } from "./full-disk/small-disk.ts";
import { Tenant } from "./full-disk/tenant.ts";
import { smallMemtables } from "./shim/patches.ts";
import { FaultBench, RIG_PATIENCE_MS } from "./shim/shim.ts";

const MIB = 1024 * 1024;
const SCENARIOS = 9;
vi.setConfig({ testTimeout: RIG_PATIENCE_MS });
const it = fixedRig("T-ENOSPC");
const figures = { scenarios: 0, timesFull: 0, acknowledgements: 0 };

afterAll(() => {
  // Figures are of what has passed, all of it.
  if (figures.scenarios === SCENARIOS) it.report(figures);
});

interface Place extends AsyncDisposable {
  readonly disk: SmallDisk;
  readonly sidecar: SidecarOptions;
}

type PlaceOptions = Omit<SmallDiskOptions, "path"> & { readonly smallMemtables?: boolean };

/** Undefined where there are no namespaces. */
async function openPlace({ smallMemtables: isSmall, ...size }: PlaceOptions) {
  await using stack = new AsyncDisposableStack();
  const scratch = stack.use(await temporaryDirectory());
  const mounted = await SmallDisk.mount({ path: join(scratch.path, "disk"), ...size });
  if (mounted === undefined) return undefined;
  const disk = stack.use(mounted);
  const patches = isSmall === true ? [smallMemtables] : [];
  const bench = await FaultBench.create(scratch.path, {
    patches,
    withShim: false,
    startsOften: false,
  });
  const { env, ...options } = bench.sidecarOn(join(disk.path, "data"));
  const reserve = { TASKHUB_DISK_RESERVE: String(64 * MIB) };
  const sidecar = { ...options, wrapper: disk.wrapper, env: { ...env, ...reserve } };
  const moved = stack.move();
  const place: Place = { disk, sidecar, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  return place;
}

/** How it ends when it is started, and what it says of that. */
async function endOfStart(options: SidecarOptions): Promise<{ end: unknown; stderr: string }> {
  try {
    await using sidecar = await startSidecar(options);
    return { end: await sidecar.stop(), stderr: "" };
  } catch (error) {
    if (!(error instanceof SidecarEnded)) throw error;
    return { end: error.end, stderr: error.stderr };
  }
}

function passed(tenant: Tenant, timesFull: number): void {
  figures.scenarios += 1;
  figures.timesFull += timesFull;
  figures.acknowledgements += tenant.acknowledged;
}

describe.each([{ mib: 3 }, { mib: 40 }])("a disk of $mib MiB", ({ mib }) => {
  test("full under load: new work is refused, what has begun goes on, space brings all back", async ({
    skip,
  }) => {
    await using place = await openPlace({ bytes: mib * MIB });
    if (place === undefined) return skip("no namespaces");
    const { disk, sidecar } = place;
    await using tenant = await Tenant.start(sidecar);
    const gated = await tenant.startAll("gated", 8);
    const waiting = await tenant.startAll("waiting", 4);
    const ended = await tenant.startAll("short", 8);
    await tenant.complete(ended);

    // What each round stores stays, and a small disk has room for a few of them.
    const rounds = it.count(1, mib > 3 ? 10 : 3);
    for (let times = 1; times <= rounds; times += 1) {
      await disk.fill();
      await tenant.startUntil("refused", 6_000);
      expect(await tenant.raise(waiting[0] ?? "")).toBe("refused");
      if (times === 1) {
        tenant.openGate();
        await tenant.complete(gated);
        await tenant.terminate(waiting.slice(1, 3));
        await tenant.purge(ended.slice(0, 4));
      }

      // As in RELIABILITY.md, section 0.1: what is acknowledged behind a full disk was lost there.
      await disk.free();
      await tenant.startUntil("accepted", 10);
      await tenant.startAll("waiting", 100, 600);
      await tenant.startAll("waiting", 100, mib > 3 ? 6_000 : 1_000);
    }
    await tenant.kill();
    await tenant.startAgain();
    await tenant.expectAll();
    await tenant.endAll();
    passed(tenant, rounds);
  });
});

test("full at the first start: it says so, and starts once there is space", async ({ skip }) => {
  await using place = await openPlace({ bytes: 2 * MIB });
  if (place === undefined) return skip("no namespaces");
  const { disk, sidecar } = place;
  await disk.fill();
  const { end, stderr } = await endOfStart(sidecar);
  expect([74, 78]).toContain(end);
  expect(stderr).toMatch(/space|full/i);
  await disk.free();
  await using tenant = await Tenant.start(sidecar);
  await tenant.complete(await tenant.startAll("short", 1));
  passed(tenant, 1);
});

test("full when it is killed and started again: it serves, or says why and serves once there is space", async ({
  skip,
}) => {
  await using place = await openPlace({ bytes: 3 * MIB });
  if (place === undefined) return skip("no namespaces");
  const { disk, sidecar } = place;
  await using tenant = await Tenant.start(sidecar);
  await tenant.startAll("waiting", 20, 600);
  await disk.fill();
  await tenant.startUntil("refused", 6_000);
  await tenant.kill();
  await disk.fill();
  const { end, stderr } = await endOfStart(sidecar);
  if (end !== 0)
    expect({ end, stderr }).toEqual({ end: 74, stderr: expect.stringMatching(/full/) });
  await disk.free();
  await tenant.startAgain();
  await tenant.expectAll();
  await tenant.startUntil("accepted", 10);
  await tenant.endAll();
  passed(tenant, 1);
});

test("full while tables are compacted: nothing is lost", async ({ skip }) => {
  await using place = await openPlace({ bytes: 3 * MIB, smallMemtables: true });
  if (place === undefined) return skip("no namespaces");
  const { disk, sidecar } = place;
  await using tenant = await Tenant.start(sidecar);
  await tenant.startAll("waiting", 60, 2_000);
  await disk.fill(64 * 1024);
  await tenant.startUntil("refused", 2_000);
  await disk.free();
  await tenant.startUntil("accepted", 10);
  await tenant.startAll("waiting", 60, 2_000);
  await tenant.kill();
  await tenant.startAgain();
  await tenant.expectAll();
  passed(tenant, 1);
});

test("full of what it stores itself: purging still works, and nothing else is lost", async ({
  skip,
}) => {
  await using place = await openPlace({ bytes: 3 * MIB, smallMemtables: true });
  if (place === undefined) return skip("no namespaces");
  await using tenant = await Tenant.start(place.sidecar);
  const ended = await tenant.startAll("short", 20, 2_000);
  await tenant.complete(ended);
  const accepted = await tenant.startUntil("refused", 6_000);
  expect(accepted).toBeGreaterThan(20);
  await tenant.purge(ended);
  await tenant.kill();
  await tenant.startAgain();
  await tenant.expectAll();
  passed(tenant, 1);
});

test("no inode left: nothing is lost, and the service returns with the inodes", async ({
  skip,
}) => {
  await using place = await openPlace({ bytes: 8 * MIB, inodes: 60, smallMemtables: true });
  if (place === undefined) return skip("no namespaces");
  const { disk, sidecar } = place;
  await using tenant = await Tenant.start(sidecar);
  await tenant.startAll("waiting", 20, 600);
  await disk.fillInodes();
  await tenant.startUntilRefusedOrDead(2_000);
  await disk.free();
  await tenant.settled();
  await tenant.startUntil("accepted", 10);
  await tenant.kill();
  await tenant.startAgain();
  await tenant.expectAll();
  passed(tenant, 1);
});

test("a disk that became read-only is refused as it is, and served once it can be written", async ({
  skip,
}) => {
  await using place = await openPlace({ bytes: 3 * MIB });
  if (place === undefined) return skip("no namespaces");
  const { disk, sidecar } = place;
  await using tenant = await Tenant.start(sidecar);
  await tenant.startAll("waiting", 20, 600);
  await tenant.kill();
  await disk.remount("ro");
  const { end, stderr } = await endOfStart(sidecar);
  expect([74, 78]).toContain(end);
  expect(stderr).toMatch(/read-only|EROFS|Read-only/);
  await disk.remount("rw");
  await tenant.startAgain();
  await tenant.expectAll();
  passed(tenant, 0);
});

test("files that may not grow: it writes new ones, or ends with 74, and nothing is lost", async () => {
  await using scratch = await temporaryDirectory();
  const bench = await FaultBench.create(scratch.path, { withShim: false, startsOften: false });
  const wrapper = ["prlimit", `--fsize=${MIB}`, "--"] as const;
  await using tenant = await Tenant.start({
    ...bench.sidecarOn(join(scratch.path, "data")),
    wrapper,
  });
  // The log is full once, and goes on in another file; full again within a minute, and it ends.
  const accepted = await tenant.startUntil("lost", 6_000);
  expect(accepted * 6_000).toBeGreaterThan(MIB);
  expect(await tenant.died).toBe(74);
  await tenant.startAgain();
  await tenant.expectAll();
  await tenant.complete(await tenant.startAll("short", 1));
  passed(tenant, 2);
});
