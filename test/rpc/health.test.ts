import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { HealthStatuses, healthService } from "../../sidecar/rpc/health.ts";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as WireStatus,
} from "../../sidecar/wire/gen/grpc/health/v1/health_pb.ts";
import { httpTransports } from "../support/http-harness.ts";
import { transports } from "../support/rpc-harness.ts";

function healthOf(known: Record<string, "SERVING" | "NOT_SERVING">): HealthStatuses {
  const statuses = new HealthStatuses();
  for (const [service, status] of Object.entries(known)) statuses.set(service, status);
  return statuses;
}

describe.each([...transports, ...httpTransports])("health over $name", ({ serve }) => {
  it("checks each service by itself", async () => {
    const statuses = healthOf({
      "": "SERVING",
      liveness: "SERVING",
      readiness: "NOT_SERVING",
      TaskHubSidecarService: "NOT_SERVING",
    });
    await using served = await serve(healthService(statuses));
    const health = createClient(Health, served.transport);
    const status = async (service: string) => (await health.check({ service })).status;
    expect(await status("")).toBe(WireStatus.SERVING);
    expect(await status("liveness")).toBe(WireStatus.SERVING);
    expect(await status("readiness")).toBe(WireStatus.NOT_SERVING);
    statuses.set("readiness", "SERVING");
    expect(await status("readiness")).toBe(WireStatus.SERVING);
    expect(await status("TaskHubSidecarService")).toBe(WireStatus.NOT_SERVING);
  });

  it("checks an unknown service with NOT_FOUND", async () => {
    await using served = await serve(healthService(healthOf({ "": "SERVING" })));
    const health = createClient(Health, served.transport);
    const error = await health.check({ service: "Nope" }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: 'service "Nope" is not known' });
  });

  it("lists all that is known", async () => {
    const statuses = healthOf({ "": "SERVING", readiness: "NOT_SERVING" });
    await using served = await serve(healthService(statuses));
    const answer = await createClient(Health, served.transport).list({});
    const listed = Object.entries(answer.statuses).map(([name, { status }]) => [name, status]);
    expect(listed).toEqual([
      ["", WireStatus.SERVING],
      ["readiness", WireStatus.NOT_SERVING],
    ]);
  });

  it("watches a service: its status now, and each change of its own", async () => {
    const statuses = healthOf({ readiness: "NOT_SERVING", other: "SERVING" });
    await using served = await serve(healthService(statuses));
    await using watch = watching(createClient(Health, served.transport), "readiness");
    expect(await watch.next()).toBe(WireStatus.NOT_SERVING);
    statuses.set("readiness", "NOT_SERVING");
    statuses.set("other", "NOT_SERVING");
    statuses.set("readiness", "SERVING");
    expect(await watch.next()).toBe(WireStatus.SERVING);
    statuses.set("readiness", "NOT_SERVING");
    expect(await watch.next()).toBe(WireStatus.NOT_SERVING);
  });

  it("watches an unknown service until it is known", async () => {
    const statuses = healthOf({});
    await using served = await serve(healthService(statuses));
    await using watch = watching(createClient(Health, served.transport), "later");
    expect(await watch.next()).toBe(WireStatus.SERVICE_UNKNOWN);
    statuses.set("later", "SERVING");
    expect(await watch.next()).toBe(WireStatus.SERVING);
  });

  it("forgets a watch that is cancelled", async () => {
    const ended = Promise.withResolvers<void>();
    const statuses = healthOf({ "": "SERVING" });
    const source = {
      status: (service: string) => statuses.status(service),
      services: () => statuses.services(),
      subscribe: (onChange: () => void) => {
        const subscription = statuses.subscribe(onChange);
        return {
          [Symbol.dispose]: () => {
            subscription[Symbol.dispose]();
            ended.resolve();
          },
        };
      },
    };
    await using served = await serve(healthService(source));
    const watch = watching(createClient(Health, served.transport), "");
    await watch.next();
    await watch[Symbol.asyncDispose]();
    await ended.promise;
    expect(served.internalErrors).toEqual([]);
  });
});

/** A watch that is read one status at a time, and cancelled when disposed. */
function watching(
  health: { watch(request: object, options: object): AsyncIterable<HealthCheckResponse> },
  service: string,
) {
  const caller = new AbortController();
  const answers = health.watch({ service }, { signal: caller.signal })[Symbol.asyncIterator]();
  return {
    next: async () => (await answers.next()).value?.status,
    [Symbol.asyncDispose]: async () => {
      caller.abort();
      await answers.next().catch(() => {});
    },
  };
}
