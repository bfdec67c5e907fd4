/** What a newcomer may try while the sidecar and the worker are running. */
import type { Approval, Order } from "./order.ts";

/** Something to type, and what it is for. */
export interface Command {
  readonly purpose: string;
  /** For a shell; may have more than one line. */
  readonly text: string;
}

/**
 * Commands that work as they are, one after the other, in the folder of the repository.
 *
 * @param address of the sidecar
 * @param endedId an order that has ended
 * @param newId an order that does not exist yet
 */
export function commandsToTry(address: string, endedId: string, newId: string): readonly Command[] {
  const curl = "npx buf curl --http2-prior-knowledge --protocol grpc";
  const call = (method: string, request: object) =>
    [
      curl,
      // Single quotes are safe: none of our texts has one.
      `  -d '${JSON.stringify(request)}'`,
      `  http://${address}/TaskHubSidecarService/${method}`,
    ].join(" \\\n");
  const item: Order = { item: "teapot" };
  const approval: Approval = { approved: true, by: "you" };
  return [
    {
      purpose: "Is the sidecar ready?",
      text: `npx taskhub healthcheck --address ${address}`,
    },
    {
      purpose: "What can be called? Reflection tells; no proto file is needed.",
      text: `${curl} --list-methods http://${address}`,
    },
    {
      purpose: "The order that you have just seen.",
      text: call("GetInstance", { instanceId: endedId, getInputsAndOutputs: true }),
    },
    {
      purpose: "Another order. Payloads are JSON text inside of JSON.",
      text: call("StartInstance", {
        instanceId: newId,
        name: "order",
        input: JSON.stringify(item),
      }),
    },
    {
      purpose: "Suspend it.",
      text: call("SuspendInstance", { instanceId: newId, reason: "lunch" }),
    },
    {
      purpose: "Approve it meanwhile: the event waits.",
      text: call("RaiseEvent", {
        instanceId: newId,
        name: "Approval",
        input: JSON.stringify(approval),
      }),
    },
    {
      purpose: "Resume it.",
      text: call("ResumeInstance", { instanceId: newId, reason: "back from lunch" }),
    },
    {
      purpose: "Wait for its result.",
      text: call("WaitForInstanceCompletion", { instanceId: newId, getInputsAndOutputs: true }),
    },
    {
      purpose: "All that has happened to it.",
      text: call("StreamInstanceHistory", { instanceId: newId }),
    },
  ];
}
