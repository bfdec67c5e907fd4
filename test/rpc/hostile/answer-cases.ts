/**
 * Hostile answers of workers to work that they really have: every field, in every place that its
 * message can have in one kind of action, with what has to be around it to be looked at.
 */
import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  toBinary,
} from "@bufbuild/protobuf";
import { type HostileCase, taken } from "./hostile-case.ts";
import { casesOf, type FieldRules, valuesOf } from "./hostile-values.ts";
import { isEntered, isWrapped, type RequestField, valueKindOf } from "./request-fields.ts";
import { fieldKey } from "./requests.ts";
import { lengthDelimited, nested } from "./wire.ts";

/** A case, and which field it is of. */
export interface AnswerCase extends HostileCase {
  readonly of: string;
}

/** All cases of all fields of an answer. */
export function answerCases(answer: DescMessage): AnswerCase[] {
  return answerFields(answer).flatMap((at) => {
    const of = [...at.path, at.field].map(({ name }) => name).join(".");
    // What no decoder takes is the same at any depth.
    const cases = at.path.length === 0 ? casesOf(at, rulesOf(at)) : valuesOf(at, rulesOf(at));
    const isNear = at.path.length < 3;
    return [...cases, ...ownTexts(at, isNear)]
      .filter(({ what }) => isNear || !what.endsWith(" elements"))
      .map((each) => ({ ...each, of }));
  });
}

/** The shortest way to each type, once for each kind of action or result. */
function answerFields(answer: DescMessage): RequestField[] {
  const found: RequestField[] = [];
  const entered = new Set<string>();
  let level: { readonly message: DescMessage; readonly path: readonly DescField[] }[] = [
    { message: answer, path: [] },
  ];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { message, path } of level) {
      const key = `${path[1]?.name} ${message.typeName}`;
      if (entered.has(key)) continue;
      entered.add(key);
      for (const field of message.fields) {
        found.push({ path, field });
        if (isEntered(field) && !isPassedOver(path, field))
          next.push({ message: field.message, path: [...path, field] });
      }
    }
    level = next;
  }
  return found;
}

/** Events of kinds that are dropped, or refused, whatever they say. */
function isPassedOver(path: readonly DescField[], { parent, name }: DescField): boolean {
  if (parent.name !== "HistoryEvent" || name === "eventRaised") return false;
  return path.at(-1)?.name === "carryoverEvents" || kindsRefused.has(name);
}

const kindsRefused: ReadonlySet<string> = new Set([
  "executionCompleted",
  "executionTerminated",
  "genericEvent",
  "historyState",
  "continueAsNew",
  "executionSuspended",
  "executionResumed",
]);

/** Workers are not told of values that nobody can use: their answers are taken. */
function rulesOf(at: RequestField): FieldRules {
  return {
    text: { isOpaque: true },
    key: { isOpaque: true },
    takesAnyValue: true,
    takesHuge: true,
    manyElements: "taken",
    elementBase: baseIn(at),
  };
}

const fewTexts: readonly string[] = ["@x@y", "x".repeat(513)];
const manyTexts: readonly string[] = [
  ...fewTexts,
  "../../etc/passwd",
  "constructor",
  "🎉\u202e\ufeff",
  "x".repeat(300),
];

/** One byte more than payloads may have: in the places where they usually are. */
const LARGE = 2 * 1024 * 1024 + 1;

function ownTexts(at: RequestField, isNear: boolean): HostileCase[] {
  const { path, field } = at;
  if (valueKindOf(field) !== "text" || field.fieldKind === "map") return [];
  const texts = isNear ? manyTexts : fewTexts;
  const all = isNear && isWrapped(field) ? [...texts, "x".repeat(LARGE)] : texts;
  return all.map((text) => {
    const value = isWrapped(field) ? lengthDelimited(1, Buffer.from(text)) : Buffer.from(text);
    const bytes = nested(path, lengthDelimited(field.number, value), baseIn(at));
    return taken(text.length > 100 ? `${text.length} bytes` : JSON.stringify(text), bytes);
  });
}

/** Stands for the id of the instance that is asked, which has as many characters. */
const OWN_ID = "h#####";

/** The bytes of a case as the answer of an instance. */
export function answerOf(instanceId: string, { bytes }: AnswerCase): Buffer {
  const at = bytes.indexOf(OWN_ID);
  if (at === -1) return bytes;
  const own = Buffer.from(bytes);
  own.write(instanceId, at);
  return own;
}

/** Without these the rest of a message is not looked at. */
const bases: Readonly<Record<string, JsonValue>> = {
  ScheduleTaskAction: { name: "Work" },
  CreateSubOrchestrationAction: { name: "Child" },
  SendEventAction: { instance: { instanceId: "target" }, name: "E" },
  TerminateOrchestrationAction: { instanceId: "target" },
  EntityOperationSignaledEvent: { targetInstanceId: "@t@k", requestId: "r", operation: "op" },
  EntityOperationCalledEvent: { targetInstanceId: "@t@k", requestId: "r", operation: "op" },
  EntityLockRequestedEvent: { criticalSectionId: "s", lockSet: ["@t@k", "@t@l"] },
  EntityUnlockSentEvent: { criticalSectionId: "s", targetInstanceId: "@t@k" },
  RewindOrchestrationAction: {
    newHistory: [
      { executionStarted: { name: "Hostile", orchestrationInstance: { instanceId: OWN_ID } } },
    ],
  },
  SendSignalAction: { instanceId: "@t@k", name: "op" },
  StartNewOrchestrationAction: { name: "Child" },
};

function baseIn({ path, field: last }: RequestField): (field: DescField) => Uint8Array {
  const names = new Set([...path, last].map(fieldKey));
  const goesOn = ["carryoverEvents", "newVersion", "tags"].some((name) =>
    names.has(`CompleteOrchestrationAction.${name}`),
  );
  const failed = names.has("CompleteOrchestrationAction.failureDetails");
  return ({ message }) => {
    if (message?.typeName === "CompleteOrchestrationAction") {
      const orchestrationStatus = goesOn ? 2 : failed ? 3 : 1;
      return toBinary(message, fromJson(message, { orchestrationStatus }));
    }
    const base = bases[message?.typeName ?? ""];
    if (message === undefined || base === undefined) return new Uint8Array();
    return toBinary(message, fromJson(message, base));
  };
}
