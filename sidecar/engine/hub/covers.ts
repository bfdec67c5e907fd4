/** What tree and selector holds cover. They are rows of the hub and never touch an instance. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type FreezeSpan,
  type HubHold,
  Kind,
  type Selector,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { isAfter, laterOf } from "../../wire/timestamp.ts";
import type { InstanceState } from "../state.ts";

/** What must be known of an instance, or of one that is to be started, to say what covers it. */
export interface Coverable
  extends Pick<InstanceState, "kind" | "instanceId" | "name" | "version" | "tags" | "number"> {
  /** Storage numbers, nearest first. */
  readonly ancestors: readonly bigint[];
}

/** The part of a hold, or of a span of frozen time, that says what it covers. */
type Cover = Pick<HubHold | FreezeSpan, "origin" | "selector" | "includeEntities">;

export function covers(cover: Cover, subject: Coverable): boolean {
  const { origin, selector, includeEntities } = cover;
  if (origin !== undefined) {
    return subject.number === origin.number || subject.ancestors.includes(origin.number);
  }
  if (selector === undefined || isEverything(selector)) return true;
  // Entities serve many: a part of the hub is held without stopping them for the rest.
  if (subject.kind === Kind.ENTITY && !includeEntities) return false;
  return matches(selector, subject);
}

/** A selector without a condition matches everything. */
export function isEverything({ names, instanceIdPrefix, tags, versions }: Selector): boolean {
  return (
    names.length === 0 &&
    instanceIdPrefix === "" &&
    Object.keys(tags).length === 0 &&
    versions.length === 0
  );
}

/** It covers the whole hub, whatever is in it. */
export function coversHub({ origin, selector }: Cover): boolean {
  return origin === undefined && (selector === undefined || isEverything(selector));
}

/** Since when it holds, or from when on it will: a window may be placed before it begins. */
export function heldSince({ hold, startsAt }: HubHold): Timestamp | undefined {
  const placedAt = hold?.placedAt;
  return startsAt === undefined || placedAt === undefined ? placedAt : laterOf(placedAt, startsAt);
}

/** Its start has come. */
export function isActive({ startsAt }: HubHold, now: Timestamp): boolean {
  return startsAt === undefined || !isAfter(startsAt, now);
}

function matches(selector: Selector, subject: Coverable): boolean {
  const { names, instanceIdPrefix, tags, versions } = selector;
  if (names.length > 0 && !names.includes(subject.name)) return false;
  if (!subject.instanceId.startsWith(instanceIdPrefix)) return false;
  if (versions.length > 0 && !versions.includes(subject.version ?? "")) return false;
  return Object.entries(tags).every(
    ([key, value]) => Object.hasOwn(subject.tags, key) && subject.tags[key] === value,
  );
}
