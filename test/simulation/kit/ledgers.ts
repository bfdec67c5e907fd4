/**
 * Entities whose state is a ledger of what ran on them, and what must hold of it: an operation that
 * somebody has sent for good runs exactly once, those of one sender in their order, none before its
 * time, and a critical section is alone with what it has locked.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { HistoryEventSchema } from "../../../sidecar/wire/gen/orchestrator_service_pb.ts";
import type { Entry } from "../../../sidecar/wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  EntityOperation,
  Mail,
} from "../../../sidecar/wire/gen/taskhub/internal/v1/state_pb.ts";
import { EventKind } from "../../../sidecar/wire/history-event.ts";
import type { Life } from "./shadow.ts";
import { violated } from "./violation.ts";

/** What an operation carries as its input, as JSON. */
export interface LedgerInput {
  /** Of this operation alone; what stands before the # is its sender. */
  readonly id: string;
  /** What a "write" makes of the number. */
  readonly number?: number;
  /** The entity that a "pass" signals. */
  readonly next?: string;
}

/** The state of such an entity, as JSON. */
export interface Ledger {
  /** Operations that ran, in order; "read" and "write" with these words before the id. */
  readonly ran: readonly string[];
  /** Grows by one with every critical section. */
  readonly number: number;
}

export const emptyLedger: Ledger = { ran: [], number: 0 };

/** Operations of this name always fail: they are in no ledger. */
export const failing = "break";
/** Those of this one delete the state, and the ledger with it. */
export const vanishing = "vanish";

interface Sent {
  readonly order: number;
  readonly isCall: boolean;
  readonly isToRun: boolean;
  readonly dueAtMs: number | undefined;
}

export class Ledgers {
  readonly #sent = new Map<string, Sent>();
  readonly #ran = new Map<string, bigint>();
  /** What was last seen of each entity, by storage number. */
  readonly #seen = new Map<bigint, { readonly text: string; readonly ledger: Ledger }>();
  /** Calls that delete the state of an entity, and have not been answered. */
  readonly #toVanish = new Set<string>();
  /** The last that ran of a sender on an entity. */
  readonly #lastOrder = new Map<string, number>();
  /** Batches with these have failed outside user code, after which they may be given up. */
  readonly #mayFail = new Set<string>();
  /** Mail that was looked at. */
  readonly #known = new WeakSet<Mail>();
  readonly #highestMs: () => number;
  /** States that were deleted. */
  deletions = 0;

  constructor(highestMs: () => number) {
    this.#highestMs = highestMs;
  }

  get count(): number {
    return this.#ran.size;
  }

  /** A client is about to signal. */
  sends(id: string, dueAtMs: number | undefined): void {
    this.#send(id, { isCall: false, isToRun: true, dueAtMs });
  }

  mayFail(ids: readonly string[]): void {
    for (const id of ids) this.#mayFail.add(id);
  }

  /** The disk has it: it has run, or it waits in the entity. */
  has({ state }: Life, id: string): boolean {
    if (this.#ran.has(id) || this.#mayFail.has(id)) return true;
    const { queue = [], scheduled = new Map() } = state.entity ?? {};
    const waiting = [
      ...queue.map(({ item }) => (item.case === "operation" ? item.value : undefined)),
      ...Array.from(scheduled.values(), ({ operation }) => operation),
    ];
    return waiting.some((operation) => inputOf(operation)?.input.id === id);
  }

  /** Entries have landed: what their senders have told of, and what ran. @throws Violation */
  note(lives: readonly Life[]): void {
    for (const { fresh, state } of lives) {
      for (const entry of fresh) for (const mail of entry.mailSent) this.#mail(mail);
      for (const mail of state.outbox) this.#mail(mail);
    }
    for (const life of lives) if (life.state.entity !== undefined) this.#entity(life);
  }

  /** All has come to its end. @throws Violation */
  checkEnd(): void {
    for (const [id, { isToRun }] of this.#sent) {
      if (isToRun && !this.#ran.has(id) && !this.#mayFail.has(id)) violated(`G3: ${id} never ran`);
    }
    // Sections that have several entities in common have had them in one order.
    const sections = [...this.#seen.values()].map(({ ledger }) =>
      ledger.ran.filter((id) => id.startsWith("write ")).map(sectionOf),
    );
    for (const [at, one] of sections.entries()) {
      for (const other of sections.slice(at + 1)) {
        const ofOne = one.filter((id) => other.includes(id)).join();
        const ofOther = other.filter((id) => one.includes(id)).join();
        if (ofOne !== ofOther) violated(`sections interleave: ${ofOne} and ${ofOther}`);
      }
    }
  }

  #mail(mail: Mail): void {
    const { body } = mail;
    if (body.case !== "entityOperation" || this.#known.has(mail)) return;
    this.#known.add(mail);
    const { operation, dueAt } = body.value;
    const found = inputOf(operation);
    if (found === undefined || this.#sent.has(found.input.id)) return;
    const { input, name, isCall } = found;
    const dueAtMs = dueAt && timestampMs(dueAt);
    const isToRun = name !== failing && name !== vanishing;
    this.#send(input.id, { isCall, isToRun, dueAtMs });
    if (name === vanishing) this.#toVanish.add(input.id);
  }

  #send(id: string, sent: Omit<Sent, "order">): void {
    this.#sent.set(id, { ...sent, order: this.#sent.size });
  }

  /** One text after the other: what is deleted leaves no trace in the next. */
  #entity(life: Life): void {
    const { state, isOver, fresh } = life;
    const text = state.entity?.text ?? "";
    if (isOver && text !== "") violated(`${state.instanceId} was removed, and has a state`);
    for (const entry of fresh) this.#entry(life, entry);
    if ((this.#seen.get(life.number)?.text ?? "") === text) return;
    violated(`${state.instanceId} has a state that no batch has left`);
  }

  /** The state goes with a call that deletes it, and with nothing else. */
  #entry(life: Life, { entity: step, mailSent }: Entry): void {
    const { number, state } = life;
    const calls = mailSent.map(completedCall).filter((id) => this.#toVanish.delete(id));
    const isGone = step?.textChanged === true && step.text === undefined;
    if (isGone !== calls.length > 0 && (isGone || this.#seen.get(number)?.text)) {
      violated(`${state.instanceId} was deleted by [${calls}], and is${isGone ? "" : " not"} gone`);
    }
    if (isGone) {
      this.deletions += 1;
      if (step.consumed !== 1) violated(`${state.instanceId} was not deleted alone`);
      this.#seen.set(number, { text: "", ledger: emptyLedger });
    } else if (step?.text !== undefined) this.#text(life, step.text);
  }

  #text({ number, state }: Life, text: string): void {
    const what = state.instanceId;
    const seen = this.#seen.get(number);
    if (seen?.text === text) return;
    const before = seen?.ledger ?? emptyLedger;
    const ledger = ledgerOf(text);
    const { ran } = ledger;
    if (ran.slice(0, before.ran.length).join() !== before.ran.join()) {
      violated(`${what} has forgotten what ran: [${before.ran}] became [${ran}]`);
    }
    for (let at = before.ran.length; at < ran.length; at += 1) this.#runs(number, ran, at);
    const writes = ran.filter((id) => id.startsWith("write ")).length;
    if (ledger.number !== writes) {
      violated(`${what} was changed ${writes} times, and its number is ${ledger.number}`);
    }
    this.#seen.set(number, { text, ledger });
  }

  #runs(entity: bigint, ran: readonly string[], at: number): void {
    const line = ran[at] ?? "";
    const [, word, id = ""] = /^(?:(read|write) )?(.*)$/s.exec(line) ?? [];
    const sent = this.#sent.get(id);
    if (sent === undefined) violated(`G1: ${id} ran, and nobody is known to have sent it`);
    const { dueAtMs, isCall, order } = sent;
    if (this.#ran.has(id)) violated(`G3: ${id} ran twice`);
    this.#ran.set(id, entity);
    if (dueAtMs !== undefined) {
      if (this.#highestMs() < dueAtMs) violated(`${id} ran before its time`);
    } else {
      // Calls of whoever holds the lock may overtake its signals.
      const sender = `${entity} ${isCall ? "call" : "signal"} ${id.slice(0, id.lastIndexOf("#"))}`;
      if (order < (this.#lastOrder.get(sender) ?? -1)) violated(`${id} ran out of order`);
      this.#lastOrder.set(sender, order);
    }
    if (word === "write" && !isAlone(ran, at)) {
      violated(`a critical section was not alone: [${ran.slice(Math.max(0, at - 3), at + 1)}]`);
    }
  }
}

/** Between its reading and its writing nothing else ran. */
function isAlone(ran: readonly string[], at: number): boolean {
  const before = ran[at - 1] ?? "";
  return before.startsWith("read ") && sectionOf(before) === sectionOf(ran[at] ?? "");
}

/** Ids of operations of a critical section end with its own number: `sender.section#operation`. */
function sectionOf(line: string): string {
  return line.slice(line.indexOf(" ") + 1, line.lastIndexOf("#"));
}

/** @throws Violation when it is nothing that a worker had ever to say for good */
export function ledgerOf(text: string): Ledger {
  if (text === "") return emptyLedger;
  try {
    return JSON.parse(text) as Ledger;
  } catch {
    violated(`an entity has a state that must not have been taken: ${text}`);
  }
}

/** The request that a mail answers with a result; "" for all other mail. */
function completedCall({ body }: Mail): string {
  if (body.case !== "entityAnswer") return "";
  const { event, caller } = body.value;
  return event?.kind === EventKind.entityOperationCompleted ? (caller?.requestId ?? "") : "";
}

function inputOf(operation: EntityOperation | undefined) {
  if (operation?.event === undefined) return undefined;
  const { eventType: type } = fromBinary(HistoryEventSchema, operation.event.event);
  if (type.case !== "entityOperationCalled" && type.case !== "entityOperationSignaled") {
    return undefined;
  }
  const input = JSON.parse(type.value.input ?? "{}") as LedgerInput;
  return { input, name: type.value.operation, isCall: type.case === "entityOperationCalled" };
}
