import { Kind } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { InstanceState } from "./state.ts";

/** The state if it is that of an orchestration: for those to whom entities do not exist. */
export function orchestrationOf(state: InstanceState | undefined): InstanceState | undefined {
  return state?.kind === Kind.ENTITY ? undefined : state;
}
