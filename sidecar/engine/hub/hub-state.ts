/** The state of a task hub: what its own log comes to. Only `evolveHub` changes it, in place. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  AgeMark,
  FreezeSpan,
  HubHold,
  RememberedRequest,
  StatusSchema,
} from "../../wire/gen/taskhub/internal/v1/state_pb.ts";

export interface HubState {
  /** Storage number of the hub. */
  readonly number: bigint;
  /** Sequence of the newest entry applied. */
  sequence: number;
  generation: number;
  readonly name: string;
  readonly createdAt: Timestamp;
  readonly incarnation: string;
  /** Tree and selector holds, in order of placing. */
  holds: HubHold[];
  /** Spans of time in which timers of what they cover stood still, oldest first. */
  freezes: FreezeSpan[];
  /** Contracts of custom statuses, by orchestrator name. */
  readonly schemas: Map<string, StatusSchema>;
  rememberedRequests: RememberedRequest[];
  ageMarks: AgeMark[];
}
