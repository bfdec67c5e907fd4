/** Terminating many instances at once, without waiting for what workers have of them. */
import { noReply } from "../engine/repeat.ts";
import { decideSkipTerminate } from "../engine/skip-terminate.ts";
import { Cause } from "../wire/gen/taskhub/internal/v1/log_pb.ts";
import type { Commands } from "./commands.ts";

/** Instances that are brought into memory at once. */
const SLICE = 64;

/**
 * Each ends for itself; when it returns, what has become of them all is durable.
 *
 * @returns the ids of those that were left alone, each once, in the order in which they came
 */
export async function skipGracefulTerminations(
  commands: Commands,
  instanceIds: readonly string[],
  reason: string | undefined,
): Promise<string[]> {
  const ids = [...new Set(instanceIds)];
  const untouched: string[] = [];
  for (let at = 0; at < ids.length; at += SLICE) {
    const slice = ids.slice(at, at + SLICE);
    const ended = await Promise.all(slice.map((id) => terminateNow(commands, id, reason)));
    untouched.push(...slice.filter((_, index) => !ended[index]));
  }
  return untouched;
}

/** Whether it was terminated by this. */
async function terminateNow(
  commands: Commands,
  instanceId: string,
  reason: string | undefined,
): Promise<boolean> {
  let isEnded = false;
  await commands.onInstance(instanceId, Cause.SKIP_GRACEFUL, noReply, (state, environment) => {
    const decision = decideSkipTerminate(state, reason, environment);
    isEnded = decision.kind === "append";
    return { decision, outcome: () => {} };
  });
  return isEnded;
}
