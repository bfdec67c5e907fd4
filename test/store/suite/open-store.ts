/** How the suites open the store they examine. */
import type { OrderedBytes } from "../../../sidecar/store/ordered/bytes.ts";
import type { Commit, Store } from "../../../sidecar/store/store.ts";
import { WatchedBytes } from "../../support/store-bytes.ts";

/** Opens an empty store over the bytes that `wrap` makes of its own. */
export type OpenStore = (wrap: (bytes: OrderedBytes) => OrderedBytes) => Promise<Store>;

export interface WatchedStore extends AsyncDisposable {
  readonly store: Store;
  readonly bytes: WatchedBytes;
}

export async function openWatched(open: OpenStore): Promise<WatchedStore> {
  const opened = Promise.withResolvers<WatchedBytes>();
  const store = await open((inner) => {
    const watched = new WatchedBytes(inner);
    opened.resolve(watched);
    return watched;
  });
  const bytes = await opened.promise;
  bytes.batches.length = 0;
  return {
    store,
    bytes,
    [Symbol.asyncDispose]() {
      bytes.release();
      return store[Symbol.asyncDispose]();
    },
  };
}

/** Appends and waits. */
export async function commit(store: Store, ...commits: readonly Commit[]): Promise<void> {
  const positions = commits.map((each) => store.append(each));
  await store.whenDurable(positions.at(-1) ?? 0);
}
