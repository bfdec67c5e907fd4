/**
 * The state of one instance: everything that decisions need, and nothing else. The engine never
 * folds a history to answer a question. Only `evolve` changes it, in place, because its head owns
 * it alone and copying a map of 10,000 outstanding activities for each completion would be
 * quadratic.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  Activity,
  Child,
  CustomStatus,
  CustomStatusOverflow,
  DeliveryCount,
  EntityCall,
  Hold,
  Kind,
  LockRequest,
  Mail,
  Marker,
  Parent,
  PendingTerminate,
  RememberedRequest,
  Status,
  StoredEvent,
  Timer,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { EntityState } from "./entity/entity-state.ts";

export interface InstanceState {
  /** Storage number of this life. */
  number: bigint;
  /** Sequence of the newest entry applied. */
  sequence: number;

  kind: Kind;
  instanceId: string;
  name: string;
  version: string | undefined;
  tags: Record<string, string>;
  parent: Parent | undefined;
  /** Storage numbers, nearest first. */
  ancestors: bigint[];

  /** Not counting holds: see `status.ts` for what readers are shown. */
  status: Status;
  createdAt: Timestamp;
  updatedAt: Timestamp;
  completedAt: Timestamp | undefined;
  scheduledStartAt: Timestamp | undefined;
  startPending: boolean;
  generation: number;
  executionId: string;
  customStatus: CustomStatus | undefined;
  /** Earlier revisions, oldest first. */
  customStatusHistory: CustomStatus[];
  customStatusOverflow: CustomStatusOverflow | undefined;
  holds: Hold[];
  /** Since when it has had holds of its own without a break. */
  heldSince: Timestamp | undefined;
  /** Since when at least one of them freezes timers. */
  frozenSince: Timestamp | undefined;
  pendingTerminate: PendingTerminate | undefined;

  inbox: StoredEvent[];
  /** A turn runs though no event waits: the generation began with a rewound history. */
  turnWanted: boolean;
  /** External events in the inbox, and their encoded bytes. Follow from it; counted, not stored. */
  bufferedEvents: number;
  bufferedBytes: number;
  markers: Marker[];
  /** ExecutionStarted, once a turn has consumed it. */
  started: StoredEvent | undefined;
  completed: StoredEvent | undefined;

  activities: Map<bigint, Activity>;
  /** The attempt somebody waits for, by action id: SDKs reuse the action id when they retry. */
  awaitedActivities: Map<number, bigint>;
  timers: Map<bigint, Timer>;
  children: Map<bigint, Child>;
  awaitedChildren: Map<number, bigint>;
  entityCalls: Map<bigint, EntityCall>;
  lockRequests: Map<bigint, LockRequest>;
  /** Present in an entity, and only there. */
  entity: EntityState | undefined;

  outbox: Mail[];
  nextMailNumber: bigint;
  senderMarks: Map<bigint, bigint>;
  nextWorkId: bigint;
  turnClock: Timestamp | undefined;
  traceContext: Uint8Array | undefined;
  rememberedRequests: RememberedRequest[];
  startFingerprint: Uint8Array | undefined;
  turnDeliveries: DeliveryCount[];
  historyEvents: number;
  historyBytes: number;
}

/** What must be said of a new life or generation; everything else starts empty. */
export type NewState = Pick<
  InstanceState,
  "kind" | "instanceId" | "name" | "tags" | "status" | "createdAt" | "updatedAt" | "executionId"
> &
  Partial<InstanceState>;

export function newState(given: NewState): InstanceState {
  return {
    number: 0n,
    sequence: 0,
    version: undefined,
    parent: undefined,
    ancestors: [],
    completedAt: undefined,
    scheduledStartAt: undefined,
    startPending: false,
    generation: 1,
    customStatus: undefined,
    customStatusHistory: [],
    customStatusOverflow: undefined,
    holds: [],
    heldSince: undefined,
    frozenSince: undefined,
    pendingTerminate: undefined,
    inbox: [],
    turnWanted: false,
    bufferedEvents: 0,
    bufferedBytes: 0,
    markers: [],
    started: undefined,
    completed: undefined,
    activities: new Map(),
    awaitedActivities: new Map(),
    timers: new Map(),
    children: new Map(),
    awaitedChildren: new Map(),
    entityCalls: new Map(),
    lockRequests: new Map(),
    entity: undefined,
    outbox: [],
    nextMailNumber: 1n,
    senderMarks: new Map(),
    nextWorkId: 1n,
    turnClock: undefined,
    traceContext: undefined,
    rememberedRequests: [],
    startFingerprint: undefined,
    turnDeliveries: [],
    historyEvents: 0,
    historyBytes: 0,
    ...given,
  };
}
