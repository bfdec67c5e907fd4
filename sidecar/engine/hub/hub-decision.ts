/** What a decision on a task hub's own log comes to. */
import { create } from "@bufbuild/protobuf";
import type { HubErrorCode } from "../../foundation/errors.ts";
import {
  HeaderSchema,
  type HubEntry,
  HubEntrySchema,
} from "../../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Environment } from "../decision.ts";

export type HubDecision =
  | { readonly kind: "append"; readonly entry: HubEntry }
  /** Nothing is to be done, and that is a success. */
  | { readonly kind: "nothing" }
  | { readonly kind: "refuse"; readonly code: HubErrorCode; readonly message: string };

export const nothingForHub: HubDecision = { kind: "nothing" };

export function refuseForHub(code: HubErrorCode, message: string): HubDecision {
  return { kind: "refuse", code, message };
}

export function newHubEntry({ now, cause, principal }: Environment): HubEntry {
  return create(HubEntrySchema, { header: create(HeaderSchema, { time: now, cause, principal }) });
}
