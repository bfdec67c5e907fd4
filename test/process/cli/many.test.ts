/** What is done to many instances: found, shown, agreed to, reported one by one. */
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { InstanceStatus } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type { QueryInstancesRequest } from "../../../sidecar/wire/gen/taskhub/v1/query_pb.ts";
import {
  QuiescenceOutcome,
  type SuspendInstanceRequest,
} from "../../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { taskhub, terminalAnswering } from "../../support/command-line.ts";
import { type ScriptedService, scriptedService } from "../../support/scripted-service.ts";

/** A hub whose instances have these ids. */
class Hub implements AsyncDisposable {
  readonly queries: QueryInstancesRequest[] = [];
  readonly suspended: SuspendInstanceRequest[] = [];
  readonly #service: ScriptedService;

  static async open(ids: readonly string[], failing: readonly string[] = []): Promise<Hub> {
    const seen: { hub?: Hub } = {};
    const service = await scriptedService({
      queryInstances: async (request) => {
        seen.hub?.queries.push(request);
        const status = InstanceStatus.RUNNING;
        return { instances: ids.map((instanceId) => ({ instanceId, name: "Order", status })) };
      },
      suspendInstance: async (request) => {
        const { instanceId, name } = request;
        if (failing.includes(instanceId)) {
          throw new ConnectError(`instance "${instanceId}" is COMPLETED`, Code.FailedPrecondition);
        }
        seen.hub?.suspended.push(request);
        return { hold: { name, scope: HoldScope.INSTANCE }, placed: true };
      },
      waitForQuiescence: async ({ target }) => ({
        outcome: target.value === "gone" ? QuiescenceOutcome.ENDED : QuiescenceOutcome.QUIESCENT,
      }),
    });
    const hub = new Hub(service);
    seen.hub = hub;
    return hub;
  }

  constructor(service: ScriptedService) {
    this.#service = service;
  }

  get address(): string {
    return this.#service.address;
  }

  get suspendedIds(): readonly string[] {
    return this.suspended.map(({ instanceId }) => instanceId).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service[Symbol.asyncDispose]();
  }
}

const byFilter = ["suspend", "--prefix", "order-", "--hold", "audit"];

describe("with a filter", () => {
  test("a dry run shows which, and changes nothing", async () => {
    await using hub = await Hub.open(["order-1", "order-2"]);
    const { code, out } = await taskhub([...byFilter, "--dry-run"], hub);
    expect(code).toBe(0);
    expect(out).toContain("order-1");
    expect(out).toContain("\nwould suspend 2 instances; nothing was changed\n");
    expect(hub.suspended).toEqual([]);
  });

  test("looks only at instances that can be suspended, unless told otherwise", async () => {
    await using hub = await Hub.open([]);
    await taskhub([...byFilter, "--dry-run"], hub);
    await taskhub([...byFilter, "--dry-run", "--status", "failed", "--held-by", "x"], hub);
    const { PENDING, RUNNING, SUSPENDED, FAILED } = InstanceStatus;
    expect(hub.queries.map(({ filter }) => [filter?.statuses, filter?.holdName])).toEqual([
      [[PENDING, RUNNING, SUSPENDED], undefined],
      [[FAILED], "x"],
    ]);
  });

  test("without a terminal it needs --yes, before any call", async () => {
    await using hub = await Hub.open(["order-1"]);
    expect(await taskhub(byFilter, hub)).toEqual({
      code: 64,
      out: "",
      err: "taskhub: without a terminal to ask at, --yes is needed\n",
    });
    expect(hub.queries).toEqual([]);
  });

  test("with --yes every instance has its line", async () => {
    await using hub = await Hub.open(["order-1", "order-2"]);
    const { code, out, err } = await taskhub([...byFilter, "--yes"], hub);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.trimEnd().split("\n").sort()).toEqual([
      'suspended     order-1  by hold "audit"',
      'suspended     order-2  by hold "audit"',
    ]);
    expect(hub.suspended.map(({ name }) => name)).toEqual(["audit", "audit"]);
  });

  test("on a terminal it shows, asks, and draws its progress where errors go", async () => {
    await using hub = await Hub.open(["order-1", "order-2"]);
    const { terminal, questions } = terminalAnswering("yes");
    const { code, err } = await taskhub(byFilter, { address: hub.address, terminal });
    expect(code).toBe(0);
    expect(questions).toEqual(["Suspend 2 instances? [y/N] "]);
    expect(err).toContain("order-1");
    expect(err).toContain("[##########----------]  50%  1 of 2");
    expect(err.endsWith("\r\u001b[2K")).toBe(true);
    expect(hub.suspendedIds).toEqual(["order-1", "order-2"]);
  });

  test.each(["", "n", "yesterday"])("the answer %j changes nothing, and is 1", async (answer) => {
    await using hub = await Hub.open(["order-1"]);
    const { terminal } = terminalAnswering(answer);
    const { code, err } = await taskhub(byFilter, { address: hub.address, terminal });
    expect(code).toBe(1);
    expect(err).toContain("taskhub: not confirmed; nothing was changed\n");
    expect(hub.suspended).toEqual([]);
  });

  test("one that fails does not stop the others, and makes it 1", async () => {
    const ids = Array.from({ length: 30 }, (_, at) => `order-${at}`);
    await using hub = await Hub.open(ids, ["order-3"]);
    const { code, out } = await taskhub([...byFilter, "--yes", "-o", "json"], hub);
    expect(code).toBe(1);
    const results: { instanceId: string; result: string }[] = JSON.parse(out);
    expect(results.map(({ instanceId }) => instanceId).sort()).toEqual([...ids].sort());
    expect(results.filter(({ result }) => result !== "suspended")).toEqual([
      {
        instanceId: "order-3",
        result: "failed",
        error: { code: "FailedPrecondition", message: 'instance "order-3" is COMPLETED' },
      },
    ]);
    expect(hub.suspendedIds.length).toBe(29);
  });

  test("nothing found is nothing done", async () => {
    await using hub = await Hub.open([]);
    expect(await taskhub([...byFilter, "--yes"], hub)).toEqual({
      code: 0,
      err: "",
      out: "nothing to suspend: no instance is like that\n",
    });
    expect((await taskhub([...byFilter, "--yes", "-o", "json"], hub)).out).toBe("[]\n");
  });
});

describe("with ids", () => {
  test("one that fails ends with the code of its failure", async () => {
    await using hub = await Hub.open([], ["a"]);
    expect(await taskhub(["suspend", "a"], hub)).toEqual({
      code: 3,
      out: "",
      err: 'taskhub: instance "a" is COMPLETED\n',
    });
  });

  test("several have a line each, and 1 when one fails", async () => {
    await using hub = await Hub.open([], ["b"]);
    const { code, out, err } = await taskhub(["suspend", "a", "b", "a"], hub);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out.trimEnd().split("\n").sort()).toEqual([
      'failed        b  instance "b" is COMPLETED',
      'suspended     a  by hold ""',
    ]);
  });

  test("--wait tells how each wait ended", async () => {
    await using hub = await Hub.open([]);
    const { code, out } = await taskhub(["suspend", "a", "gone", "--wait"], hub);
    expect(code).toBe(1);
    expect(out.trimEnd().split("\n").sort()).toEqual([
      "ended         gone  it has finished or is gone",
      "quiescent     a  suspended, and nothing of it is with a worker",
    ]);
  });

  test("a lost connection ends it at once", async () => {
    let address = "";
    {
      await using hub = await Hub.open([]);
      address = hub.address;
    }
    const ran = await taskhub(["suspend", "a", "b"], { address });
    expect(ran).toMatchObject({ code: 69, out: "" });
    expect(ran.err).toMatch(/^taskhub: no sidecar answers .*; 0 of 2 were done\n$/);
  });

  test("an interruption says how far it came", async () => {
    const interruption = new AbortController();
    await using service = await scriptedService({
      suspendInstance: ({ instanceId }, { signal }) => {
        if (instanceId === "a") return Promise.resolve({ placed: true });
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
    });
    const ran = await taskhub(["suspend", "a", "b"], {
      address: service.address,
      interrupt: interruption.signal,
      onOut: () => interruption.abort(),
    });
    expect(ran).toMatchObject({
      code: 130,
      err: "taskhub: interrupted; 1 of 2 were done\n",
    });
  });
});

test.each([
  [["suspend"], "which instances? Give ids, or a filter such as --name or --prefix"],
  [["suspend", "a", "--prefix", "b"], "instance ids and a filter do not go together"],
  [["suspend", "a", "--dry-run"], "instance ids and a filter do not go together"],
  [["purge", "--all"], "without a terminal to ask at, --yes is needed"],
  [["terminate", "a", "--output", "oops"], "--output: not JSON"],
  [["resume", "a", "--all-holds", "--tree"], "--all-holds does not go with --hold or --tree"],
  [["hub", "resume", "x", "--all-holds"], "a window and --all-holds do not go together"],
  [["watch", "--wait"], "--wait needs an instance id"],
  [["count", "--by", "age"], '--by: "age" is not one of: status, name, version, hold'],
  [["list", "--order", "name"], '--order: "name" is not one of: created, held-since'],
  [["suspensions", "--scope", "hub"], '--scope: "hub" is not one of: instance, tree, selector'],
  [["start", "Order", "--input", "@/nowhere"], "--input: ENOENT"],
])("%j is a mistake before any call", async (args, line) => {
  const { code, out, err } = await taskhub(args, { address: "127.0.0.1:1" });
  expect({ code, out }).toEqual({ code: 64, out: "" });
  expect(err).toContain(`taskhub: ${line}`);
});
