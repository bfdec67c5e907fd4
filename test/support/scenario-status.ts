/** Commands of scenarios about the custom status: its rules, and its revisions. */

import { create } from "@bufbuild/protobuf";
import {
  defaultStatusPolicy,
  type StatusContract,
} from "../../sidecar/engine/turn/custom-status.ts";
import { contractOf } from "../../sidecar/engine/turn/status-contract.ts";
import { StatusSchemaSchema } from "../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import type { ScenarioArguments } from "./scenario-arguments.ts";
import { formatMessage, section } from "./scenario-output.ts";
import type { ScenarioWorld } from "./scenario-world.ts";

/** `policy bytes=64 overflow=drop revisions=4 revision-bytes=256`: the rest is the default. */
export function setStatusPolicy(world: ScenarioWorld, given: ScenarioArguments): readonly string[] {
  const policy = {
    bytesMax: given.number("bytes") ?? defaultStatusPolicy.bytesMax,
    overflow: given.text("overflow") === "drop" ? ("drop" as const) : ("fail" as const),
    revisionsMax: given.number("revisions") ?? defaultStatusPolicy.revisionsMax,
    revisionBytesMax: given.number("revision-bytes") ?? defaultStatusPolicy.revisionBytesMax,
  };
  world.statusRules = { ...world.statusRules, policy };
  return ["the policy is set"];
}

/** `contract reject` or `contract warn` with a JSON Schema below it; `contract none`. */
export function setStatusContract(
  world: ScenarioWorld,
  given: ScenarioArguments,
  details: readonly string[],
): readonly string[] {
  const mode = given.word("mode");
  world.statusRules = { ...world.statusRules, contract: readContract(mode, details.join("\n")) };
  return ["the contract is set"];
}

function readContract(mode: string, schema: string): StatusContract | undefined {
  if (mode === "none") return undefined;
  return contractOf(create(StatusSchemaSchema, { schema, warnOnly: mode === "warn" }));
}

/** `revisions order`: those that are kept, the oldest first. */
export function listStatusRevisions(
  world: ScenarioWorld,
  given: ScenarioArguments,
): readonly string[] {
  const { instanceId, state } = world.life(given.word("instance"));
  const kept = [...state.customStatusHistory, ...(state.customStatus ? [state.customStatus] : [])];
  return [
    instanceId,
    ...section(
      "kept",
      kept.map((status) => formatMessage(status)),
    ),
  ];
}
