/** All that a sidecar serves, on a task hub in memory, behind real gRPC, for bytes of any kind. */
import type { DescMethod } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect } from "vitest";
import { compatibleService } from "../../../sidecar/rpc/compat/service.ts";
import { boundWaits } from "../../../sidecar/rpc/connection-seats.ts";
import { HealthStatuses, healthService } from "../../../sidecar/rpc/health.ts";
import { reflectionServices } from "../../../sidecar/rpc/reflection.ts";
import type { ServiceMount } from "../../../sidecar/rpc/service.ts";
import { adminService } from "../../../sidecar/rpc/v1/admin-service.ts";
import { clientService } from "../../../sidecar/rpc/v1/service.ts";
import { countedIds } from "../../support/fake-clock.ts";
import { framed, type RawAnswer, RawHttp2 } from "../../support/raw-http2.ts";
import { openTestServer, type TestServer } from "../../support/rpc-harness.ts";
import { openHub, type TestHub } from "../../support/scheduler-harness.ts";

const HELLO = "/TaskHubSidecarService/Hello";
const EMPTY = framed(new Uint8Array());

/**
 * Files, stacks, types, places in memory and the words of the libraries below are nobody's
 * business.
 */
export const internals =
  /\.[jt]s\b|\bat \S+ \(|node:|node_modules|Error:|\[object|0x[0-9a-f]{4}|grpc-js|nghttp2|ERR_|\b(RST_STREAM|Received|deserializ|decode|wire type|varint|offset|buffer|undefined)\b/i;

export function mountAll(hub: TestHub): ServiceMount[] {
  const health = new HealthStatuses();
  health.set("", "SERVING");
  const services = [
    compatibleService(hub.hubs, countedIds("c")),
    clientService(hub.hubs, { version: "1.2.3", steadyClock: hub.steady }),
    adminService(hub.hubs),
    healthService(health),
  ];
  return boundWaits([...services, ...reflectionServices(services)]);
}

export class HostileWorld implements AsyncDisposable {
  readonly hub: TestHub;
  readonly server: TestServer;
  /** Where the hostile calls are made. */
  readonly raw: RawHttp2;
  readonly #other: RawHttp2;

  /** With a live instance, and one that is over. */
  static async open(): Promise<HostileWorld> {
    const hub = await openHub();
    const world = new HostileWorld(hub, await openTestServer(mountAll(hub)));
    for (const id of ["live", "done"]) await hub.start(id);
    await hub.terminate("done");
    await hub.settled();
    return world;
  }

  constructor(hub: TestHub, server: TestServer) {
    this.hub = hub;
    this.server = server;
    this.raw = new RawHttp2(server.address);
    this.#other = new RawHttp2(server.address);
  }

  /** @param timeout as in the header `grpc-timeout` */
  call(method: DescMethod, message: Uint8Array, timeout = "20S"): Promise<RawAnswer> {
    const path = `/${method.parent.typeName}/${method.name}`;
    return this.raw.call(path, framed(message), { "grpc-timeout": timeout });
  }

  /** Everything that a refused call must leave as it was. */
  async facts() {
    await this.hub.settled();
    const { store } = this.hub;
    return { written: store.durablePosition, hubs: await store.listHubs() };
  }

  /** Somebody else is served, and nothing has broken. */
  async expectServing(): Promise<void> {
    expect(await this.#other.call(HELLO, EMPTY)).toMatchObject({ http: 200, grpc: status.OK });
    expect(this.server.internalErrors).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.raw[Symbol.asyncDispose]();
    await this.#other[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.hub[Symbol.asyncDispose]();
  }
}
