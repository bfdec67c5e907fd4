/**
 * What a decision comes to. Decisions are pure: they read a state and a command, with time and
 * identities as arguments, and say what happens as plain data.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HubErrorCode } from "../foundation/errors.ts";
import type { Ids } from "../foundation/ids.ts";
import { blank } from "../wire/blank.ts";
import { OrchestrationStatusSchema } from "../wire/gen/orchestrator_service_pb.ts";
import {
  type Cause,
  type Entry,
  EntrySchema,
  HeaderSchema,
} from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { InstanceState } from "./state.ts";
import { shownStatus } from "./status.ts";

/** What a decision may know besides the state and the command. */
export interface Environment {
  readonly now: Timestamp;
  readonly ids: Ids;
  readonly cause: Cause;
  /** When the last span of time ended in which the hub froze timers; see `freezesEnd`. */
  readonly freezesEnd?: Timestamp | undefined;
  /** Who asked, as far as authentication has established it. */
  readonly principal: string;
}

export type Decision =
  /** The life goes on with one more entry, or with several when one would be too large. */
  | { readonly kind: "append"; readonly entry: Entry; readonly more?: readonly Entry[] }
  /** A new life takes the instance id; `ended` closes the one that had it. */
  | { readonly kind: "begin"; readonly entry: Entry; readonly ended: Entry | undefined }
  /** The life ends and its instance id is free. */
  | { readonly kind: "end"; readonly entry: Entry }
  /** Nothing is to be done, and that is a success. */
  | { readonly kind: "nothing" }
  | { readonly kind: "refuse"; readonly code: HubErrorCode; readonly message: string };

export const nothing: Decision = { kind: "nothing" };

export function refuse(code: HubErrorCode, message: string): Decision {
  return { kind: "refuse", code, message };
}

export function notFound(instanceId: string): Decision {
  return refuse("instance-not-found", `instance ${JSON.stringify(instanceId)} does not exist`);
}

/** A finished instance goes on no more, and whoever asks it to is told so. */
export function refuseFinished(state: InstanceState): Decision {
  const status = OrchestrationStatusSchema.value[shownStatus(state)]?.localName;
  const id = JSON.stringify(state.instanceId);
  return refuse("failed-precondition", `instance ${id} is in the ${status} state`);
}

export function newEntry(environment: Environment): Entry {
  const header = blank(HeaderSchema);
  header.time = environment.now;
  header.cause = environment.cause;
  header.principal = environment.principal;
  const entry = blank(EntrySchema);
  entry.header = header;
  return entry;
}
