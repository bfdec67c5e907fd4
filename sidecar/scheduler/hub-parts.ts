/** The parts of a task hub, and how they know each other. They are made once, in this order. */
import type { HubState } from "../engine/hub/hub-state.ts";
import type { DueRow, Store } from "../store/store.ts";
import { Background } from "./background.ts";
import { Commands } from "./commands.ts";
import { Entities } from "./entities.ts";
import { Heads } from "./heads.ts";
import { HeldWork } from "./held-work.ts";
import { HistoryStreams } from "./history-streams.ts";
import { HoldAges } from "./hold-ages.ts";
import { HoldGate } from "./hold-gate.ts";
import { HubAlarms } from "./hub-alarms.ts";
import { HubFlow } from "./hub-flow.ts";
import { HubLog } from "./hub-log.ts";
import { InstanceAlarms } from "./instance-alarms.ts";
import { InstanceCommands } from "./instance-commands.ts";
import { InstanceReader } from "./instance-reader.ts";
import { endLastingHold } from "./lasting-holds.ts";
import type { OldFreezesOptions } from "./old-freezes.ts";
import type { SchedulerOptions } from "./options.ts";
import { Purging } from "./purging.ts";
import { Reruns } from "./reruns.ts";
import { Retention } from "./retention.ts";
import { Road } from "./road.ts";
import { StatusSchemas } from "./status-schemas.ts";
import { Stillnesses } from "./stillness.ts";
import { Suspensions } from "./suspensions.ts";
import { Waiters } from "./waiters.ts";
import { Watches } from "./watches.ts";
import { WorkDesk } from "./work-desk.ts";

export interface TaskHubOptions extends SchedulerOptions {
  readonly name: string;
  /** False when the row is found again by itself when its time comes near. */
  readonly scheduleDue: (row: DueRow) => boolean;
}

export class HubParts {
  readonly store: Store;
  readonly flow = new HubFlow(this);
  readonly log: HubLog;
  readonly heads: Heads;
  readonly reader: InstanceReader;
  readonly histories: HistoryStreams;
  readonly road: Road;
  readonly gate: HoldGate;
  readonly commands: Commands;
  readonly schemas: StatusSchemas;
  readonly desk: WorkDesk;
  readonly decided: OldFreezesOptions;
  readonly purging: Purging;
  readonly reruns: Reruns;
  readonly retention: Retention;
  readonly instances: InstanceCommands;
  readonly entities: Entities;
  readonly suspensions: Suspensions;
  readonly stillnesses: Stillnesses;
  readonly watches: Watches;
  readonly alarms: HubAlarms;
  readonly instanceAlarms: InstanceAlarms;
  readonly ages: HoldAges;
  readonly waiters = new Waiters();
  readonly background = new Background();

  constructor(options: TaskHubOptions, state: HubState | undefined) {
    this.store = options.store;
    this.log = new HubLog(options.name, state);
    this.heads = new Heads(options.store, this.log, options.idleHeads, (head) =>
      this.flow.loaded(head),
    );
    this.histories = new HistoryStreams({ ...options, heads: this.heads });
    this.reader = new InstanceReader(options.store, this.heads, this.waiters, this.log);
    const { hubClock, ids, store } = options;
    const shared = { hub: this.log, heads: this.heads, store };
    this.road = new Road({
      ...shared,
      clock: hubClock,
      steadyClock: options.steadyClock,
      figures: options.figures,
      ids,
      holdsAtCreation: options.holdsAtCreation,
      listener: {
        decided: (head, position) => {
          this.watches.decided(head, position);
          if (options.earlyTurns) this.desk.considerEarly(head);
        },
        durable: (head, aftermath) => this.flow.durable(head, aftermath),
        voidWork: (head, what) => this.desk.voidWork(head, what),
        hubDurable: () => this.flow.hubDurable(),
      },
    });
    const heldWork = new HeldWork({
      heads: this.heads,
      road: this.road,
      background: this.background,
      gate: () => this.gate,
      goOn: (head) =>
        this.flow.goOn(head, { number: head.state?.number, activities: [], released: true }),
      letThrough: (head) => {
        this.watches.letThrough(head);
        this.stillnesses.ring(head.instanceId);
      },
    });
    this.gate = new HoldGate(this.log, options, heldWork);
    this.commands = new Commands({ ...options, ...shared, road: this.road });
    this.schemas = new StatusSchemas(this.log, this.commands, options.statusPolicy);
    this.desk = new WorkDesk({
      hubName: options.name,
      options,
      hub: this.log,
      heads: this.heads,
      road: this.road,
      background: this.background,
      gate: this.gate,
      statusRules: (name) => this.schemas.rulesFor(name),
      leaseEnded: ({ head }) => this.stillnesses.ring(head.instanceId),
    });
    const decided = {
      ...shared,
      clock: hubClock,
      commands: this.commands,
      road: this.road,
      now: () => hubClock.now(),
    };
    this.decided = decided;
    this.purging = new Purging({ ...options, ...decided });
    this.reruns = new Reruns({ ...decided, reader: this.reader });
    this.instances = new InstanceCommands({ ...options, ...decided, purging: this.purging });
    this.retention = new Retention({
      ...options,
      ...decided,
      reader: this.reader,
      background: this.background,
    });
    this.entities = new Entities({
      ...options,
      ...decided,
      voidWork: (head) => this.desk.voidWork(head, "all"),
    });
    this.suspensions = new Suspensions(decided);
    this.stillnesses = new Stillnesses({ ...decided, desk: this.desk, gate: this.gate });
    this.watches = new Watches({
      ...decided,
      reader: this.reader,
      waiters: this.waiters,
      clock: options.steadyClock,
      ids,
      changesMax: options.watchedChangesMax,
    });
    this.alarms = new HubAlarms({
      ...decided,
      clock: hubClock,
      background: this.background,
      began: () => this.flow.holdsChanged(),
    });
    this.instanceAlarms = new InstanceAlarms({
      ...options,
      ...decided,
      background: this.background,
    });
    this.ages = new HoldAges({
      ...decided,
      clock: hubClock,
      background: this.background,
      log: options.log,
      limits: options.holdAgeLimits,
      end: (aged, action) =>
        endLastingHold(
          { ...decided, instances: this.instances, suspensions: this.suspensions },
          aged,
          action,
        ),
    });
  }
}
