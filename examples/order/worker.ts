/**
 * The application's side of the stream: it takes work from the sidecar and runs the functions of
 * `order.ts`.
 */
import { NoOpLogger, TaskHubGrpcWorker } from "@microsoft/durabletask-js";
import { chargePayment, order, reserveStock, ship } from "./order.ts";

/**
 * A worker that knows orders. `start` it once the sidecar listens, and `stop` it.
 *
 * @param hostAddress of the sidecar, `host:port`
 */
export function orderWorker(hostAddress: string): TaskHubGrpcWorker {
  const worker = new TaskHubGrpcWorker({ hostAddress, logger: new NoOpLogger() });
  worker.addOrchestrator(order);
  worker.addActivity(reserveStock);
  worker.addActivity(chargePayment);
  worker.addActivity(ship);
  return worker;
}
