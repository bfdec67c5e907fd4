/** The part of the script in which instances change: custom status, generations, ends and new lives. */
import { expect } from "vitest";
import { HoldScope } from "../../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { InstanceStatus } from "../../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { continueAsNew } from "../../support/worker-actions.ts";
import { eventsIn } from "./new-events.ts";
import { does, looks, raises, type Step, starts, suspends, terminates, turns } from "./step.ts";

const { SUSPENDED } = InstanceStatus;

export function revisions(): Step[] {
  const instanceId = "steps";
  return [
    starts(instanceId, { name: "Order" }),
    turns(instanceId, 1, '{"percent":1}'),
    raises(instanceId, "step 1"),
    turns(instanceId, 2, '"against the schema"'),
    raises(instanceId, "step 2"),
    turns(instanceId, 3, undefined),
    looks("each revision is there, with what is wrong with it", async ({ v1 }) => {
      const answer = await v1.listCustomStatusRevisions({ instanceId });
      const texts = answer.revisions.map(({ revision, value }) => [revision, value]);
      expect(texts).toEqual([
        [1n, '{"percent":1}'],
        [2n, '"against the schema"'],
        [3n, undefined],
      ]);
      expect(answer.revisions.map(({ violation }) => violation !== "")).toEqual([
        false,
        true,
        false,
      ]);
    }),
  ];
}

export function generations(): Step[] {
  const instanceId = "again";
  return [
    starts(instanceId, { name: "Again", input: "1" }),
    does(
      "continue-as-new while held",
      async (sidecar) => {
        const { revision, holds } = await sidecar.v1.getCustomStatus({ instanceId });
        if (revision === 1n) return expect(holds.map(({ name }) => name)).toEqual(["meanwhile"]);
        // What a worker had when the sidecar was killed is held now like everything else.
        await sidecar.v1.resumeInstance({ instanceId, name: "meanwhile" });
        const turn = await sidecar.turnOf(instanceId);
        await sidecar.v1.suspendInstance({ instanceId, name: "meanwhile", reason: "over both" });
        await sidecar.v1.raiseEvent({ instanceId, name: "to the next", requestId: "next" });
        // One that was raised in the life before has come with the turn, which has not read it.
        const again = continueAsNew("2", eventsIn(turn));
        return sidecar.complete(turn, [again], '"generation 1"');
      },
      { inPieces: true },
    ),
    raises(instanceId, "to the next as well"),
    looks("the next generation is held", async ({ v1, compat }) => {
      const { instance, bufferedEvents, turnHeldBack } = await v1.getSuspension({ instanceId });
      expect(instance?.status).toBe(SUSPENDED);
      expect(instance?.holds.map(({ name }) => name)).toEqual(["meanwhile"]);
      expect({ count: bufferedEvents?.count, turnHeldBack }).toEqual({
        count: 2,
        turnHeldBack: true,
      });
      const { orchestrationState } = await compat.getInstance({
        instanceId,
        getInputsAndOutputs: true,
      });
      expect(orchestrationState?.input).toBe("2");
    }),
  ];
}

export function lives(): Step[] {
  return [
    starts("doomed", { name: "Held" }),
    turns("doomed", 1, '"alive"'),
    suspends("doomed", { name: "legal", reason: "a letter came" }),
    suspends("doomed", { name: "its tree", scope: HoldScope.TREE }),
    raises("doomed", "never read"),
    terminates("doomed", '"given up"'),
    looks("what held it is gone", async ({ v1 }) => {
      const { suspensions } = await v1.listSuspensions({ instanceIdPrefix: "doomed" });
      expect(suspensions).toEqual([]);
    }),
    starts("doomed", { name: "Held", version: "replacement" }),
    suspends("doomed", { name: "legal", reason: "in its second life" }),
    looks("revisions go on over the replacement", async ({ v1 }) => {
      const { revision, customStatus } = await v1.getCustomStatus({ instanceId: "doomed" });
      expect({ revision, value: customStatus?.value }).toEqual({ revision: 2n, value: undefined });
    }),
    terminates("doomed", '"given up again"'),
    does(
      "purge",
      ({ compat }) => compat.purgeInstances({ request: { case: "instanceId", value: "doomed" } }),
      { ends: "doomed" },
    ),
    starts("doomed", { name: "Held", version: "after the purge" }),
    looks("nothing is left of its earlier lives", async ({ v1 }) => {
      const { instance } = await v1.getSuspension({ instanceId: "doomed" });
      expect(instance?.holds).toEqual([]);
      expect((await v1.getCustomStatus({ instanceId: "doomed" })).revision).toBe(0n);
    }),
  ];
}
