import { HubError } from "../foundation/errors.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as WireStatus,
} from "../wire/gen/grpc/health/v1/health_pb.ts";
import { mountService, type ServiceMount } from "./service.ts";

/** Whether a service can do its work. */
export type ServingStatus = "SERVING" | "NOT_SERVING";

/** Where the health service gets its answers. */
export interface HealthSource {
  /** Undefined for a service that is not known (yet). "" is the server as a whole. */
  status(service: string): ServingStatus | undefined;
  /** The services whose status is known. */
  services(): Iterable<string>;
  /** Calls back after every change, until disposed. */
  subscribe(onChange: () => void): Disposable;
}

/** A health source that is told. Services become known by their first status. */
export class HealthStatuses implements HealthSource {
  readonly #statuses = new Map<string, ServingStatus>();
  readonly #subscriptions = new Set<() => void>();

  set(service: string, status: ServingStatus): void {
    if (this.#statuses.get(service) === status) return;
    this.#statuses.set(service, status);
    for (const onChange of this.#subscriptions) onChange();
  }

  status(service: string): ServingStatus | undefined {
    return this.#statuses.get(service);
  }

  services(): Iterable<string> {
    return this.#statuses.keys();
  }

  subscribe(onChange: () => void): Disposable {
    // A function of its own, so that two subscriptions of one function stay two.
    const subscription = () => onChange();
    this.#subscriptions.add(subscription);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscription);
      },
    };
  }
}

/**
 * `grpc.health.v1.Health` over a source.
 *
 * @see proto/grpc/grpc/health/v1/health.proto
 */
export function healthService(source: HealthSource): ServiceMount {
  return mountService(Health, {
    async check({ service }) {
      const status = source.status(service);
      if (status === undefined) {
        throw new HubError("instance-not-found", `service "${service}" is not known`);
      }
      return { status: WireStatus[status] };
    },

    async list() {
      const statuses: Record<string, { status: WireStatus }> = {};
      for (const service of source.services()) {
        statuses[service] = { status: watchedStatus(source, service) };
      }
      return { statuses };
    },

    async *watch({ service }, { signal }) {
      let changed = Promise.withResolvers<void>();
      const wake = () => changed.resolve();
      using _subscription = source.subscribe(wake);
      signal.addEventListener("abort", wake);
      let sent: WireStatus | undefined;
      // Ends with the call.
      for (;;) {
        const status = watchedStatus(source, service);
        if (status !== sent) yield { status };
        sent = status;
        await changed.promise;
        signal.throwIfAborted();
        changed = Promise.withResolvers();
      }
    },
  });
}

function watchedStatus(source: HealthSource, service: string): WireStatus {
  const status = source.status(service);
  return status === undefined ? WireStatus.SERVICE_UNKNOWN : WireStatus[status];
}
