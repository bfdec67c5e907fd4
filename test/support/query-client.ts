/** The methods that find instances and list holds, behind a transport, on a task hub in memory. */
import { type Client, createClient } from "@connectrpc/connect";
import { mountService } from "../../sidecar/rpc/service.ts";
import { queryMethods } from "../../sidecar/rpc/v1/query-methods.ts";
import { suspensionMethods } from "../../sidecar/rpc/v1/suspension-methods.ts";
import { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import type { Serve } from "./compat-world.ts";
import type { InternalError } from "./rpc-harness.ts";
import { openHub, type TestHub } from "./scheduler-harness.ts";

export interface QueryClient extends AsyncDisposable {
  readonly hub: TestHub;
  readonly client: Client<typeof ClientService>;
  readonly internalErrors: readonly InternalError[];
}

/** `running`: a hub of somebody else's, who ends it. */
export async function openQueryClient(serve: Serve, running?: TestHub): Promise<QueryClient> {
  const hub = running ?? (await openHub());
  const methods = { ...suspensionMethods(hub.hubs), ...queryMethods(hub.hubs) };
  const served = await serve(mountService(ClientService, methods));
  return {
    hub,
    client: createClient(ClientService, served.transport),
    internalErrors: served.internalErrors,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      if (running === undefined) await hub[Symbol.asyncDispose]();
    },
  };
}

/** All pages of a question, with page sizes that change from page to page. */
export async function allPages<A extends { readonly nextPageToken: string }>(
  ask: (page: { readonly pageToken: string; readonly pageSize: number }) => Promise<A>,
  pageSizes: readonly number[] = [0],
): Promise<A[]> {
  const answers: A[] = [];
  for (let pageToken = ""; ; ) {
    const pageSize = pageSizes[answers.length % pageSizes.length] ?? 0;
    const answer = await ask({ pageToken, pageSize });
    answers.push(answer);
    pageToken = answer.nextPageToken;
    if (pageToken === "") return answers;
  }
}
