/** Follows the custom status of an order. The program of docs/custom-status.md. */
import { InstanceStatus } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import { connect } from "./connect.ts";

const [address = "localhost:4001"] = process.argv.slice(2);
await using connection = connect(address);
const { taskhub, sdk } = connection;

const instanceId = await sdk.scheduleNewOrchestration("order", "kettle");

let resumeToken = "";
for await (const change of taskhub.watchInstance({ instanceId })) {
  ({ resumeToken } = change);
  const { customStatus } = change.instance ?? {};
  if (customStatus?.value?.includes("waiting")) break; // Ends the call.
}

const first = await taskhub.getCustomStatus({ instanceId });
console.log(first.customStatus?.value, "revision", first.revision);

const second = await taskhub.getCustomStatus({ instanceId, afterRevision: first.revision });
console.log("not changed:", second.notChanged);

await taskhub.raiseEvent({ instanceId, name: "Approval", input: '{"by":"Ann"}' });

// Goes on behind the last answer that was read, also after a restart of the sidecar.
for await (const change of taskhub.watchInstance({ instanceId, resumeToken })) {
  const { status, customStatus } = change.instance ?? {};
  const isCompleted = status === InstanceStatus.COMPLETED;
  console.log("completed:", isCompleted, customStatus?.value);
}

const { revisions } = await taskhub.listCustomStatusRevisions({ instanceId });
for (const { revision, value } of revisions) console.log(revision, value);
