/** Workers that answer what nobody asked for. None of them is told so, and none harms another. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  OrchestrationStatus,
  type OrchestratorAction,
  OrchestratorActionSchema,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import { completed, createTimer, scheduleTask, startChild } from "../../support/worker-actions.ts";
import { openWorkers } from "./kit/world.ts";

type ActionInit = MessageInitShape<typeof OrchestratorActionSchema>;

function action(init: ActionInit): OrchestratorAction {
  return create(OrchestratorActionSchema, init);
}

const garbage: readonly {
  readonly what: string;
  readonly actions: readonly OrchestratorAction[];
  readonly ends: "FAILED" | "COMPLETED";
}[] = [
  { what: "an action of no kind", actions: [action({ id: 1 })], ends: "FAILED" },
  {
    what: "a timer at no time that exists",
    actions: [createTimer(1, { seconds: 10n ** 15n, nanos: -1 } as never)],
    ends: "FAILED",
  },
  {
    what: "a status that no orchestration ends with",
    actions: [
      action({
        id: 1,
        orchestratorActionType: {
          case: "completeOrchestration",
          value: { orchestrationStatus: OrchestrationStatus.PENDING },
        },
      }),
    ],
    ends: "FAILED",
  },
  {
    what: "a rewind",
    actions: [
      action({ id: 1, orchestratorActionType: { case: "rewindOrchestration", value: {} } }),
    ],
    ends: "FAILED",
  },
  {
    what: "more actions than a turn may have",
    actions: Array.from({ length: 10_001 }, (_, id) => scheduleTask(id)),
    ends: "FAILED",
  },
  { what: "two ends", actions: [completed("one"), completed("two")], ends: "COMPLETED" },
  {
    what: "one action id for everything, and below zero",
    actions: [scheduleTask(-5), startChild(-5, "child"), completed()],
    ends: "COMPLETED",
  },
];

describe("garbage actions:", () => {
  it.each(garbage)(
    "$what: the answer is OK, the instance has ended, and others are served",
    async ({ actions, ends }) => {
      await using world = await openWorkers();
      const worker = await world.worker({
        workItemFilters: { orchestrations: [{ name: "Main" }], activities: [] },
      });
      await world.start("a");
      await worker.complete(await worker.turn(), actions);
      expect((await world.end("a")).status).toBe(ends);
      await world.start("b");
      await worker.completeNext("fine");
      expect((await world.end("b")).output).toBe("fine");
      expect(world.internalErrors).toEqual([]);
    },
  );
});

describe("a worker without tokens", () => {
  const untokened = { completionToken: "" };

  it("does everything that one with tokens does, for many instances at once (T10)", async () => {
    await using world = await openWorkers();
    const worker = await world.worker();
    const ids = Array.from({ length: 20 }, (_, at) => `go-${at}`);
    await Promise.all(ids.map((id) => world.start(id)));
    const turns = async () => {
      for (;;) {
        const turn = await worker.turn();
        const isFirst = turn.request.pastEvents.length === 0;
        const actions = isFirst ? [scheduleTask(1), scheduleTask(2)] : answers(turn.request);
        await worker.complete(turn, actions, untokened);
      }
    };
    const activities = async () => {
      for (;;) await worker.finish(await worker.activity(), { result: "1", ...untokened });
    };
    for (const work of [turns(), activities()]) work.catch(() => {});
    for (const id of ids) {
      expect(await world.end(id)).toEqual({ status: "COMPLETED", output: "2 results" });
    }
  });

  it("is OK when it answers twice, late, or for what nobody has, and nothing changes", async () => {
    await using world = await openWorkers();
    const worker = await world.worker();
    await world.start("a");
    const turn = await worker.turn();
    await Promise.all(
      ["one", "two", "three"].map((result) =>
        worker.complete(turn, [completed(result)], untokened),
      ),
    );
    const { output } = await world.end("a");
    expect(["one", "two", "three"]).toContain(output);
    await worker.complete(turn, [completed("late")], untokened);
    await worker.complete(turn, [completed("nobody's")], { instanceId: "b", ...untokened });
    expect((await world.end("a")).output).toBe(output);
    expect(await world.status("b")).toBeUndefined();
  });

  /** Ends once both results are there. */
  function answers(request: { pastEvents: readonly unknown[]; newEvents: readonly unknown[] }) {
    const results = [...request.pastEvents, ...request.newEvents].filter(
      (event) => (event as { eventType: { case?: string } }).eventType.case === "taskCompleted",
    );
    return results.length === 2 ? [completed("2 results")] : [];
  }
});

describe("a token", () => {
  it("of another instance is stale: the answer is OK and changes neither", async () => {
    await using world = await openWorkers();
    const worker = await world.worker();
    for (const id of ["a", "b"]) await world.start(id);
    const [first, second] = [await worker.turn(), await worker.turn()];
    const mixed = { completionToken: second.token };
    await worker.complete(first, [completed("mixed up")], mixed);
    expect([await world.status("a"), await world.status("b")]).toEqual(["PENDING", "PENDING"]);
    await worker.complete(first, [completed(first.request.instanceId)]);
    await worker.complete(second, [completed(second.request.instanceId)]);
    for (const id of ["a", "b"]) expect((await world.end(id)).output).toBe(id);
  });

  it("of another activity is stale: the answer is OK and changes neither", async () => {
    await using world = await openWorkers();
    const worker = await world.worker();
    await world.start("a");
    await worker.complete(await worker.turn(), [scheduleTask(1), scheduleTask(2)]);
    const [first, second] = [await worker.activity(), await worker.activity()];
    await worker.finish(first, { result: "mixed up", completionToken: second.token });
    for (const activity of [first, second]) {
      await worker.finish(activity, { result: `${activity.request.taskId}` });
    }
    const results: string[] = [];
    while (results.length < 2) {
      const turn = await worker.turn();
      for (const { eventType } of turn.request.newEvents) {
        if (eventType.case !== "taskCompleted") continue;
        results.push(`${eventType.value.taskScheduledId}=${eventType.value.result}`);
      }
      await worker.complete(turn);
    }
    expect(results.toSorted()).toEqual(["1=1", "2=2"]);
  });
});

describe("two workers with different versions of the code", () => {
  it("with filters: each gets the instances of its version", async () => {
    await using world = await openWorkers();
    const ofVersion = (version: string) => ({
      workItemFilters: { orchestrations: [{ name: "Main", versions: [version] }] },
    });
    const [one, two] = [await world.worker(ofVersion("1")), await world.worker(ofVersion("2"))];
    for (const version of ["1", "2"]) {
      const instanceId = `of ${version}`;
      await world.client.startInstance({ instanceId, name: "Main", version });
    }
    expect((await one.completeNext("1")).request.instanceId).toBe("of 1");
    expect((await two.completeNext("2")).request.instanceId).toBe("of 2");
  });

  it("without filters: what one gives back goes to the other one (T37)", async () => {
    await using world = await openWorkers();
    const old = await world.worker();
    await world.client.startInstance({ instanceId: "a", name: "Main", version: "2" });
    const refused = await old.turn();
    const current = await world.worker();
    const completionToken = refused.token;
    await world.client.abandonTaskOrchestratorWorkItem({ completionToken });
    await world.hub.pass(200);
    expect((await current.completeNext("done")).request.instanceId).toBe("a");
    expect((await world.end("a")).output).toBe("done");
  });
});
