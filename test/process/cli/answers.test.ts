/** What commands make of answers, page by page, in every format. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import {
  type InstanceSchema,
  InstanceStatus,
} from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type {
  CountInstancesRequest,
  QueryInstancesRequest,
} from "../../../sidecar/wire/gen/taskhub/v1/query_pb.ts";
import { taskhub } from "../../support/command-line.ts";
import { scriptedService } from "../../support/scripted-service.ts";

type InstanceShape = Extract<MessageInitShape<typeof InstanceSchema>, { $typeName?: never }>;

const createdAt = timestampFromMs(Date.parse("2026-11-21T12:00:00Z"));

function instance(instanceId: string, more: Partial<InstanceShape> = {}): InstanceShape {
  return { instanceId, name: "Order", status: InstanceStatus.RUNNING, createdAt, ...more };
}

const threePages = async ({ pageToken }: QueryInstancesRequest) => {
  switch (pageToken) {
    case "":
      return { instances: [instance("a")], nextPageToken: "1" };
    case "1":
      // The work of one call is bounded: nothing found is not the end.
      return { instances: [], nextPageToken: "2" };
    default:
      return { instances: [instance("b")] };
  }
};

describe("list", () => {
  test("reads all pages, also behind an empty one, as a table", async () => {
    await using service = await scriptedService({ queryInstances: threePages });
    expect(await taskhub(["list"], service)).toEqual({
      code: 0,
      err: "",
      out: [
        "INSTANCE  NAME   VERSION  STATUS   CREATED               HELD BY  CUSTOM STATUS",
        "a         Order           RUNNING  2026-11-21T12:00:00Z",
        "b         Order           RUNNING  2026-11-21T12:00:00Z",
        "",
      ].join("\n"),
    });
  });

  test("-o json is one array and -o jsonl one document a line, before or behind the command", async () => {
    await using service = await scriptedService({ queryInstances: threePages });
    const documents = ["a", "b"].map((instanceId) => ({
      instanceId,
      name: "Order",
      status: "INSTANCE_STATUS_RUNNING",
      createdAt: "2026-11-21T12:00:00Z",
    }));
    const json = await taskhub(["list", "-o", "json"], service);
    expect(JSON.parse(json.out)).toEqual(documents);
    const lines = await taskhub(["-o", "jsonl", "list"], service);
    expect(
      lines.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(documents);
  });

  test("nothing found is an empty array, no line, or a word", async () => {
    await using service = await scriptedService({ queryInstances: async () => ({}) });
    expect((await taskhub(["list", "-o", "json"], service)).out).toBe("[]\n");
    expect((await taskhub(["list", "-o", "jsonl"], service)).out).toBe("");
    expect((await taskhub(["list"], service)).out).toBe("(none)\n");
  });

  test("a limit bounds the pages and ends the reading", async () => {
    const sizes: number[] = [];
    await using service = await scriptedService({
      queryInstances: async ({ pageSize }) => {
        sizes.push(pageSize);
        const instances = Array.from({ length: pageSize }, (_, at) => instance(`${at}`));
        return { instances, nextPageToken: "more" };
      },
    });
    const { out } = await taskhub(["list", "--limit", "1500", "-o", "jsonl"], service);
    expect(out.trimEnd().split("\n").length).toBe(1500);
    expect(sizes).toEqual([1000, 500]);
  });

  test("sends the name of the task hub with each call", async () => {
    const hubs: (string | null)[] = [];
    await using service = await scriptedService({
      queryInstances: async (_request, { requestHeader }) => {
        hubs.push(requestHeader.get("taskhub"));
        return {};
      },
    });
    await taskhub(["list"], service);
    await taskhub(["list"], { ...service, environment: { TASKHUB_TASKHUB: "orders" } });
    await taskhub(["list", "--taskhub", "bills"], service);
    expect(hubs).toEqual(["default", "orders", "bills"]);
  });

  test("hostile texts reach no terminal, in no format", async () => {
    const evil = "\u001b]0;owned\u0007\u009b2J\u202e";
    const holds = [{ name: evil, scope: HoldScope.INSTANCE, reason: evil }];
    await using service = await scriptedService({
      queryInstances: async () => ({
        instances: [instance(evil, { holds, customStatus: { value: evil, revision: 1n } })],
      }),
    });
    for (const format of ["table", "json", "jsonl"]) {
      const { out } = await taskhub(["list", "-o", format], service);
      expect(out).toContain("owned");
      expect(out).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
    }
  });
});

describe("count", () => {
  const pages = async ({ pageToken, groupBy }: CountInstancesRequest) => {
    const status = groupBy.length === 0 ? InstanceStatus.UNSPECIFIED : InstanceStatus.RUNNING;
    if (pageToken === "") return { counts: [{ count: 2n, status }], nextPageToken: "1" };
    const failed = { count: 9n, status: InstanceStatus.FAILED };
    return { counts: [{ count: 3n, status }, ...(groupBy.length === 0 ? [] : [failed])] };
  };

  test("is the sum of all pages", async () => {
    await using service = await scriptedService({ countInstances: pages });
    expect((await taskhub(["count"], service)).out).toBe("5\n");
    expect((await taskhub(["count", "-o", "jsonl"], service)).out).toBe('{"count":"5"}\n');
  });

  test("by status sums each status, the largest first", async () => {
    await using service = await scriptedService({ countInstances: pages });
    expect((await taskhub(["count", "--by", "status"], service)).out).toBe(
      "STATUS   COUNT\nFAILED   9\nRUNNING  5\n",
    );
  });

  test("nothing is 0", async () => {
    await using service = await scriptedService({ countInstances: async () => ({}) });
    expect((await taskhub(["count"], service)).out).toBe("0\n");
  });
});

describe("exit codes", () => {
  test.each([
    [Code.NotFound, 2],
    [Code.FailedPrecondition, 3],
    [Code.AlreadyExists, 3],
    [Code.InvalidArgument, 4],
    [Code.Unavailable, 69],
    [Code.DeadlineExceeded, 124],
    [Code.ResourceExhausted, 1],
    [Code.Internal, 1],
  ])("gRPC code %d ends with %d and one line", async (grpcCode, code) => {
    await using service = await scriptedService({
      explainInstance: () => {
        throw new ConnectError("because\nof \u001b[2J this", grpcCode);
      },
    });
    const ran = await taskhub(["explain", "a"], service);
    expect(ran).toMatchObject({ code, out: "" });
    expect(ran.err).toMatch(/^taskhub: [^\p{Cc}]*because of \\u001b\[2J this\n$/u);
  });

  test("nobody listens: 69, and what to do", async () => {
    let address = "";
    {
      await using service = await scriptedService({});
      address = service.address;
    }
    const ran = await taskhub(["workers"], { address });
    expect(ran).toMatchObject({ code: 69, out: "" });
    expect(ran.err).toMatch(/^taskhub: no sidecar answers at 127.0.0.1:\d+ \(.*\): start one with/);
  });

  test("the time is up: 124", async () => {
    await using service = await scriptedService({ explainInstance: untilCancelled });
    expect(await taskhub(["explain", "a", "--timeout", "50ms"], service)).toEqual({
      code: 124,
      out: "",
      err: "taskhub: the time is up: 50 ms\n",
    });
  });

  test("interrupted: 130", async () => {
    const interruption = new AbortController();
    await using service = await scriptedService({
      explainInstance: (request, context) => {
        interruption.abort();
        return untilCancelled(request, context);
      },
    });
    const interrupt = interruption.signal;
    expect(await taskhub(["explain", "a"], { ...service, interrupt })).toEqual({
      code: 130,
      out: "",
      err: "taskhub: interrupted\n",
    });
  });
});

function untilCancelled(_request: unknown, { signal }: { signal: AbortSignal }): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
