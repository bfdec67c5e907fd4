/** Watching, as lines, as one live line, and as JSON. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import {
  type InstanceSchema,
  InstanceStatus,
} from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import {
  WatchEvent,
  type WatchInstancesResponseSchema,
} from "../../../sidecar/wire/gen/taskhub/v1/watch_pb.ts";
import { taskhub, terminalAnswering } from "../../support/command-line.ts";
import { scriptedService } from "../../support/scripted-service.ts";

type InstanceShape = Extract<MessageInitShape<typeof InstanceSchema>, { $typeName?: never }>;

const createdAt = timestampFromMs(Date.parse("2026-11-21T12:00:00Z"));

function instance(instanceId: string, more: Partial<InstanceShape> = {}): InstanceShape {
  return { instanceId, name: "Order", status: InstanceStatus.RUNNING, createdAt, ...more };
}

describe("watch", () => {
  const completed = instance("a", {
    status: InstanceStatus.COMPLETED,
    updatedAt: createdAt,
    completedAt: timestampFromMs(Date.parse("2026-11-21T12:03:12Z")),
    customStatus: { value: '{"percent":100,"message":"baked"}', revision: 2n },
  });
  const halfway = instance("a", {
    updatedAt: createdAt,
    customStatus: { value: '{"percent":50}', revision: 1n },
    holds: [{ name: "maintenance", scope: HoldScope.SELECTOR }],
  });

  async function* completing() {
    yield { event: WatchEvent.SNAPSHOT, instance: halfway };
    yield { event: WatchEvent.FINISHED, instance: completed };
  }

  test("is a line for each change, and ends with 0 when the instance has completed", async () => {
    await using service = await scriptedService({ watchInstance: completing });
    expect(await taskhub(["watch", "a"], service)).toEqual({
      code: 0,
      err: "",
      out: [
        '2026-11-21T12:00:00Z  a  RUNNING  #1  {"percent":50}  held by selector "maintenance"',
        '2026-11-21T12:00:00Z  a  COMPLETED  #2  {"percent":100,"message":"baked"}',
        "",
      ].join("\n"),
    });
  });

  test("on a terminal is one line that is drawn again, with a bar", async () => {
    await using service = await scriptedService({ watchInstance: completing });
    const { terminal } = terminalAnswering("");
    const { code, out } = await taskhub(["watch", "a"], { ...service, terminal });
    expect(code).toBe(0);
    const lines = out.split("\r\u001b[2K");
    expect(lines[1]).toBe("waiting");
    expect(out).toContain('[##########----------]  50%  held by selector "maintenance"');
    expect(lines.at(-1)).toBe("COMPLETED  3m12s  [####################] 100%  baked\n");
  });

  test("in JSON is one document a line", async () => {
    await using service = await scriptedService({ watchInstance: completing });
    for (const format of ["json", "jsonl"]) {
      const { out } = await taskhub(["watch", "a", "-o", format], service);
      const events = out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).event);
      expect(events).toEqual(["WATCH_EVENT_SNAPSHOT", "WATCH_EVENT_FINISHED"]);
    }
  });

  test.each([
    [{ event: WatchEvent.FINISHED, instance: instance("a", { status: InstanceStatus.FAILED }) }],
    [{ event: WatchEvent.REMOVED }],
  ])("ends with 1 when it ends otherwise: %#", async (last) => {
    await using service = await scriptedService({
      async *watchInstance() {
        yield last;
      },
    });
    expect((await taskhub(["watch", "a"], service)).code).toBe(1);
  });

  test("of a hub shows snapshot, changes, removals and holds", async () => {
    await using service = await scriptedService({
      async *watchInstances({ filter }) {
        const holds = [{ name: filter?.instanceIdPrefix ?? "", scope: HoldScope.TREE }];
        const events: MessageInitShape<typeof WatchInstancesResponseSchema>["event"][] = [
          { case: "reset", value: {} },
          { case: "instance", value: halfway },
          { case: "live", value: {} },
          { case: "holds", value: { holds } },
          { case: "removedInstanceId", value: "a" },
        ];
        for (const event of events) if (event !== undefined) yield { event };
      },
    });
    const ran = await taskhub(["watch", "--prefix", "p"], service);
    expect(ran).toMatchObject({ code: 69, err: "taskhub: the sidecar has ended the watch\n" });
    expect(ran.out.trimEnd().split("\n").slice(1)).toEqual([
      "-- live: what follows are changes --",
      '-- hub: held by tree "p" --',
      "a removed",
    ]);
  });
});
