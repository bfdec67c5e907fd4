/** Holds an order until its papers are there. The program of docs/suspend-resume.md. */
import { ExpiryAction } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import { connect } from "./connect.ts";

const [address = "localhost:4001"] = process.argv.slice(2);
await using connection = connect(address);
const { taskhub, sdk } = connection;

const instanceId = await sdk.scheduleNewOrchestration("order", "kettle");

const { hold, placed } = await taskhub.suspendInstance({
  instanceId,
  name: "audit",
  reason: "papers are missing",
  requestedBy: "ann",
  resumeCondition: "the papers are complete",
  expiresAfter: { seconds: 7_200n },
  expiryAction: ExpiryAction.KEEP,
  requestId: crypto.randomUUID(),
});
console.log(placed, hold?.name, hold?.reason);

const { outcome } = await taskhub.waitForQuiescence({
  target: { case: "instanceId", value: instanceId },
});
console.log("it has stopped:", outcome === QuiescenceOutcome.QUIESCENT);

await taskhub.raiseEvent({ instanceId, name: "Approval", input: '{"by":"Ann"}' });
const { bufferedEvents, quiescent } = await taskhub.getSuspension({ instanceId });
console.log(bufferedEvents?.count, quiescent);

const { reached, instance } = await taskhub.waitForInstance({
  instanceId,
  timeout: { nanos: 100_000_000 },
});
const heldBy = instance?.holds.map(({ name }) => name);
console.log(reached, heldBy);

const { released, remaining } = await taskhub.resumeInstance({ instanceId, name: "audit" });
console.log(released.length, remaining.length);

const finished = await sdk.waitForOrchestrationCompletion(instanceId);
console.log(finished?.serializedOutput);
