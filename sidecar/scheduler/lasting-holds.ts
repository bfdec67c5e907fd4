/** The end of holds that have lasted as long as this server allows. */
import { expiredOutput } from "../engine/due.ts";
import { noReply } from "../engine/repeat.ts";
import { HubError } from "../foundation/errors.ts";
import { HoldScope } from "../wire/gen/taskhub/internal/v1/state_pb.ts";
import type { AgedHold } from "./hold-ages.ts";
import type { InstanceCommands } from "./instance-commands.ts";
import type { Suspensions } from "./suspensions.ts";

/** Who ends them. */
const server = "taskhub serve --suspension-max";

/** Releases the hold, or terminates what it is on. Nobody can be terminated by a window. */
export async function endLastingHold(
  { instances, suspensions }: { instances: InstanceCommands; suspensions: Suspensions },
  { hold, instanceId }: AgedHold,
  action: "resume" | "terminate",
): Promise<void> {
  const { name, scope } = hold;
  const isTree = scope === HoldScope.TREE;
  try {
    if (scope === HoldScope.SELECTOR) {
      await suspensions.releaseWindows({ name }, undefined, server, noReply);
    } else if (action === "terminate") {
      const output = expiredOutput(name);
      const command = { instanceId, output, recurse: isTree, ignoreFinished: true };
      await instances.terminate(command, noReply);
    } else {
      const wish = {
        names: isTree ? [] : [name],
        trees: isTree ? [name] : [],
        pace: undefined,
        reason: `suspension ${JSON.stringify(name)} has lasted as long as this server allows`,
        requestedBy: server,
        ignoreFinished: true,
      };
      await suspensions.release(instanceId, wish, noReply);
    }
  } catch (error) {
    // The instance, or the hold, has ended meanwhile.
    if (!(error instanceof HubError) || error.code !== "instance-not-found") throw error;
  }
}
