/** Entities in everything that reads a store without knowing what is in it: check, rebuild, backups. */
import { describe, expect, it } from "vitest";
import type { OrderedBytes, Write } from "../../sidecar/store/ordered/bytes.ts";
import { checkBytes } from "../../sidecar/store/ordered/check.ts";
import { KIND } from "../../sidecar/store/ordered/key-parts.ts";
import { exported, importFile } from "../support/backup-files.ts";
import { operationsOf, sendSignal, succeeded } from "../support/entity-results.ts";
import { forgeLock } from "../support/forged-lock.ts";
import { releaseHub } from "../support/hold-calls.ts";
import { openHub, type TestHub } from "../support/scheduler-harness.ts";
import { lockOf, set, signal, textOf } from "./kit/entity-calls.ts";

const ids = ["@a@compacted", "@a@empty", "@a@large", "@a@locked", "@a@queue", "@a@scheduled"];

/** Entities in all conditions. */
async function populate(hub: TestHub): Promise<void> {
  const worker = hub.worker();
  await hub.start("holder");
  const executionId = (await worker.turn()).request.executionId ?? "";
  for (const id of ids) await set(hub, worker, id, id === "@a@empty" ? undefined : `"${id}"`);
  await signal(hub, "@a@queue", "first");
  const batch = await worker.batch();
  await worker.answer(batch, {
    results: [succeeded()],
    entityState: "sent",
    actions: [sendSignal("@a@queue", "own"), sendSignal("@b@sent", "other")],
  });
  const large = "x".repeat(30_000);
  for (let at = 0; at < 4; at += 1) await set(hub, worker, "@a@large", `${at}${large}`);
  await signal(hub, "@a@scheduled", "later", { at: hub.clock.in(60_000) });
  for (let at = 0; at < 8; at += 1) await set(hub, worker, "@a@compacted", `${at}${large}`);
  await worker.close();
  await signal(hub, "@a@compacted", "waits");
  await forgeLock(hub, "@a@locked", { instanceId: "holder", executionId });
  await signal(hub, "@a@locked", "waits");
  await hub.settled();
}

async function problemsIn(bytes: OrderedBytes, fixes?: Write[]): Promise<string[]> {
  const problems: string[] = [];
  await checkBytes(bytes, {
    onProblem: (problem) => {
      problems.push(
        JSON.stringify(problem, (_key, value) => (typeof value === "bigint" ? `${value}` : value)),
      );
      fixes?.push(...problem.fix);
    },
  });
  return problems;
}

/** What is handed out, and the states behind it. */
async function outcome(hub: TestHub): Promise<unknown> {
  const worker = hub.worker();
  await hub.pass(60_000);
  const batches = worker.batches.map(({ request }) => [
    request.instanceId,
    ...operationsOf(request),
  ]);
  const texts = await Promise.all(ids.map((id) => textOf(hub, id)));
  return { batches: batches.toSorted(), texts, lock: await lockOf(hub, "@a@locked") };
}

const expected = {
  batches: [
    ["@a@compacted", "waits"],
    ["@a@queue", "own"],
    ["@a@scheduled", "later"],
    ["@b@sent", "other"],
  ],
  texts: [
    expect.stringMatching(/^7x+$/),
    undefined,
    expect.stringMatching(/^3x+$/),
    '"@a@locked"',
    "sent",
    '"@a@scheduled"',
  ],
  lock: "holder",
};

describe("entities", () => {
  it("are right in the eyes of a check, and go on after a crash", async () => {
    await using hub = await openHub();
    await populate(hub);
    expect(await problemsIn(hub.bytes)).toEqual([]);
    await hub.crash();
    expect(await outcome(hub)).toEqual(expected);
    expect(await problemsIn(hub.bytes)).toEqual([]);
  });

  it("get their rows back from their logs", async () => {
    await using hub = await openHub();
    await populate(hub);
    const rows: Write[] = [];
    for (const kind of [KIND.ready, KIND.due]) {
      const range = { from: Buffer.of(kind), to: Buffer.of(kind + 1) };
      for (const [key] of await hub.bytes.rows(range)) rows.push({ type: "del", key });
    }
    expect(rows.length).toBeGreaterThan(3);
    await hub.bytes.writeDurably(rows);
    const fixes: Write[] = [];
    expect(await problemsIn(hub.bytes, fixes)).toHaveLength(rows.length);
    await hub.bytes.writeDurably(fixes);
    expect(await problemsIn(hub.bytes)).toEqual([]);
    await hub.crash();
    expect(await outcome(hub)).toEqual(expected);
  });

  it("come back from a backup, in a store with other storage numbers", async () => {
    await using source = await openHub();
    await using target = await openHub();
    await populate(source);
    await target.hubs.get("other").create();
    const file = await exported(source.hubs);
    await importFile(target.hubs, file);
    await target.settled();
    expect(await problemsIn(target.bytes)).toEqual([]);
    const worker = target.worker();
    await target.pass(1_000);
    expect(await worker.waiting()).toEqual([]);
    await worker.close();
    await releaseHub(target, undefined, "import");
    expect(await outcome(target)).toEqual(expected);
  });
});
