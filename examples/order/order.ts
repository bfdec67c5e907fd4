/**
 * An order on its way from the shelf to the customer, written as ordinary code. The task hub makes
 * it durable: when the worker or the sidecar stops between any two lines, the order later goes on
 * from there.
 */
import { setTimeout } from "node:timers/promises";
import type { ActivityContext, OrchestrationContext, Task } from "@microsoft/durabletask-js";

/** What an order is started with. */
export interface Order {
  readonly item: string;
}

/** What the event "Approval" carries. */
export interface Approval {
  readonly approved: boolean;
  readonly by: string;
}

/** The custom status: where the order is, for everybody who asks. */
export interface OrderProgress {
  readonly step: string;
}

/** What the order has become at its end. */
export type OrderResult =
  | { readonly outcome: "shipped"; readonly paid: number; readonly parcel: string }
  | { readonly outcome: "rejected"; readonly by: string };

interface Reservation {
  readonly id: string;
  readonly price: number;
}

interface Receipt {
  readonly id: string;
  readonly paid: number;
}

/**
 * The body of an orchestration: it yields tasks and gets their results. `yield` fits whatever it is
 * assigned to, so the type of a result is declared where it arrives.
 */
type Steps<Result> = AsyncGenerator<Task<unknown>, Result, never>;

/**
 * The orchestration. It runs again from its beginning after each step, with the results that are
 * already known: so it only decides, and leaves all work to activities.
 */
export async function* order(context: OrchestrationContext, { item }: Order): Steps<OrderResult> {
  const enter = (step: string) => context.setCustomStatus({ step } satisfies OrderProgress);

  enter("reserving stock");
  const { price }: Reservation = yield context.callActivity(reserveStock, item);

  enter("packing");
  yield context.createTimer(2); // Seconds here; months would cost no more.

  enter("waiting for approval");
  const approval: Approval = yield context.waitForExternalEvent("Approval");
  if (!approval.approved) return { outcome: "rejected", by: approval.by };

  enter("charging payment");
  const { paid }: Receipt = yield context.callActivity(chargePayment, price);

  enter("shipping");
  const parcel: string = yield context.callActivity(ship, item);

  enter("shipped");
  return { outcome: "shipped", paid, parcel };
}

/**
 * The first of the activities, which do the work. An activity runs again when its worker was lost
 * halfway: what it makes is named after the order, so that doing it twice is the same as doing it
 * once.
 */
export async function reserveStock(context: ActivityContext, _item: string): Promise<Reservation> {
  await theOutsideWorld();
  return { id: `reservation of ${context.orchestrationId}`, price: 49 };
}

/** Takes the money. */
export async function chargePayment(context: ActivityContext, price: number): Promise<Receipt> {
  await theOutsideWorld();
  return { id: `receipt of ${context.orchestrationId}`, paid: price };
}

/** Hands the parcel to the carrier. Returns what is written on it. */
export async function ship(context: ActivityContext, item: string): Promise<string> {
  await theOutsideWorld();
  return `${item} of ${context.orchestrationId}`;
}

/** Stands for a call to a warehouse, a bank or a carrier. */
async function theOutsideWorld(): Promise<void> {
  await setTimeout(900);
}
