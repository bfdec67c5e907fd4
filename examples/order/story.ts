/** Two orders: the first is suspended on its way, then a maintenance window holds them both. */
import { setTimeout } from "node:timers/promises";
import type { TaskHubGrpcClient } from "@microsoft/durabletask-js";
import { QuiescenceOutcome } from "../../sidecar/wire/gen/taskhub/v1/suspension_pb.ts";
import type { HubClient } from "./client.ts";
import { type FollowedOrder, follow, statusOf, stepOf } from "./follow.ts";
import { type Approval, type Order, order } from "./order.ts";
import { showAction, showDetail, showFact, showHolds, showOrder } from "./screen.ts";

/** What the story is told with. */
export interface Stage extends Pick<HubClient, "hub"> {
  /** The published SDK: it starts orders, raises events and reads results. */
  readonly client: TaskHubGrpcClient;
  readonly signal: AbortSignal;
}

/** What a step of the story is about. */
interface Actor {
  readonly instanceId: string;
  readonly followed: FollowedOrder;
}

/** Time to read what is on the screen. */
const readingMs = 2_000;

const approval: Approval = { approved: true, by: "the first minute" };

/**
 * Tells it to its end. The ids are those of orders that do not exist yet.
 *
 * @throws Error when an order does not go its way; whatever ends a call when the signal is aborted
 */
export async function tellStory(stage: Stage, firstId: string, secondId: string): Promise<void> {
  const first = await startOrder(stage, firstId, { item: "kettle" });
  await first.followed.until((now) => stepOf(now) === "packing");
  await suspendForAWhile(stage, first);
  await first.followed.until((now) => stepOf(now) === "charging payment");

  await placeWindow(stage, first);
  showAction(`start ${secondId}: it is accepted, and held`);
  const second = await startOrder(stage, secondId, { item: "teapot" });
  await stage.client.raiseOrchestrationEvent(secondId, "Approval", approval);
  await second.followed.until((now) => now.holds.length > 0);
  await waitUntilQuiet(stage);
  await endWindow(stage);

  await first.followed.until((now) => statusOf(now) === "COMPLETED");
  await second.followed.until((now) => statusOf(now) === "COMPLETED");
  console.log();
  for (const { instanceId } of [first, second]) {
    const state = await stage.client.getOrchestrationState(instanceId);
    showFact("result", state?.serializedOutput ?? "");
  }
}

async function startOrder(stage: Stage, instanceId: string, input: Order): Promise<Actor> {
  await stage.client.scheduleNewOrchestration(order, input, instanceId);
  return { instanceId, followed: follow({ ...stage, instanceId, show: showOrder }) };
}

/** A hold: one named reason why an order does not run. */
async function suspendForAWhile(
  { hub, client, signal }: Stage,
  { instanceId, followed }: Actor,
): Promise<void> {
  showAction(`suspend ${instanceId}: a hold has a name, a reason and an expiry`);
  const name = "address check";
  await hub.suspendInstance({
    instanceId,
    name,
    reason: "the customer has moved",
    requestedBy: "Ann",
    expiresAfter: { seconds: 600n }, // It is resumed then, if nobody does it before.
  });
  const { holds } = await followed.until((now) => statusOf(now) === "SUSPENDED");
  showHolds(holds);

  showAction("raise the event Approval: it waits, because the order is suspended");
  await client.raiseOrchestrationEvent(instanceId, "Approval", approval);
  const { bufferedEvents, quiescent } = await hub.getSuspension({ instanceId });
  const isStill = quiescent ? ", and no worker has anything of the order" : "";
  showDetail(`events that wait: ${bufferedEvents?.count ?? 0}${isStill}`);
  await setTimeout(readingMs, undefined, { signal });

  showAction(`resume ${instanceId}`);
  await hub.resumeInstance({ instanceId, name, reason: "he has moved back" });
}

const windowName = "maintenance";

/** A window holds what there is and what comes, whether it is one order or a million. */
async function placeWindow({ hub }: Stage, { followed }: Actor): Promise<void> {
  showAction("hold the whole task hub: a maintenance window");
  await hub.suspendTaskHub({
    name: windowName,
    reason: "a new payment terminal",
    requestedBy: "Bob",
    expiresAfter: { seconds: 30n }, // Whatever becomes of this program, orders go on then.
    replace: true, // An earlier show may have been interrupted here.
  });
  const { holds } = await followed.until((now) => now.holds.length > 0);
  showHolds(holds);
}

/** What a worker had when the window began may come to its end; nothing new is handed out. */
async function waitUntilQuiet({ hub, signal }: Stage): Promise<void> {
  showAction("wait until no worker has anything any more");
  const target = { case: "window", value: windowName } as const;
  const { outcome } = await hub.waitForQuiescence({ target }, { signal });
  if (outcome !== QuiescenceOutcome.QUIESCENT) throw new Error("the window has ended too early");
  showDetail("what was running has come to its end; all is quiet");
  await setTimeout(readingMs, undefined, { signal });
}

/** Not all at once: whatever was maintained is not overrun. */
async function endWindow({ hub }: Stage): Promise<void> {
  showAction("end the window: one order each second goes on");
  await hub.resumeTaskHub({ name: windowName, pace: { instancesPerSecond: 1 } });
}
