/**
 * What mail of another instance does to its receiver, and what its delivery means to the sender.
 */
import { create } from "@bufbuild/protobuf";
import { assert, assertNever } from "../foundation/assert.ts";
import { failureDetails } from "../wire/failure-details.ts";
import { MailReceiptSchema } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type {
  Child,
  ChildResult,
  Mail,
  StartChild,
  StoredEvent,
} from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import { copyEvent, subOrchestrationFailed } from "../wire/history-event.ts";
import { beginChild } from "./child-start.ts";
import { type Decision, type Environment, newEntry, nothing, refuse } from "./decision.ts";
import { decideEntityAnswer } from "./entity/answer.ts";
import { decideEntityMail } from "./entity/arrive.ts";
import { releaseUnwanted } from "./entity/grants.ts";
import { decideRewindChild } from "./rewind/rewind-child.ts";
import type { InstanceState } from "./state.ts";
import { isTerminal } from "./status.ts";
import { decideTerminate } from "./terminate.ts";

/**
 * Decides one message for the instance that it is addressed to. A refusal means that the message
 * comes back: see `decideMailSettled`. Mail for an unknown or finished instance is dropped, as the
 * protocol says of events.
 */
export function decideMail(
  receiver: InstanceState | undefined,
  mail: Mail,
  sender: bigint,
  environment: Environment,
  history: readonly StoredEvent[] = [],
): Decision {
  const seen = receiver?.senderMarks.get(sender);
  if (seen !== undefined && seen >= mail.number) return nothing;
  const decision = decideBody(receiver, mail, environment, history);
  if (decision.kind === "append" || decision.kind === "begin") {
    decision.entry.mailReceived = create(MailReceiptSchema, { sender, number: mail.number });
  }
  return decision;
}

function decideBody(
  receiver: InstanceState | undefined,
  { body, targetInstanceId: instanceId }: Mail,
  environment: Environment,
  history: readonly StoredEvent[],
): Decision {
  switch (body.case) {
    case "startChild":
      return decideStartChild(receiver, body.value, environment);
    case "rewindChild":
      return decideRewindChild(receiver, history, body.value, environment);
    case "childResult":
      return decideChildResult(receiver, body.value, environment);
    case "raisedEvent":
      return decideRaised(receiver, body.value.event, environment);
    case "terminate": {
      if (receiver === undefined) return nothing;
      const { output, recurse, childOf } = body.value;
      // An id may be that of a child once and of somebody else now.
      if (childOf !== undefined && receiver.parent?.number !== childOf) return nothing;
      const command = { instanceId, output, recurse, ignoreFinished: true };
      return decideTerminate(receiver, command, environment);
    }
    case "entityOperation":
    case "entityLockWish":
    case "entityRelease":
      return decideEntityMail(receiver, instanceId, body, environment);
    case "entityAnswer":
      return decideEntityAnswer(receiver, body.value, environment);
    case undefined:
      return nothing;
    default:
      return assertNever(body, "mail");
  }
}

/**
 * SDKs use a child's id again when they retry it, so a finished one is replaced silently (trap T3).
 */
function decideStartChild(
  receiver: InstanceState | undefined,
  mail: StartChild,
  environment: Environment,
): Decision {
  if (receiver !== undefined && !isTerminal(receiver)) {
    return refuse("instance-exists", `an instance with this id is already running`);
  }
  const { started, parent, ancestors } = mail;
  assert(started !== undefined, "mail that starts a child has its ExecutionStarted");
  return beginChild(receiver, { started, parent, ancestors }, environment);
}

function decideChildResult(
  receiver: InstanceState | undefined,
  result: ChildResult,
  environment: Environment,
): Decision {
  if (receiver === undefined || receiver.executionId !== result.parentExecutionId) return nothing;
  const child = awaitedChild(receiver, result.taskScheduledId, result.childInstanceId);
  if (child === undefined) return nothing;
  assert(result.event !== undefined, "a child's result has its event");
  const entry = newEntry(environment);
  entry.childrenSettled.push(child.id);
  entry.inboxAdded.push(copyEvent(result.event));
  return { kind: "append", entry };
}

/**
 * Action ids may repeat: it is only the answer when it comes from the instance that is awaited now.
 */
function awaitedChild(
  parent: InstanceState,
  taskScheduledId: number,
  instanceId: string,
): Child | undefined {
  const childId = parent.awaitedChildren.get(taskScheduledId);
  const child = childId === undefined ? undefined : parent.children.get(childId);
  return child?.instanceId === instanceId ? child : undefined;
}

function decideRaised(
  receiver: InstanceState | undefined,
  event: StoredEvent | undefined,
  environment: Environment,
): Decision {
  if (receiver === undefined || receiver.entity !== undefined || isTerminal(receiver)) {
    return nothing;
  }
  assert(event !== undefined, "a raised event is there");
  const entry = newEntry(environment);
  entry.inboxAdded.push(copyEvent(event));
  return { kind: "append", entry };
}

/**
 * The first `count` messages of the outbox were delivered. A child that could not be created
 * because its id is taken fails the task that waits for it: the parent is never left waiting.
 */
export function decideMailSettled(
  sender: InstanceState,
  count: number,
  refused: readonly Mail[],
  environment: Environment,
): Decision {
  const entry = newEntry(environment);
  entry.mailSettled = count;
  for (const { body, targetInstanceId } of refused) {
    if (body.case === "entityAnswer") releaseUnwanted(sender, entry, body.value, environment);
    if (body.case !== "startChild" && body.case !== "rewindChild") continue;
    if (body.value.parent === undefined) continue;
    const { taskScheduledId, executionId } = body.value.parent;
    const child = awaitedChild(sender, taskScheduledId, targetInstanceId);
    if (sender.executionId !== executionId || child === undefined) continue;
    if (entry.childrenSettled.includes(child.id)) continue;
    const message = `an instance with id ${JSON.stringify(targetInstanceId)} is already running`;
    const details = failureDetails("OrchestrationAlreadyExists", message);
    entry.childrenSettled.push(child.id);
    entry.inboxAdded.push(subOrchestrationFailed(taskScheduledId, environment.now, details));
  }
  return { kind: "append", entry };
}
