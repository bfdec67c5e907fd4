/** One page of the holds of a hub, of every scope. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clone } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { HubError } from "../../foundation/errors.ts";
import { LIMITS } from "../../foundation/limits.ts";
import { checkAge, timeBefore } from "../../scheduler/filter-rules.ts";
import type { HeldBackTable } from "../../scheduler/held-back.ts";
import type { QueryHub } from "../../scheduler/query.ts";
import {
  type ListedHold,
  listSuspensions,
  type SuspensionPlace,
} from "../../scheduler/suspension-list.ts";
import type {
  HubHold,
  HoldScope as StoredScope,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { HoldScope, HoldScopeSchema } from "../../wire/gen/taskhub/v1/hold_pb.ts";
import {
  type ListSuspensionsRequest,
  ListSuspensionsRequestSchema,
  type ListSuspensionsResponseSchema,
  type SuspensionSchema,
} from "../../wire/gen/taskhub/v1/suspension_pb.ts";
import { present } from "../../wire/history-event.ts";
import { canonicalText, pageTokens, type TokenPlace } from "../page-token.ts";
import { checkText } from "../validation.ts";
import { holdView, hubHoldView, isOverdue, type ReleaseProgress } from "./hold-view.ts";
import { durationBetween } from "./instance-view.ts";

/** A task hub as lists of holds see it. */
export interface ListedHub extends QueryHub {
  /** How far the paced release of a tree or window has come. */
  releaseProgress(hold: HubHold): ReleaseProgress | undefined;
  readonly stillnesses: {
    /** What trees and windows hold back now. */
    heldBack(): HeldBackTable;
  };
}

export interface SuspensionPageOptions {
  readonly hub: ListedHub;
  /** Random text that tells the hub from others. */
  readonly identity: string;
  readonly limit: number;
}

/** @throws HubError "invalid-argument" */
export async function suspensionPage(
  options: SuspensionPageOptions,
  request: ListSuspensionsRequest,
): Promise<MessageInitShape<typeof ListSuspensionsResponseSchema>> {
  checkRequest(request);
  const { hub, identity, limit } = options;
  const tokens = pageTokens(identity, "suspensions", questionOf(request));
  const place = tokens.open(request.pageToken);
  const now = hub.now();
  const { olderThan } = request;
  const page = await listSuspensions(hub, {
    scope: request.scope === HoldScope.UNSPECIFIED ? undefined : storedScope(request.scope),
    placedBefore: olderThan && timeBefore(now, olderThan),
    matches: matcherOf(request, now),
    after: place && placeOf(place),
    limit,
  });
  const asksForHub = page.holds.some((listed) => listed.of === "hub");
  const heldBack = asksForHub ? hub.stillnesses.heldBack() : undefined;
  const suspensions = page.holds.map((listed) => suspensionView(listed, now, hub, heldBack));
  await heldBack?.settled();
  return {
    suspensions,
    nextPageToken: tokens.seal(page.next && tokenPlaceOf(page.next)),
  };
}

function checkRequest(request: ListSuspensionsRequest): void {
  if (HoldScopeSchema.value[request.scope] === undefined) throw invalid("scope is unknown");
  checkAge("older_than", request.olderThan);
  checkText("name", request.name ?? "", LIMITS.nameBytesMax);
  checkText("instance_id_prefix", request.instanceIdPrefix, LIMITS.instanceIdBytesMax);
  if (Buffer.byteLength(request.reasonContains) > LIMITS.reasonBytesMax) {
    throw invalid(`reason_contains is longer than ${LIMITS.reasonBytesMax} bytes`);
  }
}

/** The request without what may differ between its pages. */
function questionOf(request: ListSuspensionsRequest): string {
  const question = clone(ListSuspensionsRequestSchema, request);
  question.pageSize = 0;
  question.pageToken = "";
  return canonicalText(ListSuspensionsRequestSchema, question);
}

function matcherOf(
  request: ListSuspensionsRequest,
  now: Timestamp,
): (listed: ListedHold) => boolean {
  const { name, overdue, instanceIdPrefix } = request;
  const reason = request.reasonContains.toLowerCase();
  return (listed) => {
    const { hold } = listed;
    if (name !== undefined && hold.name !== name) return false;
    if (reason !== "" && !hold.reason?.toLowerCase().includes(reason)) return false;
    if (overdue && !isOverdue(hold, now)) return false;
    return instanceIdPrefix === "" || instanceOf(listed)?.startsWith(instanceIdPrefix) === true;
  };
}

/** The instance that a hold was placed on; a window has none. */
function instanceOf(listed: ListedHold): string | undefined {
  return listed.of === "instance" ? listed.row.row.instanceId : listed.hubHold.origin?.instanceId;
}

function suspensionView(
  listed: ListedHold,
  now: Timestamp,
  hub: ListedHub,
  heldBack: HeldBackTable | undefined,
): MessageInitShape<typeof SuspensionSchema> {
  const { placedAt } = listed.hold;
  const age = present("age", placedAt && durationBetween(placedAt, now));
  if (listed.of === "instance") {
    const { instanceId, instanceName, bufferedEvents, bufferedBytes } = listed.row.row;
    return {
      hold: holdView(listed.hold, now),
      instanceId,
      instanceName,
      bufferedEvents: BigInt(bufferedEvents),
      bufferedBytes,
      instancesHeld: 1n,
      ...age,
    };
  }
  const sums = heldBack?.by(listed.hubHold);
  return {
    hold: hubHoldView(listed.hubHold, now, hub.releaseProgress(listed.hubHold)),
    instanceId: instanceOf(listed) ?? "",
    bufferedEvents: BigInt(sums?.bufferedEvents ?? 0),
    bufferedBytes: BigInt(sums?.bufferedBytes ?? 0),
    instancesHeld: BigInt(sums?.instancesHeldBack ?? 0),
    ...age,
  };
}

/** The enumerations of both formats have the same numbers. */
function storedScope(scope: number): StoredScope {
  return scope as StoredScope;
}

/** The text of a token carries the scope before the name. */
function tokenPlaceOf({ time, scope, number, name }: SuspensionPlace): TokenPlace {
  return { time, number, text: `${scope}${name}` };
}

function placeOf({ time, number, text }: TokenPlace): SuspensionPlace {
  return { time, number, scope: storedScope(Number(text.slice(0, 1))), name: text.slice(1) };
}

function invalid(message: string): HubError {
  return new HubError("invalid-argument", message);
}
