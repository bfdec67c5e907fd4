/** The commands against a whole sidecar and a worker. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { taskhub } from "../../support/command-line.ts";
import { RunningSidecar } from "../../support/running-app.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { completed, failed, startChild } from "../../support/worker-actions.ts";

let sidecar: RunningSidecar;

beforeEach(async () => {
  sidecar = await RunningSidecar.start();
});

afterEach(async () => {
  await sidecar[Symbol.asyncDispose]();
});

/** Runs a command that has to end so, and gives what it wrote. */
async function ran(code: number, ...args: readonly string[]): Promise<string> {
  const result = await taskhub(args, sidecar);
  expect(result, args.join(" ")).toMatchObject({ code });
  if (code === 0) expect(result.err).toBe("");
  return result.out + result.err;
}

/** What a command that has to succeed answers in JSON. */
async function json(...args: readonly string[]) {
  return JSON.parse(await ran(0, ...args, "-o", "json"));
}

async function start(...ids: readonly string[]): Promise<void> {
  for (const id of ids) await ran(0, "start", "Order", "--id", id);
}

describe("one instance", () => {
  test("is started, held, explained, released, completed and purged", async () => {
    expect(await ran(0, "start", "Order", "--id", "a", "--input", '{"item":"kettle"}')).toBe("a\n");
    const placed = await ran(
      0,
      "suspend",
      "a",
      "--hold",
      "audit",
      "--reason",
      "books",
      "--by",
      "me",
    );
    expect(placed).toBe('suspended     a  by hold "audit"\n');
    expect(await ran(0, "suspend", "a", "--hold", "audit")).toMatch(
      /^unchanged {5}a {2}held already: "audit" by me since .*: books\n$/,
    );
    expect(await json("get", "a")).toMatchObject({
      instance: {
        status: "INSTANCE_STATUS_SUSPENDED",
        holds: [{ name: "audit", reason: "books" }],
      },
      input: '{"item":"kettle"}',
      quiescent: true,
    });
    expect(await ran(0, "get", "a")).toMatch(/held by: +"audit" by me since .*: books\n/);
    expect(await ran(0, "explain", "a")).toMatch(/held by[^\n]*"?audit"?/i);
    expect(await json("suspensions", "--name", "audit")).toMatchObject([{ instanceId: "a" }]);
    expect(await ran(0, "resume", "a", "--hold", "other")).toBe(
      'unchanged     a  no such hold; still held by "audit"\n',
    );
    expect(await ran(0, "resume", "a", "--hold", "audit")).toBe(
      'resumed       a  released "audit"\n',
    );
    await sidecar.worker().completeNext('"sold"');
    expect(await ran(0, "watch", "a")).toMatch(/COMPLETED/);
    expect(await json("get", "a")).toMatchObject({ output: '"sold"' });
    expect(await ran(0, "history", "a")).toMatch(
      /ExecutionStarted +Order[\s\S]*ExecutionCompleted/,
    );
    expect(await ran(0, "purge", "a")).toBe("purged        a\n");
    expect(await ran(2, "get", "a")).toBe('taskhub: instance "a" does not exist\n');
  });

  test("that has finished is refused with 3, and one that never was with 2", async () => {
    await start("a");
    expect(await ran(0, "terminate", "a", "--output", '"enough"')).toBe("terminating   a\n");
    expect(await ran(1, "watch", "a")).toMatch(/TERMINATED/);
    for (const args of [["suspend"], ["terminate"], ["resume"]]) {
      expect(await ran(3, ...args, "a")).toMatch(/^taskhub: .*TERMINATED/);
      await ran(2, ...args, "never");
    }
    await ran(3, "raise-event", "a", "go");
    await ran(2, "raise-event", "never", "go");
    await ran(2, "status", "never");
    await ran(2, "explain", "never");
    await ran(2, "watch", "never");
  });

  test("has the version that --version says, which is the program's own only before a command", async () => {
    await ran(0, "start", "Order", "--id", "a", "--version", "2", "--tag", "team=red");
    await start("b");
    const second = { instanceId: "a", version: "2", tags: { team: "red" } };
    expect(await json("list", "--version", "2")).toMatchObject([second]);
    expect(await json("list", "--version", "")).toMatchObject([{ instanceId: "b" }]);
    expect(await ran(0, "--version")).toMatch(/^taskhub \d/);
  });

  test("that is live cannot be purged or started again", async () => {
    await start("a");
    expect(await ran(3, "purge", "a")).toMatch(/has not finished: it is PENDING/);
    await ran(3, "start", "Order", "--id", "a");
  });

  test("what the sidecar does not accept is 4", async () => {
    await start("a");
    await ran(4, "suspend", "a", "--hold", "x".repeat(300));
  });

  test("is waited for, and its end decides", async () => {
    const worker = sidecar.worker();
    const sold = json("start", "Order", "--id", "a", "--wait");
    await worker.completeNext('"sold"');
    expect(await sold).toMatchObject({ reached: true, output: '"sold"' });
    const broken = ran(1, "start", "Order", "--id", "b", "--wait");
    await worker.complete(await worker.turn(), [failed("no kettles")]);
    expect(await broken).toMatch(/status: +FAILED\nfailure: +no kettles\n/);
  });

  test("a wait that takes too long is 124, and says what holds the instance", async () => {
    await ran(0, "hub", "suspend");
    const late = await ran(124, "start", "Order", "--id", "a", "--wait", "--timeout", "600ms");
    expect(late).toBe(
      'taskhub: the time is up: instance "a" is PENDING, held by selector "maintenance"\n',
    );
  });

  test("a hold with --wait comes back when the worker has answered", async () => {
    const worker = sidecar.worker();
    await start("a");
    const turn = await worker.turn();
    const quiet = ran(0, "suspend", "a", "--wait");
    expect(await json("workers")).toMatchObject([{ inFlight: [{ instanceId: "a" }] }]);
    await worker.complete(turn);
    expect(await quiet).toMatch(/^quiescent {5}a/);
  });

  test("shows its custom status, and the revisions before", async () => {
    const worker = sidecar.worker();
    await start("a");
    await worker.complete(await worker.turn(), [], { customStatus: '{"percent":50}' });
    await ran(0, "raise-event", "a", "go", "--data", "1");
    await worker.complete(await worker.turn(), [completed()], { customStatus: '{"percent":100}' });
    expect(await ran(0, "watch", "a")).toMatch(/COMPLETED {2}#2 {2}{"percent":100}/);
    expect(await json("status", "a")).toMatchObject({
      customStatus: { value: '{"percent":100}', revision: "2" },
    });
    expect(await json("status", "a", "--revisions")).toMatchObject([
      { value: '{"percent":50}' },
      { value: '{"percent":100}' },
    ]);
    expect(await json("list", "--where", "/percent >= 100")).toMatchObject([{ instanceId: "a" }]);
    expect(await json("list", "--where", "/percent < 100")).toEqual([]);
  });
});

describe("many instances", () => {
  test("are suspended, counted, resumed, terminated and purged by filters", async () => {
    await start("order-1", "order-2", "other");
    expect(await ran(0, "suspend", "--filter", "prefix=order-", "--dry-run")).toBe(
      await ran(0, "suspend", "--prefix", "order-", "--dry-run"),
    );
    expect(await ran(0, "suspend", "--prefix", "order-", "--dry-run")).toMatch(
      /order-1[\s\S]*order-2[\s\S]*would suspend 2 instances; nothing was changed/,
    );
    const results = await json("suspend", "--prefix", "order-", "--hold", "audit", "--yes");
    expect(results).toMatchObject([{ result: "suspended" }, { result: "suspended" }]);
    expect(await json("count", "--by", "status")).toEqual([
      { count: "2", status: "INSTANCE_STATUS_SUSPENDED" },
      { count: "1", status: "INSTANCE_STATUS_PENDING" },
    ]);
    expect(await json("count", "--hold", "audit")).toEqual({ count: "2" });
    const held = await json("list", "--held", "--order", "held-since");
    expect(held.length).toBe(2);
    expect(await json("resume", "--all", "--hold", "audit", "--yes")).toMatchObject([
      { result: "resumed" },
      { result: "resumed" },
    ]);
    expect((await json("terminate", "--all", "--yes")).length).toBe(3);
    expect((await json("purge", "--all", "--yes")).length).toBe(3);
    expect(await json("list")).toEqual([]);
  });
});

test("what would be resumed is what has such a hold of its own", async () => {
  await start("b");
  const worker = sidecar.worker();
  await worker.complete(await worker.turn(), [startChild(1, "b-child")]);
  await start("a", "c");
  await ran(0, "hub", "suspend", "audit");
  await ran(0, "suspend", "a", "--hold", "audit");
  await ran(0, "suspend", "b", "--hold", "audit", "--tree");
  const ids = async (...args: readonly string[]) =>
    (await json("resume", "--all", "--dry-run", ...args)).map(
      ({ instanceId }: { instanceId: string }) => instanceId,
    );
  expect(await ids("--hold", "audit")).toEqual(["a"]);
  expect(await ids("--hold", "audit", "--tree")).toEqual(["b"]);
  expect((await ids("--all-holds")).sort()).toEqual(["a", "b"]);
  expect(await ids("--all-holds", "--limit", "1")).toHaveLength(1);
  expect(await ids()).toEqual([]);
});

describe("a task hub", () => {
  test("is held for maintenance and released", async () => {
    await start("a");
    const placed = await ran(0, "hub", "suspend", "--reason", "disk", "--refuse-starts", "--wait");
    expect(placed).toMatch(
      /^placed selector "maintenance" .*: disk; covers everything\nquiescent\n$/,
    );
    expect(await ran(0, "hub", "info")).toMatch(/selector "maintenance" +everything +stopped/);
    expect(await json("list")).toMatchObject([
      { instanceId: "a", status: "INSTANCE_STATUS_PENDING", holds: [{ name: "maintenance" }] },
    ]);
    expect(await ran(69, "start", "Order", "--id", "b")).toMatch(/maintenance/);
    expect(await ran(0, "hub", "resume")).toBe('released selector "maintenance"\n');
    await ran(2, "hub", "resume", "never");
    await ran(0, "start", "Order", "--id", "b");
  });

  test("is chosen by --taskhub, and others do not see its instances", async () => {
    await ran(0, "--taskhub", "orders", "start", "Order", "--id", "a");
    expect(await json("list", "--taskhub", "orders")).toMatchObject([{ instanceId: "a" }]);
    expect(await json("list")).toEqual([]);
  });

  test("has contracts for the custom status", async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, "schema.json");
    await writeFile(file, '{"type": "object"}\n');
    expect(await ran(0, "schema", "put", "Order", file, "--warn")).toMatch(/Order +warn/);
    expect(JSON.parse(await ran(0, "schema", "get", "Order"))).toEqual({ type: "object" });
    expect(await json("schema", "list")).toMatchObject([{ name: "Order" }]);
    expect(await ran(0, "schema", "delete", "Order")).toBe("deleted the schema of Order\n");
    await ran(2, "schema", "delete", "Order");
    await ran(2, "schema", "get", "Order");
  });
});
