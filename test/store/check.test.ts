/** A check finds nothing wrong with what a sidecar writes, and finds whatever is changed in it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { seal, unseal } from "../../sidecar/store/envelope.ts";
import { SortedBytes } from "../../sidecar/store/memory/sorted-bytes.ts";
import {
  keyText,
  type OrderedBytes,
  type ReadableBytes,
  type Row,
  type Write,
} from "../../sidecar/store/ordered/bytes.ts";
import { checkBytes } from "../../sidecar/store/ordered/check.ts";
import type { CheckFigures, Problem } from "../../sidecar/store/ordered/check-findings.ts";
import { KIND } from "../../sidecar/store/ordered/key-parts.ts";
import { logSequenceOf } from "../../sidecar/store/ordered/keys.ts";
import { steps } from "../scheduler/kit/random-steps.ts";
import { RandomWorld } from "../scheduler/kit/random-world.ts";
import { openHub } from "../support/scheduler-harness.ts";
import { timestampOf } from "../support/store-builders.ts";
import {
  completed,
  continueAsNew,
  createTimer,
  scheduleTask,
  startChild,
} from "../support/worker-actions.ts";

const EVERYTHING = { from: Buffer.of(0), to: Buffer.of(255) };

interface Checked {
  readonly figures: CheckFigures;
  readonly problems: readonly Problem[];
}

async function checked(bytes: ReadableBytes): Promise<Checked> {
  const problems: Problem[] = [];
  const figures = await checkBytes(bytes, { onProblem: (problem) => void problems.push(problem) });
  return { figures, problems };
}

/** As `taskhub check --rebuild-indexes` does it. */
async function repair(bytes: OrderedBytes): Promise<void> {
  let fixes: Write[] = [];
  await checkBytes(bytes, {
    onProblem: ({ fix }) => void fixes.push(...fix),
    async fixed() {
      const writes = fixes;
      fixes = [];
      await bytes.writeDurably(writes);
    },
  });
}

test("nothing is wrong with what any random world leaves, at any moment", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      await using hub = await openHub();
      const world = new RandomWorld(hub);
      for (const step of script) {
        await world.play(step);
        await hub.settled();
        expect((await checked(hub.bytes)).problems).toEqual([]);
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 15), seed: Number(process.env.SEED ?? 20_261_122) },
  );
});

/** Every row of a hub with one of everything: of each index, a snapshot, old generations. */
async function rowsOfAHub(): Promise<readonly Row[]> {
  await using hub = await openHub();
  const worker = hub.worker({ turns: 10, activities: 1 });
  for (const id of ["running", "held", "again", "done", "parent"]) await hub.start(id);
  await hub.start("later", { at: timestampOf("2026-01-02T10:00:00Z") });
  const tasks = Array.from({ length: 30 }, (_, at) =>
    scheduleTask(at + 1, "Work", { input: "x".repeat(5_000) }),
  );
  await worker.complete(await worker.turn("running"), tasks);
  await worker.complete(await worker.turn("held"), [
    createTimer(1, timestampOf("2026-01-01T11:00:00Z")),
  ]);
  await hub.suspend("held", "a reason");
  await hub.raise("held", "Event", "1");
  await worker.complete(await worker.turn("again"), [continueAsNew("1")]);
  await worker.complete(await worker.turn("done"), [completed("1")]);
  await worker.complete(await worker.turn("parent"), [startChild(1, "child")]);
  await hub.settled();
  const rows = await hub.bytes.rows(EVERYTHING);
  await worker.close();
  return rows;
}

async function bytesOf(rows: readonly Row[]): Promise<SortedBytes> {
  const bytes = new SortedBytes();
  await bytes.writeDurably(rows.map(([key, value]) => ({ type: "put", key, value })));
  return bytes;
}

/** Indexes can be written anew; what is in the others only a backup has. */
const INDEX_KINDS: readonly number[] = [
  KIND.instance,
  KIND.ready,
  KIND.due,
  KIND.query,
  KIND.completed,
  KIND.held,
];

function flipped(value: Uint8Array): Uint8Array {
  const changed = Buffer.from(value);
  const last = changed.length - 1;
  changed[last] = (changed[last] ?? 0) ^ 1;
  return changed;
}

/** The end of a log, and the ends of the window of group records: without them all looks whole. */
function isAtAnEnd(rows: readonly Row[], at: number): boolean {
  const [key] = rows[at] ?? [Buffer.alloc(0)];
  if (key[0] === KIND.group) return rows[at + 1]?.[0][0] !== KIND.group || at === 0;
  if (key[0] !== KIND.log) return false;
  const next = rows[at + 1]?.[0] ?? Buffer.alloc(0);
  const isLast = keyText(next.subarray(0, 9)) !== keyText(key.subarray(0, 9));
  return isLast && logSequenceOf(key) > 1;
}

test("the hub of these tests has a row of every kind but the passing ones", async () => {
  const kinds = new Set((await rowsOfAHub()).map(([key]) => key[0]));
  const { garbage, import: importing, ...lasting } = KIND;
  expect(kinds).toEqual(new Set(Object.values(lasting)));
  expect([garbage, importing].some((kind) => kinds.has(kind))).toBe(false);
});

test("every row that is missing is found, and an index gets it back", async () => {
  const rows = await rowsOfAHub();
  for (const [at, [key]] of rows.entries()) {
    if (isAtAnEnd(rows, at) || key[0] === KIND.snapshot) continue;
    await expectFound(rows, [{ type: "del", key }]);
  }
});

test("every flipped bit in a value is found, and an index row is written anew", async () => {
  const rows = await rowsOfAHub();
  for (const [key, value] of rows) {
    await expectFound(rows, [{ type: "put", key, value: flipped(value) }]);
  }
});

test("a value that is whole but that of another row is found", async () => {
  const rows = await rowsOfAHub();
  for (const [at, [key, value]] of rows.entries()) {
    const next = rows[at + 1];
    // Group records are told apart by their sequence, which stands in the key.
    if (next === undefined || key[0] === KIND.group || next[0][0] !== key[0]) continue;
    if (Buffer.compare(value, next[1]) === 0) continue;
    await expectFound(rows, [{ type: "put", key, value: next[1] }]);
  }
});

test("a row too many is found in every index, and goes", async () => {
  const rows = await rowsOfAHub();
  for (const [key, value] of rows.filter(([each]) => each[0] !== KIND.group)) {
    // The id, the time or the number of another one.
    const other = Buffer.from(key);
    const last = key[0] === KIND.held ? 9 + 12 + 7 : other.length - 1;
    other[last] = (other[last] ?? 0) + 100;
    if (rows.some(([each]) => Buffer.compare(each, other) === 0)) continue;
    await expectFound(rows, [{ type: "put", key: other, value }]);
  }
});

test("a snapshot that says something else than the log is found, and goes", async () => {
  const rows = await rowsOfAHub();
  const [key, value] = rows.find(([each]) => each[0] === KIND.snapshot) ?? [];
  if (key === undefined || value === undefined) throw new Error("there is no snapshot");
  // The first field is the sequence that it covers.
  const payload = Buffer.from(unseal(value, "the snapshot"));
  payload[1] = (payload[1] ?? 0) + 1;
  await expectFound(rows, [{ type: "put", key, value: seal(payload) }]);
});

test("a log with a storage number that was never reserved is found", async () => {
  const rows = await rowsOfAHub();
  const own = rows.filter(([key]) => key[0] === KIND.log).at(-1);
  if (own === undefined) throw new Error("there is no log");
  const key = Buffer.from(own[0]);
  key.writeBigUInt64BE(2n ** 40n, 1);
  const bytes = await bytesOf([...rows, [key, own[1]]]);
  const { problems } = await checked(bytes);
  expect(problems.map(({ what }) => what)).toContainEqual(
    `log ${2n ** 40n} has a number that was never reserved`,
  );
});

/** Applies the change; a repair undoes it if it is one of an index, and else leaves the logs alone. */
async function expectFound(rows: readonly Row[], change: readonly Write[]): Promise<void> {
  const bytes = await bytesOf(rows);
  await bytes.writeDurably(change);
  const { problems } = await checked(bytes);
  const [key = Buffer.alloc(0)] = change.map((write) => write.key);
  const where = `kind ${key[0]}, key ${Buffer.from(key).toString("hex")}`;
  expect(problems.length, where).toBeGreaterThan(0);
  const logs = await logsOf(bytes);
  await repair(bytes);
  expect(await logsOf(bytes), where).toEqual(logs);
  const isLost = problems.some(({ kind }) => kind === "damage");
  if (!INDEX_KINDS.includes(key[0] ?? 0) || isLost) return;
  expect((await checked(bytes)).problems, where).toEqual([]);
  expect((await bytes.rows(EVERYTHING)).map(textOf), where).toEqual(rows.map(textOf));
}

async function logsOf(bytes: ReadableBytes): Promise<readonly string[]> {
  const range = { from: Buffer.of(KIND.log), to: Buffer.of(KIND.log + 1) };
  return (await bytes.rows(range)).map(textOf);
}

function textOf([key, value]: Row): string {
  return `${Buffer.from(key).toString("hex")} ${Buffer.from(value).toString("hex")}`;
}

test("a hub on its way out is no problem, at whatever moment the process ends", async () => {
  await using hub = await openHub();
  for (let at = 0; at < 120; at += 1)
    await hub.start(`i${at}`, { at: timestampOf("2027-01-01T00:00:00Z") });
  await hub.hubs.get("other").create();
  const { calls } = hub.bytes;
  const deleted = hub.hub.delete();
  let wasSetAside = 0;
  for (let isOver = false; !isOver; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const snapshot = hub.bytes.snapshot();
    const { figures, problems } = await checked(snapshot);
    await snapshot.close();
    expect(problems).toEqual([]);
    wasSetAside += figures.setAside > 0 ? 1 : 0;
    isOver = hub.bytes.calls > calls && figures.instances === 0 && figures.garbageRows === 0;
  }
  await deleted;
  expect(wasSetAside).toBeGreaterThan(0);
});
