/** Both services on one task hub in memory, behind one transport. */
import { type Client, createClient } from "@connectrpc/connect";
import { expect } from "vitest";
import { compatibleService } from "../../sidecar/rpc/compat/service.ts";
import { clientService } from "../../sidecar/rpc/v1/service.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { CallLog } from "./compat-calls.ts";
import { CompatWorld, failureOf, type Serve } from "./compat-world.ts";
import { countedIds } from "./fake-clock.ts";
import type { Served } from "./rpc-harness.ts";
import { type HubOptions, openHub, type TestHub } from "./scheduler-harness.ts";

export type V1Client = Client<typeof ClientService>;

export async function openV1(serve: Serve, options: HubOptions = {}): Promise<V1World> {
  const hub = await openHub(options);
  const calls = new CallLog();
  const facts = { version: "1.2.3", steadyClock: hub.steady };
  const served = await serve(
    calls.over(compatibleService(hub.hubs, countedIds("c"))),
    calls.over(clientService(hub.hubs, facts)),
  );
  return new V1World(hub, served, calls);
}

export class V1World extends CompatWorld {
  readonly v1: V1Client;

  constructor(hub: TestHub, served: Served, calls: CallLog) {
    super(hub, served, calls);
    this.v1 = createClient(ClientService, served.transport);
  }

  /** The call is refused with this code, in words that match; nothing was written, nothing leaks. */
  async expectV1Refused(call: () => Promise<unknown>, code: string, words: RegExp): Promise<void> {
    const before = await this.#facts();
    expect(await failureOf(call())).toEqual({ code, message: expect.stringMatching(words) });
    expect(await this.#facts()).toEqual(before);
    expect(this.internalErrors).toEqual([]);
  }

  async #facts() {
    await this.hub.settled();
    const { store, hub } = this.hub;
    return {
      written: store.durablePosition,
      hubs: await store.listHubs(),
      holds: hub.hubHolds.map(({ hold }) => hold?.name),
    };
  }
}
