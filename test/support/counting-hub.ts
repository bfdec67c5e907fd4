import { once } from "node:events";
import type { CallContext } from "../../sidecar/rpc/service.ts";

/**
 * A few methods of the task hub service that count their calls. `WaitForInstanceStart` and
 * `GetWorkItems` show their context and wait for its signal.
 */
export class CountingHub {
  calls = 0;
  readonly context = Promise.withResolvers<CallContext>();
  readonly reason = Promise.withResolvers<unknown>();

  async hello() {
    return {};
  }

  async startInstance({ name }: { name: string }) {
    this.calls += 1;
    return { instanceId: name };
  }

  async completeActivityTask() {
    this.calls += 1;
    return {};
  }

  async waitForInstanceStart(_request: unknown, context: CallContext) {
    await this.#wait(context);
    return {};
  }

  async *getWorkItems(_request: unknown, context: CallContext) {
    await this.#wait(context);
    yield {};
  }

  async #wait(context: CallContext) {
    this.calls += 1;
    this.context.resolve(context);
    if (!context.signal.aborted) await once(context.signal, "abort");
    this.reason.resolve(context.signal.reason);
    throw context.signal.reason;
  }
}
