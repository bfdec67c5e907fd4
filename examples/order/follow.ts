/** Progress of one order, live: the sidecar tells each change, and nobody asks again and again. */
import { type Instance, InstanceStatus } from "../../sidecar/wire/gen/taskhub/v1/instance_pb.ts";
import type { HubClient } from "./client.ts";
import type { OrderProgress } from "./order.ts";

/** An order that is being followed. */
export interface FollowedOrder {
  /**
   * Resolves once the order is where it should be; at once when it is there now.
   *
   * @throws Error when the order ends elsewhere; whatever ends the watch
   */
  until(reached: (order: Instance) => boolean): Promise<Instance>;
}

/** What to follow, and where to show it. */
export interface FollowOptions extends Pick<HubClient, "hub"> {
  readonly instanceId: string;
  /** Called for what is seen first, and for each change of status, custom status and holds. */
  readonly show: (order: Instance) => void;
  readonly signal: AbortSignal;
}

/** Watches an order until it has ended. */
export function follow({ hub, instanceId, show, signal }: FollowOptions): FollowedOrder {
  let latest: Instance | undefined;
  let changed = Promise.withResolvers<void>();
  const ended = watch();
  ended.catch(() => {}); // A failure is told to whoever waits in `until`.
  return { until };

  async function watch(): Promise<never> {
    // The first answer is the order as it is now, others are changes, the last one is its end.
    for await (const { instance } of hub.watchInstance({ instanceId }, { signal })) {
      if (instance === undefined) throw new Error(`${instanceId} was removed`);
      latest = instance;
      show(instance);
      changed.resolve();
      changed = Promise.withResolvers();
    }
    throw new Error(`${instanceId} ended as ${statusOf(latest)}`);
  }

  async function until(reached: (order: Instance) => boolean): Promise<Instance> {
    while (latest === undefined || !reached(latest)) {
      await Promise.race([changed.promise, ended]);
    }
    return latest;
  }
}

/** The status in a word: `RUNNING`. */
export function statusOf(order: Instance | undefined): keyof typeof InstanceStatus {
  const names = Object.keys(InstanceStatus) as (keyof typeof InstanceStatus)[];
  return names.find((name) => InstanceStatus[name] === order?.status) ?? "UNSPECIFIED";
}

/** From the custom status; empty before the first turn of the order. */
export function stepOf({ customStatus }: Instance): string {
  const progress: OrderProgress = JSON.parse(customStatus?.value ?? '{"step":""}');
  return progress.step;
}
