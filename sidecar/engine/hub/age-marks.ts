/** Which holds were reported for their age, so that each report comes once, also over a restart. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { AgeMarkSchema, type HoldAge } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import { isAfter } from "../../wire/timestamp.ts";
import type { Environment } from "../decision.ts";
import { type HubDecision, newHubEntry, nothingForHub } from "./hub-decision.ts";
import type { HubState } from "./hub-state.ts";

/** Holds that have held since this time or before are done with; undefined: none is. */
export function markOf(state: HubState, age: HoldAge): Timestamp | undefined {
  return state.ageMarks.find((mark) => mark.age === age)?.placedThrough;
}

export function decideAgeMark(
  state: HubState,
  age: HoldAge,
  placedThrough: Timestamp,
  environment: Environment,
): HubDecision {
  const before = markOf(state, age);
  // Back only when the clock was set back: a hold that is placed now would be done with already.
  const isAhead = before !== undefined && isAfter(before, environment.now);
  if (before !== undefined && !isAhead && !isAfter(placedThrough, before)) return nothingForHub;
  const entry = newHubEntry(environment);
  entry.ageMarks.push(create(AgeMarkSchema, { age, placedThrough }));
  return { kind: "append", entry };
}
