/** Each way in which somebody can hold an instance from outside, beside the compatible RPCs. */
import type { Client } from "@connectrpc/connect";
import type { ClientService } from "../../sidecar/wire/gen/taskhub/v1/client_service_pb.ts";
import { HoldScope } from "../../sidecar/wire/gen/taskhub/v1/hold_pb.ts";

export interface HoldWay {
  readonly way: string;
  /** Whether compatible reads show it: SDKs see only holds of the instance itself. */
  readonly shows: boolean;
  place(v1: Client<typeof ClientService>, instanceId: string): Promise<unknown>;
  release(v1: Client<typeof ClientService>, instanceId: string): Promise<unknown>;
}

export const holdWays: readonly HoldWay[] = [
  {
    way: "a named hold of the instance",
    shows: true,
    place: (v1, instanceId) => v1.suspendInstance({ instanceId, name: "audit", reason: "numbers" }),
    release: (v1, instanceId) => v1.resumeInstance({ instanceId, name: "audit" }),
  },
  {
    way: "a tree",
    shows: false,
    place: (v1, instanceId) =>
      v1.suspendInstance({ instanceId, name: "family", scope: HoldScope.TREE }),
    release: (v1, instanceId) =>
      v1.resumeInstance({ instanceId, name: "family", scope: HoldScope.TREE }),
  },
  {
    way: "a maintenance window",
    shows: false,
    place: (v1, instanceId) =>
      v1.suspendTaskHub({ name: instanceId, selector: { instanceIdPrefix: instanceId } }),
    release: (v1, instanceId) => v1.resumeTaskHub({ name: instanceId }),
  },
];
