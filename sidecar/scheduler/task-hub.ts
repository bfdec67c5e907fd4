/**
 * One task hub while it is served: what clients and workers can ask of it. Every answer waits until
 * the head that it was decided on is durable, also a refusal, a no-op and "does not exist".
 */
import { create } from "@bufbuild/protobuf";
import type { Decision, Environment } from "../engine/decision.ts";
import { decideDue } from "../engine/due.ts";
import { decidePurge } from "../engine/purge.ts";
import { decideRaiseEvent, type RaiseEventCommand } from "../engine/raise-event.ts";
import { decideStart, type StartCommand } from "../engine/start.ts";
import type { InstanceState } from "../engine/state.ts";
import { isTerminal } from "../engine/status.ts";
import { decideResume, decideSuspend } from "../engine/suspend.ts";
import { decideTerminate, type TerminateCommand } from "../engine/terminate.ts";
import { HubError } from "../foundation/errors.ts";
import type { DueRow, StorageNumber, Store } from "../store/store.ts";
import type {
  ActivityResponse,
  GetWorkItemsRequest,
  OrchestratorResponse,
} from "../wire/gen/orchestrator_service_pb.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import { InstanceAddressSchema } from "../wire/gen/taskhub/internal/v1/store_pb.ts";
import { childrenIn } from "../wire/history-event.ts";
import { compareTimestamps } from "../wire/timestamp.ts";
import { Background } from "./background.ts";
import type { Aftermath } from "./commit-draft.ts";
import { type Head, settle, turnInFlight } from "./head.ts";
import { Heads, type HubLog } from "./heads.ts";
import { InstanceReader, type View } from "./instance-reader.ts";
import type { SchedulerOptions } from "./options.ts";
import { Road } from "./road.ts";
import { Waiters } from "./waiters.ts";
import { WorkDesk } from "./work-desk.ts";
import type { WorkerConnection } from "./worker-stream.ts";

export interface TaskHubOptions extends SchedulerOptions {
  readonly name: string;
  /** False when the row is found again by itself when its time comes near. */
  readonly scheduleDue: (row: DueRow) => boolean;
}

export class TaskHub {
  readonly name: string;
  readonly #log: HubLog & { sequence: number };
  readonly #store: Store;
  readonly #heads: Heads;
  readonly #road: Road;
  readonly #desk: WorkDesk;
  readonly #waiters = new Waiters();
  readonly #background = new Background();
  readonly #reader: InstanceReader;
  readonly #scheduleDue: (row: DueRow) => boolean;

  constructor(
    options: TaskHubOptions,
    log: { number: StorageNumber; sequence: number } | undefined,
  ) {
    this.name = options.name;
    this.#store = options.store;
    this.#scheduleDue = options.scheduleDue;
    this.#log = { number: log?.number, sequence: log?.sequence ?? 0, position: 0 };
    this.#heads = new Heads(options.store, this.#log, options.idleHeads, (head) =>
      this.#loaded(head),
    );
    this.#reader = new InstanceReader(options.store, this.#heads, this.#waiters);
    this.#road = new Road({
      hubName: options.name,
      hub: this.#log,
      heads: this.#heads,
      store: options.store,
      clock: options.hubClock,
      ids: options.ids,
      listener: {
        durable: (head, aftermath) => this.#durable(head, aftermath),
        voidWork: (head, what) => this.#desk.voidWork(head, what),
      },
    });
    this.#desk = new WorkDesk(options, this.#heads, this.#road, this.#background);
  }

  /** Storage number; undefined until the first write creates the hub. */
  get number(): StorageNumber | undefined {
    return this.#log.number;
  }

  /** Somebody is attached, or something is stored: the object must be kept. */
  get inUse(): boolean {
    return (
      this.#log.number !== undefined ||
      this.#log.position > this.#store.durablePosition ||
      this.#heads.inUse ||
      this.#waiters.count > 0 ||
      this.#desk.inUse
    );
  }

  /**
   * @returns the instance id. @throws HubError "instance-exists", "invalid-argument" (see
   * PROTOCOL.md 4.2)
   */
  async start(command: StartCommand): Promise<string> {
    await this.#run(command.instanceId, Cause.START, (state, environment) =>
      decideStart(state, command, environment),
    );
    return command.instanceId;
  }

  /** @see InstanceReader.read */
  read<T>(instanceId: string, view: View<T>): Promise<T | undefined> {
    return this.#reader.read(instanceId, view);
  }

  /** @see InstanceReader.wait */
  wait<T>(
    instanceId: string,
    done: (state: InstanceState) => boolean,
    view: View<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#reader.wait(instanceId, done, view, signal);
  }

  /** Resolves once the event is durable; does not wait for anybody to read it. */
  async raiseEvent(command: RaiseEventCommand): Promise<void> {
    await this.#run(command.instanceId, Cause.RAISE_EVENT, (state, environment) =>
      decideRaiseEvent(state, command, environment),
    );
  }

  async suspend(instanceId: string, reason: string | undefined): Promise<void> {
    await this.#run(instanceId, Cause.SUSPEND, (state, environment, turnInFlight) =>
      decideSuspend(state, { instanceId, reason, turnInFlight }, environment),
    );
  }

  async resume(instanceId: string, reason: string | undefined): Promise<void> {
    await this.#run(instanceId, Cause.RESUME, (state, environment, turnInFlight) =>
      decideResume(state, { instanceId, reason, turnInFlight }, environment),
    );
  }

  async terminate(command: TerminateCommand): Promise<void> {
    await this.#run(command.instanceId, Cause.TERMINATE, (state, environment) =>
      decideTerminate(state, command, environment),
    );
  }

  /**
   * Deletes a finished instance; an unknown or unfinished one is left alone.
   *
   * @param recursive also its finished descendants. They go first, so that a call that was cut
   * short can be repeated.
   * @returns how many instances were deleted
   */
  async purge(instanceId: string, recursive: boolean): Promise<number> {
    let deleted = 0;
    const head = await this.#heads.pin(instanceId);
    try {
      if (recursive && head.state !== undefined && isTerminal(head.state)) {
        const { number } = head.state;
        await this.#heads.loadHistory(head);
        for (const child of childrenIn(head.history)) {
          // By number: ids of the tree may have been used again, also within it.
          const parent = await this.read(child, (state) => state.parent?.number);
          if (parent === number) deleted += await this.purge(child, true);
        }
      }
      // Mail that the instance has sent must reach somebody before the log that holds it goes. It
      // leaves when it is durable.
      await this.#store.whenDurable(head.position);
      while (head.mailing !== undefined) await head.mailing;
    } finally {
      this.#heads.unpin(head);
    }
    const decision = await this.#run(instanceId, Cause.PURGE, decidePurge);
    return decision.kind === "end" ? deleted + 1 : deleted;
  }

  /** @see InstanceReader.history */
  history(
    instanceId: string,
    executionId: string | undefined,
    forWorker: boolean,
  ): AsyncGenerator<Uint8Array> {
    return this.#reader.history(instanceId, executionId, forWorker);
  }

  /** Encoded work items for one worker, until `connection.signal` is aborted. */
  workItems(
    request: GetWorkItemsRequest,
    connection: WorkerConnection,
  ): AsyncGenerator<Uint8Array> {
    return this.#desk.workItems(request, connection);
  }

  completeTurn(response: OrchestratorResponse): Promise<void> {
    return this.#desk.completeTurn(response);
  }

  completeActivity(response: ActivityResponse): Promise<void> {
    return this.#desk.completeActivity(response);
  }

  abandon(kind: "turn" | "activity", token: string): void {
    this.#desk.abandon(kind, token);
  }

  connectionClosed(connection: string): void {
    this.#desk.connectionClosed(connection);
  }

  /** Makes the hub exist. */
  async create(): Promise<void> {
    this.#road.createHub();
    await this.#store.whenDurable(this.#log.position);
  }

  /** Deletes all instances. Waits end with "instance-not-found"; worker streams stay open. */
  async delete(): Promise<void> {
    this.#road.deleteHub();
    for (const head of this.#heads.all()) {
      this.#desk.voidWork(head, "all");
      head.state = undefined;
      head.indexed = undefined;
      head.dueScheduled = undefined;
      head.unsettled = [];
      head.history = [];
      head.position = this.#log.position;
    }
    this.#desk.clear();
    await this.#waiters.endAll(
      new HubError("instance-not-found", `task hub ${JSON.stringify(this.name)} was deleted`),
      this.#store.whenDurable(this.#log.position),
    );
    for (const head of [...this.#heads.all()]) this.#heads.release(head);
  }

  /** Lets an instance that was ready when the process ended go on: being loaded is all it takes. */
  async recover(instanceId: string): Promise<void> {
    this.#heads.unpin(await this.#heads.pin(instanceId));
  }

  /** Fires what is due in one instance. */
  async due({ due, number, address }: DueRow): Promise<void> {
    const head = await this.#heads.pin(address.instanceId);
    try {
      if (head.state?.number !== number) {
        this.#road.dropDueRow(due, number);
        return;
      }
      head.dueScheduled = undefined;
      const decision = this.#decide(head, Cause.DUE, decideDue);
      // The wall clock was set back since the alarm went off, or something earlier had taken it
      // along.
      if (decision.kind === "nothing") this.#scheduleNextDue(head);
    } finally {
      this.#heads.unpin(head);
    }
  }

  /** Nothing is handed out from now on; resolves when workers have answered what they have. */
  stopHandingOut(reason: Error): Promise<void> {
    return this.#desk.stopHandingOut(reason);
  }

  /**
   * Ends streams and waits with `reason`. Resolves when nothing goes on by itself any more; answers
   * of workers are still taken.
   */
  async close(reason: Error): Promise<void> {
    this.#road.stopMail();
    this.#desk.close();
    await this.#waiters.endAll(reason, Promise.resolve());
    await this.#background.settled();
  }

  async #run(
    instanceId: string,
    cause: Cause,
    decide: (state: Head["state"], environment: Environment, turnInFlight: boolean) => Decision,
  ): Promise<Decision> {
    const head = await this.#heads.pin(instanceId);
    try {
      const inFlight = turnInFlight(head) !== undefined;
      const decision = this.#decide(head, cause, (state, environment) =>
        decide(state, environment, inFlight),
      );
      await this.#store.whenDurable(head.position);
      if (decision.kind === "refuse") throw new HubError(decision.code, decision.message);
      return decision;
    } finally {
      this.#heads.unpin(head);
    }
  }

  #decide(
    head: Head,
    cause: Cause,
    decide: (state: Head["state"], environment: Environment) => Decision,
  ): Decision {
    return this.#road.decide(head, cause, decide);
  }

  /**
   * Everything that the disk says is durable; what was out when the process ended is queued again.
   */
  #loaded(head: Head): void {
    if (head.state === undefined) return;
    if (head.state.pendingTerminate !== undefined) {
      // Any decision finishes a termination that waits for no turn; this one decides nothing else.
      this.#road.decide(head, Cause.FINISH_TERMINATE, () => ({ kind: "nothing" }));
    }
    const { number, activities } = head.state;
    this.#goOn(head, { number, activities: [...activities.keys()], released: false });
  }

  /** A commit that touched the head is durable: only now may anything leave because of it. */
  #durable(head: Head, aftermath: Aftermath): void {
    settle(head, this.#store.durablePosition);
    this.#goOn(head, aftermath);
    this.#waiters.notify(head.instanceId, head.state);
    this.#heads.release(head);
  }

  #goOn(head: Head, aftermath: Aftermath): void {
    const { state } = head;
    if (state === undefined) return;
    if (state.outbox.length > 0 && head.mailing === undefined) {
      head.mailing = this.#road.mail(head).finally(() => {
        head.mailing = undefined;
        this.#heads.release(head);
      });
      this.#background.run(head.mailing);
    }
    this.#scheduleNextDue(head);
    this.#desk.goOn(head, aftermath);
  }

  #scheduleNextDue(head: Head): void {
    const due = head.indexed?.due;
    const hub = this.#log.number;
    if (due === undefined || hub === undefined || head.state === undefined) return;
    if (head.dueScheduled !== undefined && compareTimestamps(head.dueScheduled, due) === 0) return;
    const address = create(InstanceAddressSchema, { hub, instanceId: head.instanceId });
    const isScheduled = this.#scheduleDue({ due, number: head.state.number, address });
    // What is not in memory is asked for again: it may not be durable yet, and be missed on the
    // disk.
    if (isScheduled) head.dueScheduled = due;
  }
}
