/** Calls as the service sees them: what a test waits for instead of for time. */
import type { MountedMethod, ServiceMount } from "../../sidecar/rpc/service.ts";

/** A call that has reached its method. */
export interface Arrival {
  /** Resolves when the method is done with it, however that ended. */
  readonly over: Promise<void>;
}

export class CallLog {
  readonly #expected = new Map<string, ((arrival: Arrival) => void)[]>();

  /** Resolves when the method is called next. */
  next(method: string): Promise<Arrival> {
    const { promise, resolve } = Promise.withResolvers<Arrival>();
    this.#expected.set(method, [...(this.#expected.get(method) ?? []), resolve]);
    return promise;
  }

  /** The same service, whose calls are noted. */
  over(mount: ServiceMount): ServiceMount {
    const methods = new Map<string, MountedMethod>();
    for (const [name, method] of mount.methods) methods.set(name, this.#noted(name, method));
    return { service: mount.service, methods };
  }

  #noted(name: string, method: MountedMethod): MountedMethod {
    switch (method.kind) {
      case "unary":
        return {
          kind: "unary",
          invoke: (request, context) => {
            const answer = method.invoke(request, context);
            this.#arrived(name, answer);
            return answer;
          },
        };
      case "server_streaming":
        return {
          kind: "server_streaming",
          invoke: (request, context) => this.#notedItems(name, method.invoke(request, context)),
        };
      default:
        return method;
    }
  }

  /** A stream has arrived when its first item is asked for: not before does its generator run. */
  #notedItems<T>(name: string, items: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = items[Symbol.asyncIterator]();
    const over = Promise.withResolvers<void>();
    let arrived = false;
    const next = () => {
      const item = iterator.next();
      item.then(
        ({ done }) => done === true && over.resolve(),
        () => over.resolve(),
      );
      if (!arrived) this.#arrived(name, over.promise);
      arrived = true;
      return item;
    };
    const end = async () => {
      await iterator.return?.();
      over.resolve();
      return { done: true as const, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }

  #arrived(name: string, end: Promise<unknown>): void {
    const over = end.then(
      () => {},
      () => {},
    );
    for (const resolve of this.#expected.get(name) ?? []) resolve({ over });
    this.#expected.delete(name);
  }
}
