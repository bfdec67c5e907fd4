/** Contracts of custom statuses, by orchestrator name. */
import { create } from "@bufbuild/protobuf";
import { LIMITS } from "../../foundation/limits.ts";
import { StatusSchemaSchema } from "../../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { Environment } from "../decision.ts";
import { type HubDecision, newHubEntry, nothingForHub, refuseForHub } from "./hub-decision.ts";
import type { HubState } from "./hub-state.ts";

export interface PutSchemaCommand {
  readonly name: string;
  /** JSON Schema, checked. */
  readonly schema: string;
  readonly warnOnly: boolean;
}

export function decidePutSchema(
  state: HubState,
  command: PutSchemaCommand,
  environment: Environment,
): HubDecision {
  if (!state.schemas.has(command.name) && state.schemas.size >= LIMITS.schemasMax) {
    return refuseForHub("limit-exceeded", `a task hub has at most ${LIMITS.schemasMax} schemas`);
  }
  const entry = newHubEntry(environment);
  entry.schemasPut.push(create(StatusSchemaSchema, { ...command, updatedAt: environment.now }));
  return { kind: "append", entry };
}

export function decideDeleteSchema(
  state: HubState,
  name: string,
  environment: Environment,
): HubDecision {
  if (!state.schemas.has(name)) return nothingForHub;
  const entry = newHubEntry(environment);
  entry.schemasDeleted.push(name);
  return { kind: "append", entry };
}
