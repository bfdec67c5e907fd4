/** What an SDK does with entities: calls, signals and critical sections, found again in the history. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type HistoryEvent,
  type OrchestratorAction,
  OrchestratorActionSchema,
  type SendEntityMessageAction,
} from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { LedgerInput } from "./ledgers.ts";
import { WrongHistory } from "./wrong-history.ts";

export type CallAnswer = { readonly result: string } | { readonly failure: true };

export interface Called {
  readonly entity: string;
  readonly operation: string;
  readonly section?: string;
  readonly number?: number;
  /** The entity that a "pass" signals. */
  readonly next?: string;
}

type Message = SendEntityMessageAction["EntityMessageType"];

export class EntityCalls {
  readonly #instanceId: string;
  readonly #asked: Set<number>;
  readonly #actions: OrchestratorAction[];
  readonly #answers = new Map<string, CallAnswer>();
  readonly #granted = new Set<string>();
  /** Request ids in the history, by action id: those of an earlier execution stay what they are. */
  readonly #requests = new Map<number, string>();
  #sender = "";

  constructor(instanceId: string, asked: Set<number>, actions: OrchestratorAction[]) {
    this.#instanceId = instanceId;
    this.#asked = asked;
    this.#actions = actions;
  }

  /** An execution has operations of its own: what is asked again is asked under another id. */
  begins(executionId: string): void {
    this.#sender = `${this.#instanceId} ${Number(executionId)}`;
  }

  sectionOf(id: number): string {
    return this.#requests.get(id) ?? `${this.#sender}.s${id}`;
  }

  isGranted(section: string): boolean {
    return this.#granted.has(section);
  }

  signal(id: number, entity: string, scheduledTime: Timestamp | undefined): void {
    const requestId = `${this.#sender}#${id}`;
    const input: LedgerInput = { id: requestId };
    this.#send(id, {
      case: "entityOperationSignaled",
      value: {
        requestId,
        operation: "add",
        input: JSON.stringify(input),
        targetInstanceId: `@ledger@${entity}`,
        ...(scheduledTime === undefined ? {} : { scheduledTime }),
      },
    });
  }

  /** The answer, if it is there. */
  callNow(id: number, called: Called): CallAnswer | undefined {
    this.#call(id, called);
    const request = this.#requests.get(id);
    return request === undefined ? undefined : this.#answers.get(request);
  }

  #call(id: number, { entity, operation, section = this.#sender, number, next }: Called): void {
    const requestId = `${section}#${id}`;
    const input: LedgerInput = {
      id: requestId,
      ...(number === undefined ? {} : { number }),
      ...(next === undefined ? {} : { next: `@ledger@${next}` }),
    };
    this.#send(id, {
      case: "entityOperationCalled",
      // Names are compared in lower case.
      value: {
        requestId,
        operation,
        input: JSON.stringify(input),
        targetInstanceId: `@Ledger@${entity}`,
      },
    });
  }

  lock(id: number, criticalSectionId: string, entities: readonly string[]): void {
    const lockSet = entities.map((entity) => `@ledger@${entity}`);
    this.#send(id, {
      case: "entityLockRequested",
      value: { criticalSectionId, lockSet, parentInstanceId: this.#instanceId },
    });
  }

  unlock(id: number, criticalSectionId: string, entity: string): void {
    const targetInstanceId = `@ledger@${entity}`;
    this.#send(id, {
      case: "entityUnlockSent",
      value: { criticalSectionId, targetInstanceId, parentInstanceId: this.#instanceId },
    });
  }

  note({ eventType: type, eventId }: HistoryEvent): void {
    switch (type.case) {
      case "entityOperationSignaled":
      case "entityUnlockSent":
        this.#asked.add(eventId);
        break;
      case "entityOperationCalled":
        this.#asked.add(eventId);
        this.#requests.set(eventId, type.value.requestId);
        break;
      case "entityLockRequested":
        this.#asked.add(eventId);
        this.#requests.set(eventId, type.value.criticalSectionId);
        break;
      case "entityOperationCompleted":
        this.#answer(type.value.requestId, { result: type.value.output ?? "" });
        break;
      case "entityOperationFailed":
        this.#answer(type.value.requestId, { failure: true });
        break;
      case "entityLockGranted":
        if (this.#granted.has(type.value.criticalSectionId)) {
          throw new WrongHistory(`${type.value.criticalSectionId} was granted twice`);
        }
        this.#granted.add(type.value.criticalSectionId);
        break;
      default:
    }
  }

  #answer(request: string, answer: CallAnswer): void {
    if (![...this.#requests.values()].includes(request)) {
      throw new WrongHistory(`an answer to ${request}, which nobody asked`);
    }
    if (this.#answers.has(request)) throw new WrongHistory(`two answers to ${request}`);
    this.#answers.set(request, answer);
  }

  #send(id: number, message: MessageInit): void {
    if (this.#asked.has(id)) return;
    this.#actions.push(
      create(OrchestratorActionSchema, {
        id,
        orchestratorActionType: {
          case: "sendEntityMessage",
          value: { EntityMessageType: message },
        },
      }),
    );
  }
}

type MessageInit = {
  [Case in NonNullable<Message["case"]>]: {
    readonly case: Case;
    readonly value: Partial<
      Omit<Extract<Message, { case: Case }>["value"], "$typeName" | "$unknown">
    >;
  };
}[NonNullable<Message["case"]>];
