/** What a newcomer may try while the sidecar and the worker are running. */
import type { Approval, Order } from "./order.ts";

/** Something to type, and what it is for. */
export interface Command {
  readonly purpose: string;
  /** For a shell; may have more than one line. */
  readonly text: string;
}

/** Where commands of ours look for a sidecar when nobody tells them. */
const usualAddress = "localhost:4001";

/**
 * Commands that work as they are, one after the other, in the folder of the repository.
 *
 * @param address of the sidecar
 * @param newId an order that does not exist yet
 */
export function commandsToTry(address: string, newId: string): readonly Command[] {
  const there = address === usualAddress ? "" : ` --address ${address}`;
  const taskhub = (command: string) => `npx taskhub ${command}${there}`;
  const curl = "npx buf curl --http2-prior-knowledge --protocol grpc";
  // Single quotes are safe: none of our texts has one.
  const json = (value: object) => `'${JSON.stringify(value)}'`;
  const item: Order = { item: "toaster" };
  const approval: Approval = { approved: true, by: "you" };
  return [
    { purpose: "All orders.", text: taskhub("list") },
    {
      purpose: "Another order.",
      text: taskhub(`start order --id ${newId} --input ${json(item)}`),
    },
    {
      purpose: "Suspend it.",
      text: taskhub(`suspend ${newId} --hold lunch --reason "back at two" --expires 1h`),
    },
    {
      purpose: "Approve it meanwhile: the event waits.",
      text: taskhub(`raise-event ${newId} Approval --data ${json(approval)}`),
    },
    { purpose: "Why does it not run?", text: taskhub(`explain ${newId}`) },
    { purpose: "Resume it.", text: taskhub(`resume ${newId} --hold lunch`) },
    { purpose: "Watch it, live, to its end.", text: taskhub(`watch ${newId}`) },
    { purpose: "All that has happened to it.", text: taskhub(`history ${newId}`) },
    {
      purpose: "The same without our command line: all that can be called, by reflection.",
      text: `${curl} --list-methods http://${address}`,
    },
    {
      purpose: "One of these calls.",
      text: [
        curl,
        `  -d ${json({ instanceId: newId })}`,
        `  http://${address}/taskhub.v1.ClientService/ListCustomStatusRevisions`,
      ].join(" \\\n"),
    },
  ];
}
